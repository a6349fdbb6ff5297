export type { ConsumerAssignment, ConsumerSubscription } from './consumer-protocol.ts';
export {
  decodeConsumerAssignment,
  decodeConsumerSubscription,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
} from './consumer-protocol.ts';
export type {
  ApiKey,
  ApiName,
  RequestHeader,
  RequestInput,
  RequestOf,
  ResponseInput,
  ResponseOf,
  VersionRange,
} from './frame.ts';
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
