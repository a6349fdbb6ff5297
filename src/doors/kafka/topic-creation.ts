import { BrokerError, limits } from '../../base/index.ts';
import type { BrokerPort, CreateTopicRequest, Topic } from '../../broker/index.ts';

/** Kafka's rule for topic names. */
export function isTopicName(name: string): boolean {
  return findNameFault(name) === undefined;
}

/** What is wrong with a topic's name, in Kafka's words: programs look for them. */
export function findNameFault(name: string): string | undefined {
  if (name === '') return 'the empty string is not allowed';
  if (name === '.' || name === '..') return `'${name}' is not allowed`;
  if (name.length > limits.topicNameCharsMax) {
    return `the length of '${name}' is longer than the max allowed length ${limits.topicNameCharsMax}`;
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`;
  }
  return undefined;
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
