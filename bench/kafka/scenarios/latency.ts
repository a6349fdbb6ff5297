import { mkdirSync } from 'node:fs';
import type { BenchOptions } from '../../main.ts';
import { measureRawDisk } from '../../raw-disk.ts';
import { createTopic, produceOneInFlight } from '../generator.ts';
import { type Scenario, withServer } from '../scenario.ts';
import { kafka, kafkaFlushing, pabal, type Subject } from '../server.ts';

const topic = 'latency';
const recordBytes = 1024;
/** A record of 1 KiB with its batch and chunk headers, padded to sectors. */
const chunkBytes = 1536;

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  const count = options.isQuick ? 1000 : 10_000;
  for (const by of ['socket', 'client'] as const) {
    const scenario = `one produce in flight, 1 KiB, by ${by === 'socket' ? 'a blocking socket' : 'the Java client'}`;
    await withServer(subject, directory, async (server) => {
      await createTopic(server, `${topic}-${by}`, 1);
      const result = await produceOneInFlight(server, by, `${topic}-${by}`, {
        recordBytes,
        warmUpCount: count,
        count,
      });
      options.report.add({
        scenario,
        subject: subject.name,
        round,
        metrics: { 'p50 ms': result.p50Ms, 'p99 ms': result.p99Ms },
      });
    });
    if (subject !== pabal) continue;
    mkdirSync(directory, { recursive: true });
    const raw = measureRawDisk(directory, chunkBytes, chunkBytes * count);
    options.report.add({
      scenario,
      subject: 'one write + fdatasync',
      round,
      metrics: { 'p50 ms': raw.p50Ms, 'p99 ms': raw.p99Ms },
    });
  }
}

export const latency: Scenario = {
  name: 'latency',
  rounds: 5,
  subjects: [pabal, kafka, kafkaFlushing],
  run,
};
