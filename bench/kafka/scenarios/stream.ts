import { mkdirSync } from 'node:fs';
import { tryDropPageCache } from '../../page-cache.ts';
import { measureRawDisk } from '../../raw-disk.ts';
import type { BenchOptions } from '../../main.ts';
import { consume, createTopic, produce, type ProduceResult } from '../generator.ts';
import { type Scenario, withServer } from '../../scenario.ts';
import { kafka, kafkaFlushing, pabal, type Server, type Subject } from '../server.ts';

const topic = 'stream';
const partitions = 12;
const recordBytes = 1024;

function toMetrics(result: ProduceResult, records: number): Record<string, number> {
  return {
    'records/s': result.recordsPerSecond,
    'MB/s': result.mbPerSecond,
    'p50 ms': result.p50Ms,
    'p99 ms': result.p99Ms,
    'records/CPU s': records / result.cpuSeconds,
    'RSS MiB': result.residentMib,
  };
}

/** How many group commits there were and how many bytes they had, by /metrics. */
async function findCommits(server: Server): Promise<{ count: number; bytes: number } | undefined> {
  const text = await server.findMetrics();
  if (text === undefined) return undefined;
  const find = (name: string) =>
    Number(
      new RegExp(`^pabal_commit_bytes_${name} ([\\d.e+]+)`, 'm').exec(text)?.[1] ?? Number.NaN,
    );
  return { count: find('count'), bytes: find('sum') };
}

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  const { report } = options;
  const isFlushing = subject === kafkaFlushing;
  const records = Math.round((options.isQuick ? 100_000 : 1_500_000) / (isFlushing ? 5 : 1));
  const name = subject.name;
  let chunkBytes = 0;
  await withServer(subject, directory, async (server) => {
    await createTopic(server, 'warm-up', partitions);
    await produce(server, directory, { topic: 'warm-up', records: records / 10, recordBytes });
    await createTopic(server, topic, partitions);
    const before = await findCommits(server);
    const produced = await produce(server, directory, { topic, records, recordBytes });
    const after = await findCommits(server);
    const metrics = toMetrics(produced, records);
    if (before !== undefined && after !== undefined) {
      chunkBytes = (after.bytes - before.bytes) / (after.count - before.count);
      metrics['chunk KiB'] = chunkBytes / 1024;
    }
    report.add({ scenario: 'produce, 1 KiB, acks=all', subject: name, round, metrics });
    if (isFlushing) return;
    const warm = await consume(server, topic, records);
    report.add({
      scenario: 'consume, warm',
      subject: name,
      round,
      metrics: {
        'records/s': warm.recordsPerSecond,
        'MB/s': warm.mbPerSecond,
        'records/CPU s': records / warm.cpuSeconds,
        'RSS MiB': warm.residentMib,
      },
    });
  });
  if (isFlushing) return;
  if (chunkBytes > 0) reportRawDisk(directory, chunkBytes, records, round, options);
  await withServer(subject, directory, async (server) => {
    const isDropped = tryDropPageCache();
    if (!isDropped)
      report.note('cold: the page cache could not be dropped; only the broker is cold');
    const cold = await consume(server, topic, records);
    report.add({
      scenario: 'consume, cold (broker restarted, page cache dropped)',
      subject: name,
      round,
      metrics: {
        'records/s': cold.recordsPerSecond,
        'MB/s': cold.mbPerSecond,
        'records/CPU s': records / cold.cpuSeconds,
        'RSS MiB': cold.residentMib,
      },
    });
  });
}

function reportRawDisk(
  directory: string,
  chunkBytes: number,
  records: number,
  round: number,
  options: BenchOptions,
): void {
  mkdirSync(directory, { recursive: true });
  const raw = measureRawDisk(directory, Math.round(chunkBytes), records * recordBytes);
  options.report.add({
    scenario: 'produce, 1 KiB, acks=all',
    subject: 'raw write + fdatasync',
    round,
    metrics: {
      'MB/s': raw.mbPerSecond,
      'p50 ms': raw.p50Ms,
      'p99 ms': raw.p99Ms,
      'chunk KiB': chunkBytes / 1024,
    },
  });
}

export const stream: Scenario = {
  name: 'stream',
  rounds: 5,
  subjects: [pabal, kafka, kafkaFlushing],
  run,
};
