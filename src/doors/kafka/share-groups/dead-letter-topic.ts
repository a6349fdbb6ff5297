import type { BrokerPort } from '../../../broker/index.ts';
import type { DeadLetterTarget, DeathNotes } from '../../../shard/index.ts';
import { deadLetterConfigs } from '../group-config.ts';
import type { GroupConfigs } from '../group-configs.ts';
import { findTopicConfig, valueOf } from '../topic-configs.ts';

/** Kafka's `errors.deadletterqueue.topic.name.prefix`: nothing else can be made to hold dead records. */
export const deadLetterPrefix = 'dlq.';
/** The topic's own consent. */
const deadLetterConsent = 'errors.deadletterqueue.group.enable';

const rejected = 'Offset rejected by client.';
const exhausted = 'Offset delivery count exceeded the threshold.';

/** The headers that readers of dead-letter topics look for (KIP-1191). */
const notes: DeathNotes = {
  topic: '__dlq.errors.topic',
  partition: '__dlq.errors.partition',
  offset: '__dlq.errors.offset',
  subscription: '__dlq.errors.group',
  deliveries: '__dlq.errors.delivery.count',
  reason: '__dlq.errors.message',
  reasons: {
    rejected,
    'delivery-limit': exhausted,
    expired: 'Offset expired.',
    maxlen: 'Offset exceeded the length of the queue.',
  },
};

/** Where a group's dead records go; undefined: nowhere. */
export function deadLetterOf(configs: GroupConfigs, groupId: string): DeadLetterTarget | undefined {
  const topic = configs.value(groupId, deadLetterConfigs.topic);
  if (topic === '') return undefined;
  const isBare = configs.value(groupId, deadLetterConfigs.copies) !== 'true';
  return { exchange: '', key: topic, notes, isBare };
}

/** Why a topic cannot be a group's dead-letter topic; undefined: it can. */
export function findDeadLetterProblem(broker: BrokerPort, name: string): string | undefined {
  if (name === '') return undefined;
  if (!name.startsWith(deadLetterPrefix)) return `its name does not begin with ${deadLetterPrefix}`;
  const topic = broker.topics.find(name);
  if (topic === undefined) return 'there is no such topic';
  const consent = findTopicConfig(deadLetterConsent);
  const isWilling = consent !== undefined && valueOf(consent, topic).value === 'true';
  return isWilling ? undefined : `the topic does not have ${deadLetterConsent}=true`;
}
