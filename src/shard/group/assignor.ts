import type { TopicPartitions } from './subscription.ts';

/** A member as the leader that divides the work sees it. */
export interface AssignorMember {
  memberId: string;
  /** Of a static member, whose place in the order then outlives its member ids. */
  instanceId?: string;
  topics: readonly string[];
  /** What it holds since `generation`; only the sticky assignor looks at it. */
  owned?: readonly TopicPartitions[];
  generation?: number;
}

/** How many partitions each topic has; a topic that does not exist is left out. */
export type PartitionCounts = ReadonlyMap<string, number>;

/** What each member gets; every member has an entry, topics and partitions are in order. */
export type Assignments = Map<string, TopicPartitions[]>;

export type Assignor = (members: readonly AssignorMember[], counts: PartitionCounts) => Assignments;

/**
 * Each topic on its own is cut into contiguous ranges, the first members getting one more where it does not divide:
 * partitions of the same number of several topics meet at one member.
 */
export function assignRange(
  members: readonly AssignorMember[],
  counts: PartitionCounts,
): Assignments {
  const shares = createShares(members);
  for (const [topic, subscribers] of groupByTopic(members, counts)) {
    const count = counts.get(topic) ?? 0;
    const each = Math.floor(count / subscribers.length);
    const larger = count % subscribers.length;
    let next = 0;
    for (const [index, { memberId }] of subscribers.entries()) {
      const end = next + each + (index < larger ? 1 : 0);
      while (next < end) shares.add(memberId, topic, next++);
    }
  }
  return shares.finish();
}

/** All partitions of all topics are dealt out in turn, over those who subscribe. */
export function assignRoundRobin(
  members: readonly AssignorMember[],
  counts: PartitionCounts,
): Assignments {
  const shares = createShares(members);
  const ring = inOrder(members).map(({ memberId, topics }) => ({
    memberId,
    topics: new Set(topics),
  }));
  let turn = 0;
  for (const topic of groupByTopic(members, counts).keys()) {
    const count = counts.get(topic) ?? 0;
    for (let partition = 0; partition < count; partition++) {
      // `groupByTopic` only has topics that somebody subscribes to, so that this ends.
      while (ring[turn % ring.length]?.topics.has(topic) !== true) turn++;
      const member = ring[turn++ % ring.length];
      if (member !== undefined) shares.add(member.memberId, topic, partition);
    }
  }
  return shares.finish();
}

/**
 * As even as the subscriptions allow (no partition could move to a member that has two fewer), and then with as few
 * moves as it takes from what members hold.
 */
export function assignSticky(
  members: readonly AssignorMember[],
  counts: PartitionCounts,
): Assignments {
  const shares = createShares(members);
  const byTopic = groupByTopic(members, counts);
  const taken = keepOwned(members, byTopic, counts, shares);
  const ranks = new Map(inOrder(members).map(({ memberId }, index) => [memberId, index]));
  const lightest = (topic: string): string | undefined => {
    let best: string | undefined;
    for (const { memberId } of byTopic.get(topic) ?? []) {
      if (best === undefined || shares.load(memberId) < shares.load(best)) best = memberId;
    }
    return best;
  };
  // Topics with few subscribers first: the others can even out what these cannot.
  const topics = [...byTopic].toSorted(([, a], [, b]) => a.length - b.length);
  for (const [topic] of topics) {
    const count = counts.get(topic) ?? 0;
    for (let partition = 0; partition < count; partition++) {
      if (taken.has(keyOf(topic, partition))) continue;
      const memberId = lightest(topic);
      if (memberId !== undefined) shares.add(memberId, topic, partition);
    }
  }
  levelOut(shares, lightest, ranks);
  return shares.finish();
}

/** By the names under which members offer them. */
export const assignors: ReadonlyMap<string, Assignor> = new Map([
  ['range', assignRange],
  ['roundrobin', assignRoundRobin],
  [
    'cooperative-sticky',
    (members, counts) => withoutMoving(assignSticky(members, counts), members),
  ],
]);

/**
 * The first of two steps of a cooperative rebalance (KIP-429): a partition that another member still holds is given
 * to nobody, until that member has joined again without it.
 */
export function withoutMoving(
  assignments: Assignments,
  members: readonly AssignorMember[],
): Assignments {
  const owners = new Map<string, string>();
  for (const { memberId, owned = [] } of members) {
    for (const { topic, partitions } of owned) {
      for (const partition of partitions) owners.set(keyOf(topic, partition), memberId);
    }
  }
  const result: Assignments = new Map();
  for (const [memberId, list] of assignments) {
    const kept = list.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.filter((partition) => {
        const owner = owners.get(keyOf(topic, partition));
        return owner === undefined || owner === memberId;
      }),
    }));
    result.set(
      memberId,
      kept.filter(({ partitions }) => partitions.length > 0),
    );
  }
  return result;
}

/** Gives members what they hold and may keep; of two who claim the same, the one of the later generation. */
function keepOwned(
  members: readonly AssignorMember[],
  byTopic: ReadonlyMap<string, readonly AssignorMember[]>,
  counts: PartitionCounts,
  shares: Shares,
): Set<string> {
  const taken = new Set<string>();
  const claimants = inOrder(members).toSorted(
    (a, b) => (b.generation ?? -1) - (a.generation ?? -1),
  );
  for (const { memberId, topics, owned = [] } of claimants) {
    const subscribed = new Set(topics);
    for (const { topic, partitions } of owned) {
      if (!subscribed.has(topic) || !byTopic.has(topic)) continue;
      for (const partition of partitions) {
        const key = keyOf(topic, partition);
        if (!(partition >= 0 && partition < (counts.get(topic) ?? 0)) || taken.has(key)) continue;
        taken.add(key);
        shares.add(memberId, topic, partition);
      }
    }
  }
  return taken;
}

/** Moves partitions from heavy members to those with at least two fewer. Every move makes the shares more even. */
function levelOut(
  shares: Shares,
  lightest: (topic: string) => string | undefined,
  ranks: ReadonlyMap<string, number>,
): void {
  let hasMoved = true;
  while (hasMoved) {
    hasMoved = false;
    const heaviestFirst = [...ranks.keys()].toSorted((a, b) => shares.load(b) - shares.load(a));
    for (const memberId of heaviestFirst) {
      for (const topic of shares.topicsOf(memberId)) {
        for (;;) {
          const target = lightest(topic);
          if (target === undefined || shares.load(memberId) - shares.load(target) < 2) break;
          if (!shares.moveLast(memberId, target, topic)) break;
          hasMoved = true;
        }
      }
    }
  }
}

class Shares {
  readonly #shares = new Map<string, Map<string, number[]>>();
  readonly #loads = new Map<string, number>();

  constructor(memberIds: Iterable<string>) {
    for (const memberId of memberIds) {
      this.#shares.set(memberId, new Map());
      this.#loads.set(memberId, 0);
    }
  }

  load(memberId: string): number {
    return this.#loads.get(memberId) ?? 0;
  }

  topicsOf(memberId: string): string[] {
    return [...(this.#shares.get(memberId)?.keys() ?? [])];
  }

  add(memberId: string, topic: string, partition: number): void {
    const share = this.#shares.get(memberId);
    const partitions = share?.get(topic);
    if (partitions === undefined) share?.set(topic, [partition]);
    else partitions.push(partition);
    this.#loads.set(memberId, this.load(memberId) + 1);
  }

  moveLast(from: string, to: string, topic: string): boolean {
    const partition = this.#shares.get(from)?.get(topic)?.pop();
    if (partition === undefined) return false;
    this.#loads.set(from, this.load(from) - 1);
    this.add(to, topic, partition);
    return true;
  }

  finish(): Assignments {
    const result: Assignments = new Map();
    for (const [memberId, share] of this.#shares) {
      const list = [...share]
        .filter(([, partitions]) => partitions.length > 0)
        .map(([topic, partitions]) => ({
          topic,
          partitions: partitions.toSorted((a, b) => a - b),
        }))
        .toSorted((a, b) => compareText(a.topic, b.topic));
      result.set(memberId, list);
    }
    return result;
  }
}

function createShares(members: readonly AssignorMember[]): Shares {
  return new Shares(inOrder(members).map(({ memberId }) => memberId));
}

/** Static members by their instance id, before the others by their member id. */
function inOrder(members: readonly AssignorMember[]): AssignorMember[] {
  return members.toSorted((a, b) => {
    if (a.instanceId !== undefined && b.instanceId !== undefined) {
      return compareText(a.instanceId, b.instanceId);
    }
    if (a.instanceId !== undefined) return -1;
    if (b.instanceId !== undefined) return 1;
    return compareText(a.memberId, b.memberId);
  });
}

/** The existing topics with those who subscribe to them, both in order. */
function groupByTopic(
  members: readonly AssignorMember[],
  counts: PartitionCounts,
): Map<string, AssignorMember[]> {
  const byTopic = new Map<string, AssignorMember[]>();
  for (const member of inOrder(members)) {
    for (const topic of new Set(member.topics)) {
      if (!counts.has(topic)) continue;
      const subscribers = byTopic.get(topic);
      if (subscribers === undefined) byTopic.set(topic, [member]);
      else subscribers.push(member);
    }
  }
  return new Map([...byTopic].toSorted(([a], [b]) => compareText(a, b)));
}

function keyOf(topic: string, partition: number): string {
  return `${partition}/${topic}`;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
