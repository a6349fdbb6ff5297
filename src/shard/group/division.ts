import { type AssignorMember, assignRange, assignSticky } from './assignor.ts';
import { noPartitions, type PartitionSet } from './partition-set.ts';

/** A topic with what divides it. */
export interface DivisibleTopic {
  readonly topicId: string;
  readonly name: string;
  readonly partitionCount: number;
}

/** A member as the division of the work sees it. */
export interface Share {
  readonly memberId: string;
  readonly instanceId: string | undefined;
  /** Those of its topics that exist. */
  readonly topics: readonly DivisibleTopic[];
  /** What it was to have before. */
  readonly target: PartitionSet;
}

/** How the coordinator divides work, under the names by which members ask for it; the first is the usual one. */
export const divisionNames = ['uniform', 'range'] as const;

export type DivisionName = (typeof divisionNames)[number];

export function isDivisionName(name: string): name is DivisionName {
  return name === 'uniform' || name === 'range';
}

/** The new target of every member. Both ways are deterministic, and give everybody what it had, as far as they can. */
export function divide(name: DivisionName, shares: readonly Share[]): Map<string, PartitionSet> {
  if (name === 'range') return divideByName(shares, assignRange);
  return areAlike(shares) ? divideEvenly(shares) : divideByName(shares, assignSticky);
}

/** Whether all members have the same topics; topics are the same objects in all shares. */
function areAlike(shares: readonly Share[]): boolean {
  const [first] = shares;
  if (first === undefined) return true;
  return shares.every(
    ({ topics }) =>
      topics === first.topics ||
      (topics.length === first.topics.length &&
        topics.every((topic, index) => topic === first.topics[index])),
  );
}

/**
 * All members have the same topics: each keeps what it had, up to its part, and what is left is dealt out to those with
 * less. Linear in the number of partitions and members.
 */
function divideEvenly(shares: readonly Share[]): Map<string, PartitionSet> {
  const topics = shares[0]?.topics ?? [];
  const places: Array<{ topicId: string; partition: number }> = [];
  /** Where the partitions of a topic begin among all. */
  const starts = new Map<string, { start: number; count: number }>();
  for (const { topicId, partitionCount } of topics) {
    starts.set(topicId, { start: places.length, count: partitionCount });
    for (let partition = 0; partition < partitionCount; partition++) {
      places.push({ topicId, partition });
    }
  }
  const each = shares.length === 0 ? 0 : Math.floor(places.length / shares.length);
  let larger = places.length - each * shares.length;
  const isTaken = new Uint8Array(places.length);
  const lists = shares.map((): number[] => []);
  const tops = new Uint8Array(shares.length);
  for (const [index, { target }] of shares.entries()) {
    const list = lists[index] ?? [];
    for (const [topicId, partitions] of target) {
      const topic = starts.get(topicId);
      if (topic === undefined) continue;
      for (const partition of partitions) {
        const place = topic.start + partition;
        if (partition >= topic.count || isTaken[place] === 1) continue;
        if (list.length === each) {
          if (larger === 0 || tops[index] === 1) break;
          larger--;
          tops[index] = 1;
        } else if (list.length > each) break;
        isTaken[place] = 1;
        list.push(place);
      }
    }
  }
  let next = 0;
  const takeNext = (): number => {
    while (isTaken[next] === 1) next++;
    return next++;
  };
  for (const list of lists) while (list.length < each) list.push(takeNext());
  for (const [index, list] of lists.entries()) {
    if (larger === 0) break;
    if (tops[index] === 1) continue;
    larger--;
    list.push(takeNext());
  }
  return new Map(
    shares.map(({ memberId }, index) => [memberId, toSet(lists[index] ?? [], places)] as const),
  );
}

function toSet(
  list: number[],
  places: ReadonlyArray<{ topicId: string; partition: number }>,
): PartitionSet {
  if (list.length === 0) return noPartitions;
  const set = new Map<string, number[]>();
  for (const index of list.toSorted((a, b) => a - b)) {
    const place = places[index];
    if (place === undefined) continue;
    const partitions = set.get(place.topicId);
    if (partitions === undefined) set.set(place.topicId, [place.partition]);
    else partitions.push(place.partition);
  }
  return set;
}

/** By an assignor that knows topics by their names, as those that run in members do. */
function divideByName(
  shares: readonly Share[],
  assign: typeof assignSticky,
): Map<string, PartitionSet> {
  const counts = new Map<string, number>();
  const ids = new Map<string, string>();
  const names = new Map<string, string>();
  for (const { topics } of shares) {
    for (const { topicId, name, partitionCount } of topics) {
      counts.set(name, partitionCount);
      ids.set(name, topicId);
      names.set(topicId, name);
    }
  }
  const members = shares.map((share): AssignorMember => {
    const { memberId, instanceId, topics, target } = share;
    const owned = [...target].flatMap(([topicId, partitions]) => {
      const topic = names.get(topicId);
      return topic === undefined ? [] : [{ topic, partitions: [...partitions] }];
    });
    const member = { memberId, topics: topics.map(({ name }) => name), owned, generation: 1 };
    return instanceId === undefined ? member : { ...member, instanceId };
  });
  const result = new Map<string, PartitionSet>();
  for (const [memberId, list] of assign(members, counts)) {
    const set = new Map<string, readonly number[]>();
    for (const { topic, partitions } of list) set.set(ids.get(topic) ?? topic, partitions);
    result.set(memberId, set);
  }
  return result;
}
