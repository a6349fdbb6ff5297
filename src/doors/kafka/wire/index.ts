export type { ApiName, RequestInput, RequestOf, ResponseInput, ResponseOf } from './frame.ts';
export type { ApiKey, RequestHeader, VersionRange } from './frame.ts';
export {
  apiKeys,
  apiNames,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from './frame.ts';
export { zeroUuid } from './schema.ts';
