import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { batchTotalBytes, RecordBatchBuilder } from '../../src/bytes/index.ts';
import { BrokerProcess } from '../crash/broker-process.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';

const MIB = 1024 * 1024;
/** `npm run soak -- backlog` writes more. */
const backlogBytes = Number(process.env.BACKLOG_MB ?? 300) * MIB;
const batchBytes = 256 * 1024;
const inFlightMax = 8;
/** Of a process that has just started, its cache, and the buffers of a few requests before they are collected. */
const residentBytesMax = 240 * MIB;
const topic = 'backlog';

test(`memory stays flat while ${backlogBytes / MIB} MiB are written and read`, async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-backlog-'));
  const server = await BrokerProcess.start({
    dataPath: path.join(directory, 'data'),
    flags: ['--cache', '16MiB', '--sync', 'os', '--journal-file-bytes', '32MiB'],
    nodeFlags: ['--max-old-space-size=64'],
  });
  t.after(async () => {
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  if (server.peakResidentBytes() === 0) return t.skip('the system does not tell the memory in use');
  const client = await WireClient.connect(server.kafkaPort);
  t.after(() => client.close());
  const startBytes = server.residentBytes();

  const batches = await write(client);
  const writtenBytes = server.peakResidentBytes();
  assert.equal(await read(client), batches);
  const readBytes = server.peakResidentBytes();
  t.diagnostic(
    [startBytes, writtenBytes, readBytes]
      .map((bytes) => `${Math.round(bytes / MIB)} MiB`)
      .join(', '),
  );
  assert.ok(readBytes < residentBytesMax, `${Math.round(readBytes / MIB)} MiB were in use`);
});

async function write(client: WireClient): Promise<number> {
  await client.ask('Metadata', 9, { topics: [{ name: topic }], allowAutoTopicCreation: true });
  const value = Buffer.alloc(batchBytes, 'v');
  const builder = new RecordBatchBuilder();
  builder.add({ key: null, value, headers: [], timestampMs: Date.now() });
  const records = builder.build();
  const underWay = new Set<Promise<void>>();
  let count = 0;
  for (let sent = 0; sent < backlogBytes; sent += batchBytes) {
    const sending = client
      .ask('Produce', 9, {
        acks: -1,
        timeoutMs: 10_000,
        topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
      })
      .then(({ responses }) => {
        assert.equal(responses[0]?.partitionResponses[0]?.errorCode, 0);
        underWay.delete(sending);
      });
    underWay.add(sending);
    count++;
    if (underWay.size >= inFlightMax) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  return count;
}

/** Reads from the beginning to the end; returns the number of batches. */
async function read(client: WireClient): Promise<number> {
  let count = 0;
  for (;;) {
    const { responses } = await client.ask('Fetch', 11, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 8 * MIB,
      sessionEpoch: -1,
      topics: [
        { topic, partitions: [{ partition: 0, fetchOffset: count, partitionMaxBytes: 8 * MIB }] },
      ],
      forgottenTopicsData: [],
    });
    const found = responses[0]?.partitions[0];
    assert.equal(found?.errorCode, 0);
    const bytes = found.records ?? new Uint8Array(0);
    if (bytes.length === 0) return count;
    for (let at = 0; at < bytes.length; at += batchTotalBytes(bytes, at)) count++;
  }
}
