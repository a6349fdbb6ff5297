export type { Compacted } from './compacted-entry.ts';
export {
  applyCompacted,
  decodeCompacted,
  encodeCompacted,
  forgetMarkers,
} from './compacted-entry.ts';
export type { CompactionHost } from './key-compactor.ts';
export { KeyCompactor } from './key-compactor.ts';
