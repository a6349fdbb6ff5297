import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError } from '../../../src/base/index.ts';
import { type BeatResult, decodeAssignment } from '../../../src/shard/group/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { groupId, type Outcome } from './fixture.ts';
import { ManagedBed, toldBy } from './managed-bed.ts';

const seedCount = Number(process.env['GROUP_SEEDS'] ?? 15);
const firstSeed = Number(process.env['GROUP_SEED'] ?? 1);
const sessionMs = 45_000;

for (let seed = firstSeed; seed < firstSeed + seedCount; seed++) {
  test(`a managed group under members that come, go, crash and restart (seed ${seed})`, async () => {
    const world = new World(seed);
    for (let step = 0; step < 150; step++) await world.step();
    await world.settle();
  });
}

/** A member as clients are: it holds what it was told, lets go slowly, and starts again when it is fenced. */
class Client {
  readonly memberId: string;
  readonly instanceId: string | undefined;
  epoch = 0;
  holds = new Set<string>();
  /** What it was told to hold and does not yet hold, because it is still letting go of other things. */
  told: string[] | undefined;
  heardAtMs: number;
  isPaused = false;
  outcome: Outcome<BeatResult> | undefined;

  constructor(memberId: string, instanceId: string | undefined, nowMs: number) {
    this.memberId = memberId;
    this.instanceId = instanceId;
    this.heardAtMs = nowMs;
  }
}

class World {
  readonly #random: SeededRandom;
  readonly #bed: ManagedBed;
  readonly #clients = new Set<Client>();
  #count = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    const initialRebalanceDelayMs = this.#random.nextInt(2) * 100;
    this.#bed = new ManagedBed({ initialRebalanceDelayMs }, this.#random.nextInt(400));
    this.#bed.topics.set('a', 5);
    this.#bed.topics.set('b', 3);
  }

  async step(): Promise<void> {
    const dice = this.#random.nextInt(100);
    const client = this.#pick();
    if (dice < 12) this.#spawn();
    else if (dice < 16 && client !== undefined) this.#leave(client);
    else if (dice < 20 && client !== undefined) client.isPaused = !client.isPaused;
    else if (dice < 23) this.#crash();
    else if (dice < 26) this.#bed.topics.set('a', 5 + this.#random.nextInt(6));
    else if (dice < 28) this.#bed.topics.set('c', this.#random.nextInt(3));
    else if (client !== undefined) this.#beat(client);
    await this.#bed.clock.advance(this.#random.nextInt(3000));
    for (const one of this.#clients) this.#hear(one);
    this.#checkOwners();
  }

  /** Left in peace, all partitions have an owner, and nobody has more than one more than another. */
  async settle(): Promise<void> {
    if (this.#clients.size === 0) this.#spawn();
    for (const client of this.#clients) client.isPaused = false;
    for (let round = 0; round < 40; round++) {
      for (const client of this.#clients) this.#beat(client);
      await this.#bed.clock.advance(3000);
      for (const client of this.#clients) this.#hear(client);
      this.#checkOwners();
    }
    const description = this.#bed.describe();
    assert.equal(description.state, 'stable');
    const held: string[] = [];
    for (const { holds } of this.#clients) held.push(...holds);
    assert.deepEqual(held.toSorted(), this.#bed.topics.listPartitions().toSorted());
    const sizes = [...this.#clients].map(({ holds }) => holds.size);
    assert(Math.max(...sizes) - Math.min(...sizes) <= 1, `shares of ${sizes.join(', ')}`);
  }

  #pick(): Client | undefined {
    return [...this.#clients][this.#random.nextInt(Math.max(this.#clients.size, 1))];
  }

  #spawn(): void {
    if (this.#clients.size >= 8) return;
    const count = ++this.#count;
    const instanceId = this.#random.nextInt(3) === 0 ? `i${count}` : undefined;
    const client = new Client(`m${count}`, instanceId, this.#bed.clock.nowMs());
    this.#clients.add(client);
    this.#beat(client);
  }

  #leave(client: Client): void {
    this.#clients.delete(client);
    // Some just vanish.
    if (client.epoch === 0 || this.#random.nextInt(3) === 0) return;
    this.#bed.beat({ memberId: client.memberId, epoch: -1, ...identityOf(client) });
  }

  #crash(): void {
    this.#bed.restart();
    // Nobody is answered; what they ask again says all.
    for (const client of this.#clients) client.outcome = undefined;
  }

  #beat(client: Client): void {
    if (client.isPaused || client.outcome?.isSettled === false) return;
    this.#hear(client);
    if (client.told !== undefined) {
      client.holds = new Set(client.told);
      client.told = undefined;
    }
    const isJoin = client.epoch === 0;
    client.outcome = this.#bed.beat({
      memberId: client.memberId,
      epoch: client.epoch,
      topics: ['a', 'b', 'c'],
      rebalanceTimeoutMs: 30_000,
      owned: isJoin ? [] : ownedBy(client),
      sessionTimeoutMs: sessionMs,
      ...identityOf(client),
    });
  }

  #hear(client: Client): void {
    const { outcome } = client;
    if (outcome?.isSettled !== true) return;
    client.outcome = undefined;
    if (outcome.value !== undefined) {
      client.epoch = outcome.value.epoch;
      client.heardAtMs = this.#bed.clock.nowMs();
      const told = toldBy(outcome.value);
      if (told === undefined) return;
      // It lets go at once in its own eyes, takes up with what it is told, and reports both by the next heartbeat.
      client.holds = new Set(told.filter((partition) => client.holds.has(partition)));
      client.told = told;
      return;
    }
    assert(outcome.error instanceof BrokerError, String(outcome.error));
    const expected = ['member-unknown', 'member-epoch-fenced', 'group-not-found'];
    if (client.instanceId !== undefined) expected.push('instance-in-use', 'member-fenced');
    assert(expected.includes(outcome.error.code), outcome.error.code);
    client.epoch = 0;
    client.holds.clear();
    client.told = undefined;
  }

  /** Who is silent for longer than a session has lost what it holds, whether it knows or not. */
  #checkOwners(): void {
    const owners = new Map<string, string>();
    const nowMs = this.#bed.clock.nowMs();
    for (const { memberId, holds, heardAtMs } of this.#clients) {
      if (nowMs - heardAtMs >= 30_000) continue;
      for (const partition of holds) {
        assert.equal(owners.get(partition), undefined, `${partition} has two owners`);
        owners.set(partition, memberId);
      }
    }
  }
}

function identityOf({ instanceId }: Client): { instanceId?: string } {
  return instanceId === undefined ? {} : { instanceId };
}

function ownedBy({ holds }: Client): Array<{ topicId: string; partitions: number[] }> {
  const topics = new Map<string, number[]>();
  for (const name of holds) {
    const [topic = '', partition = ''] = name.split(':');
    const list = topics.get(topic) ?? [];
    list.push(Number(partition));
    topics.set(topic, list);
  }
  return [...topics].map(([topic, partitions]) => ({ topicId: `id-${topic}`, partitions }));
}

test('classic members and others end up with one owner for each partition', async () => {
  for (let seed = firstSeed; seed < firstSeed + seedCount; seed++) {
    const random = new SeededRandom(seed);
    const bed = new ManagedBed();
    bed.topics.set('a', 7);
    const modern = new Map<string, { epoch: number; holds: number[] }>();
    const classic = new Map<string, { generation: number; holds: number[] }>();
    const count = 1 + random.nextInt(3);
    for (let index = 0; index < count; index++) modern.set(`m${index}`, { epoch: 0, holds: [] });
    for (let round = 0; round < 30; round++) {
      for (const [memberId, member] of modern) {
        const owned =
          member.holds.length === 0 ? [] : [{ topicId: 'id-a', partitions: member.holds }];
        const told = await bed.beatNow({
          memberId,
          epoch: member.epoch,
          topics: ['a'],
          rebalanceTimeoutMs: 60_000,
          owned: member.epoch === 0 ? [] : owned,
        });
        member.epoch = told.epoch;
        const names = toldBy(told);
        if (names !== undefined) member.holds = names.map((name) => Number(name.slice(2)));
      }
      if (round % 5 === 0 && classic.size < 3) {
        const joined = await bed.joinClassicNow();
        classic.set(joined.memberId, { generation: joined.generation, holds: [] });
      }
      for (const [memberId, member] of classic) {
        try {
          bed.coordinator.heartbeat({ groupId, memberId, generation: member.generation });
        } catch (error) {
          assert(error instanceof BrokerError && error.code === 'group-rebalancing', String(error));
          const joined = await bed.joinClassicNow({ memberId }, member.holds);
          member.generation = joined.generation;
          const { assignment } = await bed.sync(joined);
          member.holds = decodeAssignment(assignment).partitions.flatMap(
            ({ partitions }) => partitions,
          );
        }
      }
      await bed.clock.advance(1000);
    }
    const held = [...modern.values(), ...classic.values()].flatMap(({ holds }) => holds);
    assert.deepEqual(
      held.toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6],
      `seed ${seed}`,
    );
    assert.equal(bed.describe().state, 'stable');
  }
});
