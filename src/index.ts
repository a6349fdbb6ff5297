export type {
  BrokerErrorCode,
  BrokerOptions,
  ConsumerOptions,
  CreateTopicRequest,
  IncomingRecord,
  OutgoingRecord,
  SentRecord,
  Topic,
  TopicOptions,
} from './broker/index.ts';
export { Broker, BrokerError, Consumer } from './broker/index.ts';
