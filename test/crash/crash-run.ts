import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { forEachRecord, batchTotalBytes } from '../../src/bytes/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';
import { patienceMs } from '../support/patience.ts';
import { BrokerProcess, pause } from './broker-process.ts';
import { KafkajsProducer } from './kafkajs-producer.ts';
import { Ledger, type StoredRecord } from './ledger.ts';
import { Committer, TopicMaker, Trimmer } from './side-work.ts';
import { WireProducer } from './wire-producer.ts';
import type { Worker } from './worker.ts';

/** Small, so that files are sealed, indexed, compacted and deleted all the time. */
const flags = ['--journal-file-bytes', '1MiB', '--cache', '1MiB', '--default-partitions', '3'];
const kept = 'kept';
const trimmed = 'trimmed';
const partitions = 3;
/** Of all producers together; a life of a few milliseconds has fewer, and those before it had more. */
const acksPerKill = 101;

export interface CrashRunOptions {
  seed: number;
  kills: number;
  /** Compare every record after each so many kills, and after the last. */
  fullCheckEvery: number;
}

/** Everybody works with the server while it is killed again and again; nothing that was promised may be lost. */
export class CrashRun {
  readonly #options: CrashRunOptions;
  readonly #random: SeededRandom;
  readonly #directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-crash-'));
  readonly #ledger = new Ledger();
  readonly #committers = [new Committer('g1', kept), new Committer('g2', kept)];
  readonly #topicMaker: TopicMaker;
  readonly #trimmer = new Trimmer(this.#ledger, trimmed, 0);
  readonly #workers: Worker[];
  readonly #kafkajs: KafkajsProducer[];
  #server: BrokerProcess | undefined;
  #port = 0;
  #isOver = false;

  constructor(options: CrashRunOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#topicMaker = new TopicMaker(this.#random.fork());
    const producers = [];
    for (let partition = 0; partition < partitions; partition++) {
      for (const isIdempotent of [true, false]) {
        const name = `${isIdempotent ? 'idempotent' : 'plain'}${partition}`;
        const ledger = this.#ledger.open(name, kept, partition, isIdempotent);
        producers.push(new WireProducer(ledger, this.#random.fork(), 300));
      }
    }
    const trimmedLedger = this.#ledger.open('large', trimmed, 0, false);
    producers.push(new WireProducer(trimmedLedger, this.#random.fork(), 20_000));
    this.#workers = [...producers, ...this.#committers, this.#topicMaker, this.#trimmer];
    this.#kafkajs = [true, false].map((isIdempotent) => {
      const ledger = this.#ledger.open(`kafkajs-${isIdempotent}`, kept, 1, isIdempotent);
      return new KafkajsProducer(ledger, this.#random.fork());
    });
  }

  get dataPath(): string {
    return path.join(this.#directory, 'data');
  }

  get ackedCount(): number {
    return this.#ledger.ackedCount;
  }

  /** Kills the server again and again and compares; `report` is told of each kill. */
  async run(report: (text: string) => void): Promise<void> {
    await this.#start();
    await this.#createTopics();
    const kafkajs = this.#kafkajs.map((each) => each.work(this.#port, () => this.#isOver));
    // When the run fails before, nobody waits for them.
    for (const work of kafkajs) work.catch(() => undefined);
    const { kills, fullCheckEvery } = this.#options;
    for (let kill = 1; kill <= kills; kill++) {
      const lifeMs = 30 + this.#random.nextInt(700);
      await this.#workUntilKilled(lifeMs, kill * acksPerKill);
      // Also while it is still recovering from the one before.
      while (this.#random.chance(0.25)) await this.#killWhileStarting();
      await this.#start();
      await this.#checkQuickly();
      if (kill % fullCheckEvery === 0) await this.#checkRecords();
      report(`kill ${kill} after ${lifeMs} ms, ${this.ackedCount} records acknowledged`);
    }
    this.#isOver = true;
    await Promise.all(kafkajs);
    await Promise.all(this.#kafkajs.map((each) => each.close()));
    // What idempotent producers had under way is sent again now.
    await Promise.all(this.#workers.map((worker) => worker.work(this.#port, () => true)));
    await this.checkAll();
  }

  /** Lets everybody work for a while, asks the server to stop meanwhile, starts it again, and compares. */
  async runAndTerminate(workMs: number): Promise<{ code: number | null; tookMs: number }> {
    await this.#start();
    await this.#createTopics();
    const server = this.#server;
    assert.ok(server !== undefined);
    const poll = await WireClient.connect(this.#port);
    const polled = longPoll(poll).catch(() => undefined);
    const work = this.#workers.map((worker) => worker.work(this.#port, () => !server.isRunning));
    await Promise.race([Promise.all(work), this.#lived(workMs, acksPerKill)]);
    const ended = await this.terminate();
    await Promise.all([...work, polled]);
    await this.#start();
    await this.checkAll();
    return ended;
  }

  /** Compares everything with what was promised. */
  async checkAll(): Promise<void> {
    await this.#checkQuickly();
    await this.#checkRecords();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#server?.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Ends the server in order, and returns what it ended with and how long that took. */
  async terminate(): Promise<{ code: number | null; tookMs: number }> {
    assert.ok(this.#server !== undefined);
    const startMs = performance.now();
    const { code } = await this.#server.terminate();
    return { code, tookMs: performance.now() - startMs };
  }

  async #start(): Promise<void> {
    this.#server = BrokerProcess.spawn({
      dataPath: this.dataPath,
      kafkaPort: this.#port,
      flags,
    });
    await this.#server.ready();
    this.#port = this.#server.kafkaPort;
  }

  async #createTopics(): Promise<void> {
    await this.#withClient(async (client) => {
      for (const name of [kept, trimmed]) {
        const { topics } = await client.ask('CreateTopics', 5, {
          topics: [
            { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] },
          ],
        });
        assert.equal(topics[0]?.errorCode, 0);
      }
    });
  }

  /** A life lasts so long; longer on a machine on which so many records in all take longer. */
  async #workUntilKilled(lifeMs: number, ackedMin: number): Promise<void> {
    const server = this.#server;
    assert.ok(server !== undefined);
    const isStopping = (): boolean => !server.isRunning;
    const work = this.#workers.map((worker) => worker.work(this.#port, isStopping));
    // A worker that was wronged ends the run, whether or not the others go on.
    await Promise.race([Promise.all(work), this.#lived(lifeMs, ackedMin)]);
    assert.ok(server.isRunning, `the server ended by itself:\n${server.output.slice(-4000)}`);
    await server.kill();
    await Promise.all(work);
  }

  async #lived(lifeMs: number, ackedMin: number): Promise<void> {
    const deadlineMs = Date.now() + patienceMs;
    await pause(lifeMs);
    while (this.ackedCount < ackedMin && Date.now() < deadlineMs) await pause(5);
  }

  async #killWhileStarting(): Promise<void> {
    const server = BrokerProcess.spawn({
      dataPath: this.dataPath,
      kafkaPort: this.#port,
      flags,
    });
    await pause(400 + this.#random.nextInt(1000));
    await server.kill();
  }

  async #checkQuickly(): Promise<void> {
    await this.#withClient(async (client) => {
      for (const committer of this.#committers) await committer.check(client);
      await this.#topicMaker.check(client);
      this.#trimmer.check(await findOffset(client, trimmed, 0, -2));
      for (const [topic, partition] of partitionsToCheck()) {
        // Some producers go on meanwhile: what they are told later may lie behind this end.
        const ackedEnd = this.#ledger.ackedEnd(topic, partition);
        const end = await findOffset(client, topic, partition, -1);
        assert.ok(end >= ackedEnd, `${topic}-${partition} ends at ${end}, before ${ackedEnd}`);
      }
    });
  }

  async #checkRecords(): Promise<void> {
    await this.#withClient(async (client) => {
      for (const [topic, partition] of partitionsToCheck()) {
        const ackedEnd = this.#ledger.ackedEnd(topic, partition);
        const start = await findOffset(client, topic, partition, -2);
        const records = await readAll(client, topic, partition, start);
        this.#ledger.check(topic, partition, start, ackedEnd, records);
      }
    });
  }

  async #withClient(use: (client: WireClient) => Promise<void>): Promise<void> {
    const client = await WireClient.connect(this.#port);
    try {
      await use(client);
    } finally {
      client.close();
    }
  }
}

function partitionsToCheck(): Array<[topic: string, partition: number]> {
  const all: Array<[string, number]> = [[trimmed, 0]];
  for (let partition = 0; partition < partitions; partition++) all.push([kept, partition]);
  return all;
}

/** A fetch that waits for something that does not come. */
function longPoll(client: WireClient) {
  return client.ask('Fetch', 11, {
    replicaId: -1,
    maxWaitMs: 5 * patienceMs,
    minBytes: 1,
    maxBytes: 1,
    sessionEpoch: -1,
    // Nobody writes to its other partitions.
    topics: [
      { topic: trimmed, partitions: [{ partition: 1, fetchOffset: 0, partitionMaxBytes: 1 }] },
    ],
    forgottenTopicsData: [],
  });
}

/** -2: where the partition begins, -1: where it ends. */
async function findOffset(
  client: WireClient,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number> {
  const { topics } = await client.ask('ListOffsets', 5, {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
  });
  const found = topics[0]?.partitions[0];
  assert.equal(found?.errorCode, 0, `ListOffsets of ${topic}-${partition}`);
  return found.offset;
}

async function readAll(
  client: WireClient,
  topic: string,
  partition: number,
  start: number,
): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  for (let offset = start; ; ) {
    const before = offset;
    const { responses } = await client.ask('Fetch', 11, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 4 * 1024 * 1024,
      sessionEpoch: -1,
      topics: [
        {
          topic,
          partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 4 * 1024 * 1024 }],
        },
      ],
      forgottenTopicsData: [],
    });
    const found = responses[0]?.partitions[0];
    assert.equal(found?.errorCode, 0, `Fetch of ${topic}-${partition} at ${offset}`);
    const bytes = found.records ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += batchTotalBytes(bytes, at)) {
      forEachRecord(bytes, at, 1 << 30, (record) => {
        if (record.offset < before) return;
        const value = Buffer.from(record.value ?? '').toString('latin1');
        // The padding says nothing, and would be kept in memory.
        records.push({ offset: record.offset, value: value.slice(0, value.indexOf('.') >>> 0) });
        offset = record.offset + 1;
      });
    }
    if (offset === before) return records;
  }
}
