import assert from 'node:assert/strict';
import { BrokerError, type BrokerErrorCode } from '../../../src/base/index.ts';
import {
  encodeSubscription,
  GroupCoordinator,
  type GroupOptions,
  type JoinRequest,
  type JoinResult,
  type MemberIdentity,
  MemberIdRequired,
  type OffsetCommit,
  type SyncRequest,
  type SyncResult,
} from '../../../src/shard/group/index.ts';
import { DelayedStore } from './delayed-store.ts';
import { letPromisesSettle, SimulatedClock } from './simulated-clock.ts';

/** What has become of a promise so far. */
export interface Outcome<Value> {
  value?: Value;
  error?: Error;
  isSettled: boolean;
}

export function track<Value>(promise: Promise<Value>): Outcome<Value> {
  const outcome: Outcome<Value> = { isSettled: false };
  promise.then(
    (value) => Object.assign(outcome, { value, isSettled: true }),
    (error: unknown) => Object.assign(outcome, { error, isSettled: true }),
  );
  return outcome;
}

export function valueOf<Value>(outcome: Outcome<Value>): Value {
  if (outcome.error !== undefined) throw outcome.error;
  assert(outcome.value !== undefined, 'not answered yet');
  return outcome.value;
}

export function assertFails(outcome: Outcome<unknown>, code: BrokerErrorCode): void {
  assert(outcome.isSettled, `not answered yet; expected ${code}`);
  assert(outcome.error instanceof BrokerError, `succeeded; expected ${code}`);
  assert.equal(outcome.error.code, code);
}

export function assertThrows(action: () => unknown, code: BrokerErrorCode): void {
  assert.throws(action, (error) => error instanceof BrokerError && error.code === code);
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

export const groupId = 'g';

export function subscribeTo(...topics: string[]): Uint8Array {
  const userData = new Uint8Array(0);
  return new Uint8Array(encodeSubscription({ topics, userData, owned: [], generation: -1 }));
}

export function offsetAt(offset: number, topicId = 'topic', partition = 0): OffsetCommit {
  return { topicId, partition, offset, leaderEpoch: -1, metadata: '' };
}

/** A coordinator over a simulated clock and store, with short words for what members do. */
export class GroupFixture {
  readonly clock = new SimulatedClock();
  readonly options: Partial<GroupOptions>;
  store = new DelayedStore(this.clock);
  coordinator: GroupCoordinator;
  #uuidCount = 0;

  constructor(options: Partial<GroupOptions> = {}) {
    this.options = options;
    this.coordinator = this.#open();
  }

  /** As after a kill: what was not durable is gone, and nobody is answered. */
  restart(): void {
    this.store = this.store.crash();
    this.coordinator = this.#open();
  }

  join(request: Partial<JoinRequest> = {}): Outcome<JoinResult> {
    return track(
      this.coordinator.join({
        groupId,
        memberId: '',
        clientId: 'client',
        clientHost: '/127.0.0.1',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: subscribeTo('orders') }],
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 60_000,
        requireMemberId: false,
        ...request,
      }),
    );
  }

  /** Joins as newer clients do: with the id that the first attempt was given. */
  joinTwice(request: Partial<JoinRequest> = {}): Promise<Outcome<JoinResult>> {
    const first = this.join({ ...request, requireMemberId: true });
    return letPromisesSettle().then(() => {
      assert(first.error instanceof MemberIdRequired);
      return this.join({ ...request, requireMemberId: true, memberId: first.error.memberId });
    });
  }

  sync(member: Identity, assignments: SyncRequest['assignments'] = []): Outcome<SyncResult> {
    return track(this.coordinator.sync({ ...identify(member), assignments }));
  }

  /** Everybody syncs; the leader gives each member its own id. */
  async syncAll(members: readonly JoinResult[]): Promise<Outcome<SyncResult>[]> {
    const syncs = members.map((member) =>
      this.sync(
        member,
        member.members.map(({ memberId }) => ({ memberId, assignment: Buffer.from(memberId) })),
      ),
    );
    await this.clock.advance(1);
    return syncs;
  }

  heartbeat(member: Identity): void {
    this.coordinator.heartbeat(identify(member));
  }

  commit(member: Identity | undefined, ...commits: OffsetCommit[]): Outcome<void> {
    const identity = member === undefined ? undefined : identify(member);
    return track(this.coordinator.commit(groupId, identity, commits));
  }

  leave(...memberIds: string[]): Outcome<Array<Error | undefined>> {
    const members = memberIds.map((memberId) => ({ memberId }));
    return track(this.coordinator.leave(groupId, members));
  }

  state(): string {
    return this.coordinator.describe(groupId).state;
  }

  /** A stable group with one member for each request. */
  async form(...requests: Partial<JoinRequest>[]): Promise<JoinResult[]> {
    const joins = requests.map((request) => this.join(request));
    await this.clock.advance(this.options.initialRebalanceDelayMs ?? 1000);
    const members = joins.map(valueOf);
    for (const sync of await this.syncAll(members)) valueOf(sync);
    assert.equal(this.state(), 'stable');
    return members;
  }

  #open(): GroupCoordinator {
    const { clock, store, options } = this;
    const random = {
      nextInt: () => 0,
      nextBytes: (length: number) => new Uint8Array(length),
      nextUuid: () => `${++this.#uuidCount}`,
    };
    const coordinator = new GroupCoordinator({ clock, random, store, options });
    coordinator.load();
    return coordinator;
  }
}

export type Identity = Pick<MemberIdentity, 'memberId' | 'generation' | 'instanceId'>;

function identify({ memberId, generation, instanceId }: Identity): MemberIdentity {
  const identity = { groupId, memberId, generation };
  return instanceId === undefined ? identity : { ...identity, instanceId };
}
