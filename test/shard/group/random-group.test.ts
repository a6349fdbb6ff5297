import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError, type Random } from '../../../src/base/index.ts';
import { GroupCoordinator, MemberIdRequired } from '../../../src/shard/group/index.ts';
import { DelayedStore } from './delayed-store.ts';
import { groupId, subscribeTo } from './fixture.ts';
import { SimulatedClock } from './simulated-clock.ts';

const seedCount = Number(process.env['GROUP_SEEDS'] ?? 12);
const firstSeed = Number(process.env['GROUP_SEED'] ?? 1);
const partitionCount = 6;

for (let seed = firstSeed; seed < firstSeed + seedCount; seed++) {
  test(`a group under members that come, go, crash and restart (seed ${seed})`, async () => {
    const world = new World(seed);
    await world.runChaos(120);
    await world.settle();
  });
}

class ConnectionLost extends Error {}

/** The broker with its crashes, and what must hold whatever happens. */
class World {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly clients = new Set<Client>();
  readonly #claims = new Map<string, string>();
  readonly #acked = new Map<number, number>();
  readonly #inFlight = new Set<(error: Error) => void>();
  #store: DelayedStore;
  #coordinator: GroupCoordinator;
  #newestGeneration = 0;
  #commitCount = 0;
  #failure: unknown;

  constructor(seed: number) {
    this.random = createRandom(seed);
    // On a slow disk a crash more often finds something that is not durable yet.
    this.#store = new DelayedStore(this.clock, 1 + this.random.nextInt(1000));
    this.#coordinator = this.#open();
  }

  get coordinator(): GroupCoordinator {
    return this.#coordinator;
  }

  async runChaos(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      this.#act(this.random.nextInt(20));
      await this.clock.advance(this.random.nextInt(3000));
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  /** Left in peace, everybody who is alive ends up with a part of the work. */
  async settle(): Promise<void> {
    if (this.clients.size === 0) this.#spawn();
    await this.clock.advance(200_000);
    if (this.#failure !== undefined) throw this.#failure;
    const { state, members } = this.coordinator.describe(groupId);
    assert.equal(state, 'stable');
    assert.deepEqual(
      members.map(({ memberId }) => memberId).toSorted(),
      [...this.clients].map(({ memberId }) => memberId).toSorted(),
    );
    const owned = [...this.clients].flatMap(({ partitions }) => partitions);
    assert.deepEqual(
      owned.toSorted((a, b) => a - b),
      Array.from({ length: partitionCount }, (_, index) => index),
    );
    const generations = new Set([...this.clients].map(({ generation }) => generation));
    assert.equal(generations.size, 1);
    this.#crash();
    this.#checkOffsets();
  }

  /** A request over a connection that a crash of the broker breaks. */
  call<Value>(request: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#inFlight.add(reject);
      request()
        .then(resolve, reject)
        .finally(() => this.#inFlight.delete(reject));
    });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.setTimer(ms, resolve);
    });
  }

  claim(owner: string, generation: number, partitions: readonly number[]): void {
    assert(generation >= this.#newestGeneration, 'generations only grow');
    this.#newestGeneration = generation;
    for (const partition of partitions) {
      const key = `${generation}/${partition}`;
      const before = this.#claims.get(key);
      assert(before === undefined || before === owner, `${key} is of ${before} and ${owner}`);
      this.#claims.set(key, owner);
    }
  }

  nextOffset(): number {
    return ++this.#commitCount;
  }

  acknowledge(partition: number, offset: number): void {
    this.#acked.set(partition, Math.max(offset, this.#acked.get(partition) ?? 0));
  }

  fail(error: unknown): void {
    this.#failure ??= error;
  }

  #act(choice: number): void {
    const [client] = [...this.clients].slice(this.random.nextInt(this.clients.size || 1));
    if (choice < 7 && this.clients.size < 8) this.#spawn();
    else if (choice < 9) client?.crash();
    else if (choice < 11) client?.leave();
    else if (choice < 13) client?.restartStatic();
    else if (choice < 15) this.#crash();
    else if (choice < 16) this.#checkOffsets();
  }

  #spawn(): void {
    const names = ['one', 'two', 'three'];
    const taken = new Set([...this.clients].map(({ instanceId }) => instanceId));
    const name = names[this.random.nextInt(8)];
    new Client(this, taken.has(name) ? undefined : name).start();
  }

  #crash(): void {
    this.#store = this.#store.crash();
    // The old coordinator is left as it is: a killed process answers nobody and writes nothing.
    this.#coordinator = this.#open();
    for (const reject of this.#inFlight) reject(new ConnectionLost());
    this.#inFlight.clear();
    this.#checkOffsets();
  }

  #checkOffsets(): void {
    for (const [partition, acked] of this.#acked) {
      const stored = this.#store.findOffset(groupId, { topicId: 't', partition })?.offset ?? 0;
      assert(stored >= acked, `partition ${partition}: ${acked} was acked, ${stored} is stored`);
    }
  }

  #open(): GroupCoordinator {
    const coordinator = new GroupCoordinator({
      clock: this.clock,
      random: this.random,
      store: this.#store,
    });
    coordinator.load();
    return coordinator;
  }
}

/** A member as clients are written: it joins, syncs, then commits and sends heartbeats until it must join again. */
class Client {
  readonly instanceId: string | undefined;
  memberId = '';
  generation = -1;
  partitions: number[] = [];
  readonly #world: World;
  #isAlive = true;

  constructor(world: World, instanceId: string | undefined) {
    this.#world = world;
    this.instanceId = instanceId;
  }

  start(): void {
    this.#world.clients.add(this);
    this.#run().catch((error: unknown) => this.#world.fail(error));
  }

  crash(): void {
    this.#isAlive = false;
    this.#world.clients.delete(this);
  }

  leave(): void {
    this.crash();
    const { memberId } = this;
    this.#world.coordinator.leave(groupId, [{ memberId, ...this.#instance() }]).catch(() => {});
  }

  restartStatic(): void {
    if (this.instanceId === undefined) return;
    this.crash();
    new Client(this.#world, this.instanceId).start();
  }

  async #run(): Promise<void> {
    while (this.#isAlive) {
      try {
        await this.#joinAndSync();
        while (this.#isAlive) await this.#work();
      } catch (error) {
        if (this.#isAlive) await this.#recover(error);
      }
    }
  }

  async #joinAndSync(): Promise<void> {
    const joined = await this.#world.call(() =>
      this.#world.coordinator.join({
        groupId,
        memberId: this.memberId,
        ...this.#instance(),
        clientId: 'c',
        clientHost: '/127.0.0.1',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: subscribeTo('t') }],
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 20_000,
        requireMemberId: true,
        canSkipAssignment: true,
      }),
    );
    if (!this.#isAlive) return;
    this.memberId = joined.memberId;
    this.generation = joined.generation;
    const { memberId, generation } = joined;
    await this.#world.sleep(this.#world.random.nextInt(200));
    const shares = joined.members.map((member, index) => {
      const partitions: number[] = [];
      for (let next = index; next < partitionCount; next += joined.members.length) {
        partitions.push(next);
      }
      return { memberId: member.memberId, assignment: Buffer.from(partitions) };
    });
    const synced = await this.#world.call(() =>
      this.#world.coordinator.sync({
        groupId,
        memberId,
        generation,
        ...this.#instance(),
        assignments: joined.skipAssignment ? [] : shares,
      }),
    );
    if (!this.#isAlive) return;
    this.partitions = [...synced.assignment];
    this.#world.claim(this.instanceId ?? memberId, generation, this.partitions);
  }

  async #work(): Promise<void> {
    const { random } = this.#world;
    await this.#world.sleep(500 + random.nextInt(2500));
    if (!this.#isAlive) return;
    const identity = { groupId, memberId: this.memberId, generation: this.generation };
    const member = { ...identity, ...this.#instance() };
    this.#world.coordinator.heartbeat(member);
    const [partition] = this.partitions.slice(random.nextInt(this.partitions.length || 1));
    if (partition === undefined) return;
    const offset = this.#world.nextOffset();
    const commit = { topicId: 't', partition, offset, leaderEpoch: -1, metadata: '' };
    await this.#world.call(() => this.#world.coordinator.commit(groupId, member, [commit]));
    this.#world.acknowledge(partition, offset);
  }

  async #recover(error: unknown): Promise<void> {
    if (error instanceof MemberIdRequired) this.memberId = error.memberId;
    else if (error instanceof BrokerError && error.code === 'member-unknown') this.memberId = '';
    else if (error instanceof ConnectionLost || isExpected(error)) {
      await this.#world.sleep(this.#world.random.nextInt(500));
    } else throw error;
  }

  #instance(): { instanceId?: string } {
    return this.instanceId === undefined ? {} : { instanceId: this.instanceId };
  }
}

function isExpected(error: unknown): boolean {
  const codes = ['group-rebalancing', 'generation-stale'];
  return error instanceof BrokerError && codes.includes(error.code);
}

function createRandom(seed: number): Random {
  let state = seed;
  let count = 0;
  const nextInt = (below: number): number => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
  return { nextInt, nextBytes: (length) => new Uint8Array(length), nextUuid: () => `u${++count}` };
}
