import { BrokerError, limits } from '../../base/index.ts';
import type { BrokerPort, CreateTopicRequest, Topic } from '../../broker/index.ts';

/** Kafka's rule for topic names. */
export function isTopicName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= limits.topicNameCharsMax &&
    name !== '.' &&
    name !== '..' &&
    /^[a-zA-Z0-9._-]+$/.test(name)
  );
}

/** Creates a topic because somebody uses it. Two that do so at the same time get the same topic. */
export async function createOnUse(
  broker: BrokerPort,
  name: string,
  request: Omit<CreateTopicRequest, 'name'> = {},
): Promise<Topic> {
  try {
    return await broker.topics.create({ ...request, name });
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'topic-exists') throw error;
    const topic = broker.topics.find(name);
    if (topic === undefined) throw error;
    return topic;
  }
}
