export { FileSegmentStore } from './file/file-segment-store.ts';
export type { SegmentStore } from './segment-store.ts';
export { SegmentMissing } from './segment-store.ts';
