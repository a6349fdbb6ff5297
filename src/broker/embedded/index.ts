export { QueueHandle, type QueueHost, type ReceiveOptions } from './queue-handle.ts';
export { QueueReader, type ReaderOptions } from './queue-reader.ts';
export { QueueSender, type SendOptions } from './queue-sender.ts';
export { QueueWorker, type WorkerOptions } from './queue-worker.ts';
export { ReceivedMessage } from './received-message.ts';
