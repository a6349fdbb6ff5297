import { BrokerError } from '../../base/index.ts';
import type { HandlerContext } from './handler.ts';
import { createOnUse } from './topic-creation.ts';

/**
 * Topics in which Kafka keeps what coordinators know. Pabal keeps that in the shards' journals, but clients and tools
 * look for the topics and pass over them by their mark; so they are there, empty, once they are first used.
 */
export const internalTopics = {
  offsets: '__consumer_offsets',
  transactions: '__transaction_state',
} as const;

/** Kafka's defaults: `offsets.topic.num.partitions`, `transaction.state.log.num.partitions`. */
const partitions = 50;
const names: ReadonlySet<string> = new Set(Object.values(internalTopics));

export function isInternalTopic(name: string): boolean {
  return names.has(name);
}

/** Makes an internal topic where there is none; what it is asked for works without it, so a failure is only logged. */
export async function ensureInternalTopic(
  { broker, log }: HandlerContext,
  name: (typeof internalTopics)[keyof typeof internalTopics],
): Promise<void> {
  if (broker.topics.find(name) !== undefined) return;
  try {
    await createOnUse(broker, name, { partitions, options: { cleanup: 'compact' } });
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    log.warn({ topic: name, err: error }, 'internal topic could not be created');
  }
}
