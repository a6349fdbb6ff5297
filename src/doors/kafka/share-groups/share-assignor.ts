/** A topic that members subscribe to, with its partitions. */
export interface AssignableTopic {
  readonly id: string;
  readonly name: string;
  readonly partitionCount: number;
}

/** What a member of a share group is to fetch. */
export interface ShareAssignment {
  readonly topicId: string;
  readonly topicName: string;
  readonly partitions: number[];
}

/** As DescribeShareGroups tells it. */
export const assignorName = 'simple';

/**
 * Deals partitions out in turn (KIP-932, "simple"): every partition has a member, every member has a partition, and with
 * more members than partitions several members share one. Members with the same topics are dealt with together.
 */
export function assignPartitions(
  subscriptions: ReadonlyMap<string, readonly string[]>,
  findTopic: (name: string) => AssignableTopic | undefined,
): Map<string, ShareAssignment[]> {
  const result = new Map<string, ShareAssignment[]>();
  for (const [memberId] of subscriptions) result.set(memberId, []);
  for (const { members, topics } of groupSubscriptions(subscriptions)) {
    const places: Array<{ topic: AssignableTopic; partition: number }> = [];
    for (const name of topics) {
      const topic = findTopic(name);
      for (let partition = 0; partition < (topic?.partitionCount ?? 0); partition += 1) {
        if (topic !== undefined) places.push({ topic, partition });
      }
    }
    if (places.length === 0) continue;
    const turns = Math.max(places.length, members.length);
    for (let turn = 0; turn < turns; turn += 1) {
      const memberId = members[turn % members.length]!;
      const { topic, partition } = places[turn % places.length]!;
      add(result.get(memberId)!, topic, partition);
    }
  }
  return result;
}

function groupSubscriptions(
  subscriptions: ReadonlyMap<string, readonly string[]>,
): Iterable<{ members: string[]; topics: readonly string[] }> {
  const groups = new Map<string, { members: string[]; topics: readonly string[] }>();
  for (const [memberId, topics] of subscriptions) {
    const key = JSON.stringify(topics);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { members: [memberId], topics });
    else group.members.push(memberId);
  }
  return groups.values();
}

function add(assignments: ShareAssignment[], topic: AssignableTopic, partition: number): void {
  const last = assignments.find(({ topicId }) => topicId === topic.id);
  if (last === undefined) {
    assignments.push({ topicId: topic.id, topicName: topic.name, partitions: [partition] });
  } else last.partitions.push(partition);
}
