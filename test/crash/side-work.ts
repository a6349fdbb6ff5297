import assert from 'node:assert/strict';
import type { SeededRandom } from '../../src/testing/index.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';
import { pause } from './broker-process.ts';
import type { Ledger } from './ledger.ts';
import type { Worker } from './worker.ts';

const notLeader = 6;
const notCoordinator = 16;
/** What the broker says while it shuts down. */
const closing: ReadonlySet<number> = new Set([notLeader, notCoordinator]);

/** Repeats one step over a connection until the connection is lost. */
async function repeat(
  port: number,
  isStopping: () => boolean,
  step: (client: WireClient) => Promise<void>,
): Promise<void> {
  const client = await WireClient.connect(port).catch(() => undefined);
  if (client === undefined) return;
  try {
    while (!isStopping() && !client.isClosed) await step(client);
  } catch (error) {
    if (!client.isClosed) throw error;
  } finally {
    client.close();
  }
}

/** Commits ever larger offsets of one group. */
export class Committer implements Worker {
  readonly group: string;
  readonly #topic: string;
  #sent = 0;
  #acked = 0;

  constructor(group: string, topic: string) {
    this.group = group;
    this.#topic = topic;
  }

  work(port: number, isStopping: () => boolean): Promise<void> {
    return repeat(port, isStopping, async (client) => {
      const offset = ++this.#sent;
      const { topics } = await client.ask('OffsetCommit', 8, {
        groupId: this.group,
        topics: [
          {
            name: this.#topic,
            partitions: [
              { partitionIndex: 0, committedOffset: offset, committedMetadata: `m${offset}` },
            ],
          },
        ],
      });
      const code = topics[0]?.partitions[0]?.errorCode ?? -1;
      if (closing.has(code)) return;
      assert.equal(code, 0, 'OffsetCommit');
      this.#acked = offset;
    });
  }

  async check(client: WireClient): Promise<void> {
    const { topics } = await client.ask('OffsetFetch', 7, {
      groupId: this.group,
      topics: [{ name: this.#topic, partitionIndexes: [0] }],
    });
    const found = topics[0]?.partitions[0];
    assert.ok(found !== undefined);
    const range = `commits ${this.#acked} to ${this.#sent}`;
    const offset = Math.max(found.committedOffset, 0);
    assert.ok(offset >= this.#acked && offset <= this.#sent, `${offset} is not one of ${range}`);
    if (offset > 0) assert.equal(found.metadata, `m${offset}`);
    // What was found is durable: it must not go back behind this either.
    this.#acked = offset;
  }
}

/** Creates and deletes topics. */
export class TopicMaker implements Worker {
  /** True: it exists; false: it does not; undefined: not known. */
  readonly #topics = new Map<string, boolean | undefined>();
  readonly #random: SeededRandom;
  #count = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  work(port: number, isStopping: () => boolean): Promise<void> {
    return repeat(port, isStopping, async (client) => {
      const existing = [...this.#topics].filter(([, exists]) => exists === true);
      const [victim] = existing[this.#random.nextInt(Math.max(existing.length, 1))] ?? [];
      const isFull = existing.length > 20;
      if (victim !== undefined && (isFull || this.#random.chance(0.4))) {
        this.#topics.set(victim, undefined);
        const { responses } = await client.ask('DeleteTopics', 5, {
          topicNames: [victim],
          timeoutMs: 10_000,
        });
        this.#note(victim, responses[0]?.errorCode ?? -1, false);
      } else {
        const name = `made-${this.#count++}`;
        this.#topics.set(name, undefined);
        const { topics } = await client.ask('CreateTopics', 5, {
          topics: [{ name, numPartitions: 2, replicationFactor: -1, assignments: [], configs: [] }],
        });
        this.#note(name, topics[0]?.errorCode ?? -1, true);
      }
      await pause(2);
    });
  }

  async check(client: WireClient): Promise<void> {
    const { topics } = await client.ask('Metadata', 9, { topics: null });
    const found = new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
    for (const [name, exists] of this.#topics) {
      if (exists !== undefined) {
        assert.equal(found.has(name), exists, `topic ${name} ${exists ? 'exists' : 'is deleted'}`);
      }
      if (found.has(name)) assert.equal(found.get(name), 2, `partitions of ${name}`);
      this.#topics.set(name, found.has(name));
    }
  }

  #note(name: string, code: number, exists: boolean): void {
    if (closing.has(code)) return;
    assert.equal(code, 0, `${exists ? 'CreateTopics' : 'DeleteTopics'} of ${name}`);
    this.#topics.set(name, exists);
  }
}

/** Deletes the older records of a partition again and again, so that files die and are compacted. */
export class Trimmer implements Worker {
  readonly #ledger: Ledger;
  readonly #topic: string;
  readonly #partition: number;
  #sent = 0;
  #acked = 0;

  constructor(ledger: Ledger, topic: string, partition: number) {
    this.#ledger = ledger;
    this.#topic = topic;
    this.#partition = partition;
  }

  work(port: number, isStopping: () => boolean): Promise<void> {
    return repeat(port, isStopping, async (client) => {
      await pause(30);
      const end = this.#ledger.ackedEnd(this.#topic, this.#partition);
      const offset = Math.max(end - 200, this.#acked);
      if (offset === this.#acked) return;
      this.#sent = offset;
      const { topics } = await client.ask('DeleteRecords', 2, {
        topics: [{ name: this.#topic, partitions: [{ partitionIndex: this.#partition, offset }] }],
        timeoutMs: 10_000,
      });
      const result = topics[0]?.partitions[0];
      if (closing.has(result?.errorCode ?? -1)) return;
      assert.equal(result?.errorCode, 0, 'DeleteRecords');
      assert.equal(result?.lowWatermark, offset);
      this.#acked = offset;
    });
  }

  /** `start` is where the partition begins now. */
  check(start: number): void {
    assert.ok(
      start >= this.#acked && start <= Math.max(this.#sent, this.#acked),
      `${this.#topic} begins at ${start} and not between ${this.#acked} and ${this.#sent}`,
    );
    this.#acked = start;
  }
}
