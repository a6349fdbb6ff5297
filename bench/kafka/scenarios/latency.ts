import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { BenchOptions } from '../../main.ts';
import { readUsage } from '../../process-usage.ts';
import { measureRawDisk } from '../../raw-disk.ts';
import { createTopic, produceOneInFlight } from '../generator.ts';
import { type Scenario, withServer } from '../../scenario.ts';
import { kafka, kafkaFlushing, pabal, type Subject } from '../server.ts';

const topic = 'latency';
const recordBytes = 1024;
/** A record of 1 KiB with its batch and chunk headers, padded to sectors. */
const chunkBytes = 1536;

/** The floor below any broker in Node; see bare-server.ts. */
async function measureBareServer(
  directory: string,
  count: number,
): Promise<Record<string, number>> {
  const main = path.join(import.meta.dirname, '../bare-server.ts');
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', main, path.join(directory, 'bare'), topic],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const [line] = await once(child.stdout, 'data');
    const port = Number(String(line));
    const result = await produceOneInFlight(
      { host: '127.0.0.1', port, usage: () => readUsage(child.pid!) },
      'socket',
      topic,
      { recordBytes, warmUpCount: count, count },
    );
    return { 'p50 ms': result.p50Ms, 'p99 ms': result.p99Ms };
  } finally {
    child.kill('SIGKILL');
  }
}

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
    if (by === 'socket') {
      const bare = await measureBareServer(directory, count);
      options.report.add({ scenario, subject: 'bare Node server', round, metrics: bare });
    }
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
