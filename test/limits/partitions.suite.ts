import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { BrokerProcess, pause } from '../crash/broker-process.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';

const MIB = 1024 * 1024;
const topicCount = 100;
const partitionCount = 100;
const idleMs = 10_000;

test('10,000 idle partitions cost less than 150 MiB and no measurable processor time', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-partitions-'));
  const server = await BrokerProcess.start({ dataPath: path.join(directory, 'data') });
  t.after(async () => {
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  const before = server.residentBytes();
  if (before === 0) return t.skip('the system does not tell the memory in use');
  const client = await WireClient.connect(server.kafkaPort);
  const { topics } = await client.ask('CreateTopics', 5, {
    topics: Array.from({ length: topicCount }, (_, index) => ({
      name: `topic-${index}`,
      numPartitions: partitionCount,
      replicationFactor: -1,
      assignments: [],
      configs: [],
    })),
  });
  assert.ok(topics.every(({ errorCode }) => errorCode === 0));
  client.close();
  await pause(2000);
  const startMs = server.processorMs();
  await pause(idleMs);
  const share = (server.processorMs() - startMs) / idleMs;
  const moreBytes = server.residentBytes() - before;
  t.diagnostic(
    `${Math.round(moreBytes / MIB)} MiB more, ${(share * 100).toFixed(1)} % of a processor`,
  );
  assert.ok(moreBytes < 150 * MIB, `${moreBytes} bytes more`);
  assert.ok(share < 0.02, `${share} of a processor`);
});
