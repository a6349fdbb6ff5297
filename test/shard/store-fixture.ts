import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker, type BrokerOptions } from '../../src/broker/index.ts';
import type { TestContext } from 'node:test';

/** A data directory of a test's own, on the real disk. */
export async function createDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pabal-store-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A broker with small files; its warnings go to `warnings`. */
export function openBroker(
  data: string,
  warnings: string[] = [],
  options: BrokerOptions = {},
): Promise<Broker> {
  const note = (message: string): void => void warnings.push(message);
  return Broker.open({
    data,
    log: { info: () => undefined, warn: note, error: note },
    tuning: {
      journalFileBytes: 16 * 1024,
      tailCacheBytes: 4096,
      compactionBytesPerSecond: 1e9,
      freeBytesMin: 0,
    },
    ...options,
  });
}

/** Sends `count` records of about 300 bytes, one batch each, numbered from `from`. */
export async function fill(broker: Broker, topic: string, count: number, from = 0): Promise<void> {
  // Their time is long ago.
  if (broker.findTopic(topic) === undefined)
    await broker.createTopic(topic, { options: { retentionMs: -1 } });
  for (let number = from; number < from + count; number++) {
    await broker.send(topic, {
      key: `${number}`,
      value: 'v'.repeat(200),
      timestampMs: 1000 + number,
    });
  }
}

/** The keys of all records of a partition. */
export async function readKeys(broker: Broker, topic: string, partition = 0): Promise<number[]> {
  const log = broker.findTopic(topic)?.partitions[partition];
  const keys: number[] = [];
  let offset = log?.logStartOffset ?? 0;
  while (offset < (log?.highWatermark ?? 0)) {
    const records = await broker.read(topic, partition, offset, 20_000);
    for (const record of records) keys.push(Number(record.key));
    offset = (records.at(-1)?.offset ?? offset) + 1;
  }
  return keys;
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

/** Files of the only shard whose names end so, with their paths, in order. */
export async function findFiles(data: string, suffix: string): Promise<string[]> {
  const part = suffix === '.journal' ? 'journal' : 'segments';
  const directory = join(data, 'shard-0', part);
  const names = (await readdir(directory)).filter((name) => name.endsWith(suffix));
  return names.toSorted().map((name) => join(directory, name));
}

export async function flipByte(path: string, position: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[position] = (bytes[position] ?? 0) ^ 0x10;
  await writeFile(path, bytes);
}
