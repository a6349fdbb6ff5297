import assert from 'node:assert/strict';
import {
  type Beat,
  type BeatResult,
  encodeSubscription,
  GroupCoordinator,
  type GroupOptions,
  type GroupTopics,
  type JoinRequest,
  type JoinResult,
  type ManagedGroupDescription,
  type SyncResult,
} from '../../../src/shard/group/index.ts';
import { DelayedStore } from './delayed-store.ts';
import { groupId, type Outcome, track, valueOf } from './fixture.ts';
import { SimulatedClock } from './simulated-clock.ts';

/** Topics that a test makes, grows and deletes; the id of topic `a` is `id-a`. */
export class TestTopics implements GroupTopics {
  version = 0;
  readonly #counts = new Map<string, number>();

  /** 0 partitions: it is deleted. */
  set(name: string, partitionCount: number): void {
    this.version++;
    if (partitionCount === 0) this.#counts.delete(name);
    else this.#counts.set(name, partitionCount);
  }

  find(name: string): { id: string; partitionCount: number } | undefined {
    const partitionCount = this.#counts.get(name);
    return partitionCount === undefined ? undefined : { id: `id-${name}`, partitionCount };
  }

  findName(topicId: string): string | undefined {
    const name = topicId.slice('id-'.length);
    return this.#counts.has(name) ? name : undefined;
  }

  names(): Iterable<string> {
    return this.#counts.keys();
  }

  /** Of all topics, as `name:partition`. */
  listPartitions(): string[] {
    return [...this.#counts].flatMap(([name, count]) =>
      Array.from({ length: count }, (_, partition) => `${name}:${partition}`),
    );
  }
}

/** A coordinator over a simulated clock and store, for groups whose work it divides. */
export class ManagedBed {
  readonly clock = new SimulatedClock();
  readonly topics = new TestTopics();
  readonly options: Partial<GroupOptions>;
  store: DelayedStore;
  coordinator: GroupCoordinator;
  #uuidCount = 0;

  constructor(options: Partial<GroupOptions> = {}, storeDelayMs = 0) {
    this.options = { initialRebalanceDelayMs: 0, ...options };
    this.store = new DelayedStore(this.clock, storeDelayMs);
    this.coordinator = this.#open();
  }

  /** As after a kill: what was not durable is gone, and nobody is answered. */
  restart(): void {
    this.store = this.store.crash();
    this.coordinator = this.#open();
  }

  beat(beat: Partial<Beat>): Outcome<BeatResult> {
    return track(
      this.coordinator.beat({
        groupId,
        memberId: '',
        epoch: 0,
        clientId: 'client',
        clientHost: '/127.0.0.1',
        sessionTimeoutMs: 45_000,
        ...beat,
      }),
    );
  }

  async beatNow(beat: Partial<Beat>): Promise<BeatResult> {
    const outcome = this.beat(beat);
    await this.clock.advance(0);
    return valueOf(outcome);
  }

  /** The first heartbeat of a member. */
  async join(memberId: string, more: Partial<Beat> = {}): Promise<BeatResult> {
    return this.beatNow({
      memberId,
      topics: ['a'],
      owned: [],
      rebalanceTimeoutMs: 60_000,
      ...more,
    });
  }

  joinClassic(request: Partial<JoinRequest> = {}, owned: number[] = []): Outcome<JoinResult> {
    const metadata = new Uint8Array(
      encodeSubscription({
        topics: ['a'],
        userData: new Uint8Array(0),
        owned: owned.length === 0 ? [] : [{ topic: 'a', partitions: owned }],
        generation: -1,
      }),
    );
    return track(
      this.coordinator.join({
        groupId,
        memberId: '',
        clientId: 'classic',
        clientHost: '/127.0.0.1',
        protocolType: 'consumer',
        protocols: [{ name: 'cooperative-sticky', metadata }],
        sessionTimeoutMs: 45_000,
        rebalanceTimeoutMs: 60_000,
        requireMemberId: false,
        ...request,
      }),
    );
  }

  async joinClassicNow(
    request: Partial<JoinRequest> = {},
    owned: number[] = [],
  ): Promise<JoinResult> {
    const outcome = this.joinClassic(request, owned);
    await this.clock.advance(0);
    return valueOf(outcome);
  }

  async sync({ memberId, generation }: JoinResult): Promise<SyncResult> {
    const outcome = track(
      this.coordinator.sync({ groupId, memberId, generation, assignments: [] }),
    );
    await this.clock.advance(0);
    return valueOf(outcome);
  }

  describe(): ManagedGroupDescription {
    const description = this.coordinator.describeManaged(groupId);
    assert(description !== undefined, 'the group is managed');
    return description;
  }

  epochOf(memberId: string): number {
    return this.#find(memberId).epoch;
  }

  /** What the member is to get, as `name:partition`. */
  targetOf(memberId: string): string[] {
    return listNames(this.#find(memberId).target);
  }

  #find(memberId: string): ManagedGroupDescription['members'][number] {
    const member = this.describe().members.find((one) => one.memberId === memberId);
    assert(member !== undefined, `${memberId} is a member`);
    return member;
  }

  #open(): GroupCoordinator {
    const { clock, store, options, topics } = this;
    const random = {
      nextInt: () => 0,
      nextBytes: (length: number) => new Uint8Array(length),
      nextUuid: () => `uuid-${++this.#uuidCount}`,
    };
    const coordinator = new GroupCoordinator({ clock, random, store, topics, options });
    coordinator.load();
    return coordinator;
  }
}

/** What an answer tells the member to hold, as `name:partition`; undefined when it tells nothing. */
export function toldBy({ assignment }: BeatResult): string[] | undefined {
  return assignment === undefined ? undefined : listNames(assignment);
}

function listNames(assignment: NonNullable<BeatResult['assignment']>): string[] {
  return assignment.flatMap(({ topicId, partitions }) =>
    partitions.map((partition) => `${topicId.slice('id-'.length)}:${partition}`),
  );
}

/** Partitions of topic `a` as a member reports them. */
export function owning(...partitions: number[]): NonNullable<Beat['owned']> {
  return partitions.length === 0 ? [] : [{ topicId: 'id-a', partitions }];
}
