import type { ResponseInput } from '../wire/index.ts';
import type { StreamsGroup } from './streams-group.ts';
import { type TaskKeys, taskOf } from './tasks.ts';

type EndpointToPartitions = NonNullable<
  ResponseInput<'StreamsGroupHeartbeat'>['partitionsByUserEndpoint']
>[number];

/** Which partitions the members with an address of their own have: who looks for a key asks there. */
export function listEndpoints(group: StreamsGroup): EndpointToPartitions[] {
  const result: EndpointToPartitions[] = [];
  for (const { userEndpoint, assigned } of group.members.values()) {
    if (userEndpoint === null) continue;
    result.push({
      userEndpoint,
      activePartitions: listPartitions(group, assigned.active),
      standbyPartitions: listPartitions(group, assigned.standby),
    });
  }
  return result;
}

function listPartitions(
  { configured }: StreamsGroup,
  keys: TaskKeys,
): Array<{ topic: string; partitions: number[] }> {
  const byTopic = new Map<string, Set<number>>();
  for (const key of keys) {
    const { subtopologyId, partition } = taskOf(key);
    const found = configured.subtopologies.find((each) => each.subtopologyId === subtopologyId);
    for (const [topic, count] of found?.sources ?? []) {
      if (partition >= count) continue;
      const partitions = byTopic.get(topic) ?? new Set();
      byTopic.set(topic, partitions.add(partition));
    }
  }
  return [...byTopic].map(([topic, partitions]) => ({
    topic,
    partitions: [...partitions].toSorted((left, right) => left - right),
  }));
}
