export type { BrokerErrorCode } from '../base/index.ts';
export { BrokerError } from '../base/index.ts';
export { anonymous, type CompiledPattern, compilePattern } from './access/index.ts';
export type { BrokerOptions } from './broker-options.ts';
export { Broker } from './broker.ts';
export { checkName, checkTopicName, checkTopicOptions, defaultTopicOptions } from './catalog.ts';
export type { ConsumerOptions } from './consumer.ts';
export { Consumer } from './consumer.ts';
export type {
  ReaderOptions,
  ReceiveOptions,
  SendOptions,
  WorkerOptions,
} from './embedded/index.ts';
export {
  QueueHandle,
  QueueReader,
  QueueSender,
  QueueWorker,
  ReceivedMessage,
} from './embedded/index.ts';
export { findDataOwner } from './data-lock.ts';
export type { IncomingRecord } from './incoming-record.ts';
export type { FilterOptions } from './message-filter.ts';
export { compileFilter } from './message-filter.ts';
export type { OutgoingRecord, SentRecord } from './sender.ts';
export type {
  BrokerPort,
  CreateTopicRequest,
  StorageStatus,
  Topic,
  TopicOptions,
  TopicRetention,
  TopicsPort,
} from './types.ts';
export type { QueueCounts, QueueForm, QueueSettings } from '../shard/index.ts';
export type * from './ports/index.ts';
export {
  allOperations,
  anonymousInRules,
  clusterName,
  emptyMessage,
  operationBits,
  operations,
  resourceKinds,
} from './ports/index.ts';
export { EmbeddedTransaction, type TakenMessage } from './transactions/index.ts';
export type * from './transactions/types.ts';
