export { checkQueueForm, checkQueueSettings } from './queue-options.ts';
export { describeDamage, Queues, type QueuesParts } from './queues.ts';
export { TopicQueue } from './topic-queue.ts';
