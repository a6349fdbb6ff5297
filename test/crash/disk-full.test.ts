import assert from 'node:assert/strict';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { batchTotalBytes, RecordBatchBuilder } from '../../src/bytes/index.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';
import { patienceMs } from '../support/patience.ts';
import { BrokerProcess, pause } from './broker-process.ts';
import { SmallDisk } from './small-disk.ts';

const MIB = 1024 * 1024;
const diskBytes = 48 * MIB;
const batchBytes = 256 * 1024;
const storageError = 56;
const coordinatorNotAvailable = 15;

/** A server on a small disk, with a client. */
class FullDisk {
  readonly disk: SmallDisk;
  readonly server: BrokerProcess;
  readonly client: WireClient;
  /** Base offsets of the batches that were acknowledged, for each partition. */
  readonly acked: number[] = [];

  static async start(t: TestContext, flags: readonly string[]): Promise<FullDisk | undefined> {
    const disk = SmallDisk.mount(diskBytes);
    if (disk === undefined) {
      t.skip('this process may not mount a small file system');
      return undefined;
    }
    const opened: Array<{ kill(): Promise<void> } | WireClient> = [];
    // In this order: what is in use cannot be unmounted.
    t.after(async () => {
      for (const one of opened) await ('kill' in one ? one.kill() : one.close());
      disk.unmount();
    });
    // Files large enough that none is moved: a move's copy takes room for a while and gives it back.
    const server = await BrokerProcess.start({
      dataPath: disk.join('data'),
      flags: ['--journal-file-bytes', '6MiB', '--cache', '1MiB', ...flags],
    });
    opened.push(server);
    const client = await WireClient.connect(server.kafkaPort);
    opened.push(client);
    const { topics } = await client.ask('CreateTopics', 5, {
      topics: ['filling', 'other'].map((name) => ({
        name,
        numPartitions: 1,
        replicationFactor: -1,
        assignments: [],
        configs: [],
      })),
    });
    assert.deepEqual(
      topics.map(({ errorCode }) => errorCode),
      [0, 0],
    );
    return new FullDisk(disk, server, client);
  }

  private constructor(disk: SmallDisk, server: BrokerProcess, client: WireClient) {
    this.disk = disk;
    this.server = server;
    this.client = client;
  }

  /** The error code of one more batch. */
  async produce(topic = 'filling'): Promise<number> {
    const builder = new RecordBatchBuilder();
    const value = Buffer.alloc(batchBytes, 'v');
    builder.add({ key: null, value, headers: [], timestampMs: Date.now() });
    const { responses } = await this.client.ask('Produce', 9, {
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ name: topic, partitionData: [{ index: 0, records: builder.build() }] }],
    });
    const result = responses[0]?.partitionResponses[0];
    assert.ok(result !== undefined);
    if (result.errorCode === 0 && topic === 'filling') this.acked.push(result.baseOffset);
    return result.errorCode;
  }

  /** Produces, eight batches at once, until one is refused; returns with what. */
  async fill(): Promise<number> {
    for (;;) {
      const codes = await Promise.all(Array.from({ length: 8 }, () => this.produce()));
      const refused = codes.find((code) => code !== 0);
      if (refused !== undefined) return refused;
      assert.ok(this.acked.length * batchBytes < 2 * diskBytes, 'the disk is never full');
    }
  }

  async produceUntilAccepted(): Promise<void> {
    const deadlineMs = Date.now() + patienceMs;
    for (;;) {
      const code = await this.produce('other');
      if (code === 0) return;
      assert.equal(code, storageError);
      if (Date.now() > deadlineMs) {
        assert.fail(`still refused:\n${this.server.output.slice(-4000)}`);
      }
      await pause(50);
    }
  }

  /** Reads every batch that was acknowledged. */
  async checkReadable(): Promise<void> {
    for (const offset of this.acked) {
      const { responses } = await this.client.ask('Fetch', 11, {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1,
        sessionEpoch: -1,
        topics: [
          {
            topic: 'filling',
            partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1 }],
          },
        ],
        forgottenTopicsData: [],
      });
      const found = responses[0]?.partitions[0];
      assert.equal(found?.errorCode, 0, `reading offset ${offset}`);
      const records = found.records ?? new Uint8Array(0);
      assert.ok(records.length > batchBytes, `offset ${offset} is there`);
      assert.equal(batchTotalBytes(records, 0), records.length);
    }
  }

  async commit(offset: number): Promise<number> {
    const { topics } = await this.client.ask('OffsetCommit', 8, {
      groupId: 'g',
      topics: [
        {
          name: 'filling',
          partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }],
        },
      ],
    });
    return topics[0]?.partitions[0]?.errorCode ?? -1;
  }

  async committed(): Promise<number> {
    const { topics } = await this.client.ask('OffsetFetch', 7, {
      groupId: 'g',
      topics: [{ name: 'filling', partitionIndexes: [0] }],
    });
    return topics[0]?.partitions[0]?.committedOffset ?? -1;
  }

  async deleteBefore(offset: number): Promise<number> {
    const { topics } = await this.client.ask('DeleteRecords', 2, {
      topics: [{ name: 'filling', partitions: [{ partitionIndex: 0, offset }] }],
      timeoutMs: 10_000,
    });
    return topics[0]?.partitions[0]?.errorCode ?? -1;
  }

  async deleteTopic(name: string): Promise<number> {
    const { responses } = await this.client.ask('DeleteTopics', 5, {
      topicNames: [name],
      timeoutMs: 10_000,
    });
    return responses[0]?.errorCode ?? -1;
  }

  async health(): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.server.adminPort}/health/ready`);
    return { status: response.status, text: await response.text() };
  }
}

describe('a full disk', () => {
  test('refuses records while commits and deletes still work, until there is room again', async (t) => {
    const full = await FullDisk.start(t, ['--free-bytes-min', '8MiB']);
    if (full === undefined) return;
    assert.equal(await full.fill(), storageError);
    const free = statfsSync(full.disk.path);
    assert.ok(free.bavail * free.bsize > 4 * MIB, 'room was left');
    assert.ok(!full.server.output.includes('ENOSPC'), 'it never came to the end of the disk');
    assert.equal((await full.health()).status, 503);
    await full.checkReadable();

    for (let offset = 1; offset <= 100; offset++) assert.equal(await full.commit(offset), 0);
    assert.equal(await full.committed(), 100);
    assert.equal(await full.produce('other'), storageError);

    const keptFrom = Math.floor(full.acked.length * 0.75);
    assert.equal(await full.deleteBefore(full.acked[keptFrom] ?? 0), 0);
    full.acked.splice(0, keptFrom);
    await full.produceUntilAccepted();
    await full.checkReadable();
    assert.equal((await full.health()).status, 200);

    assert.equal(await full.fill(), storageError);
    assert.equal(await full.deleteTopic('filling'), 0);
    await full.produceUntilAccepted();
    assert.equal((await full.server.terminate()).code, 0);
  });

  test('to its last byte: what was acknowledged stays, and work goes on when there is room', async (t) => {
    const full = await FullDisk.start(t, ['--free-bytes-min', '0']);
    if (full === undefined) return;
    const ballast = full.disk.join('ballast');
    writeFileSync(ballast, Buffer.alloc(24 * MIB));
    assert.equal(await full.fill(), storageError);
    await full.server.printed(/ENOSPC/);
    // Several attempts to recover fail meanwhile. What the failed write took is given back, so a few more may fit.
    const endMs = Date.now() + 4000;
    let code = 0;
    while (Date.now() < endMs || code === 0) {
      code = await full.produce();
      assert.ok([0, storageError].includes(code), `produce: ${code}`);
      assert.ok([0, coordinatorNotAvailable].includes(await full.commit(1)));
      await pause(20);
    }
    await full.checkReadable();

    rmSync(ballast);
    await full.produceUntilAccepted();
    assert.equal(await full.commit(2), 0);
    await full.checkReadable();
    assert.equal(await full.fill(), storageError);
    assert.equal((await full.server.terminate()).code, 0);
  });
});
