import type { BenchOptions } from '../../main.ts';
import { tryDropPageCache } from '../../page-cache.ts';
import { createTopic, produce, startProducing } from '../generator.ts';
import { requireSpace, type Scenario, withServer } from '../../scenario.ts';
import { sleep } from '../../server-process.ts';
import { kafka, pabal, type Subject } from '../server.ts';

const idleMs = 5000;

async function runStart(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  await withServer(subject, directory, async (server) => {
    const before = server.usage();
    await sleep(idleMs);
    const after = server.usage();
    options.report.add({
      scenario: 'start on an empty directory',
      subject: subject.name,
      round,
      metrics: {
        'ready ms': server.readyMs,
        'RSS MiB': after.residentMib,
        'idle CPU %': ((after.cpuSeconds - before.cpuSeconds) / (idleMs / 1000)) * 100,
      },
    });
  });
}

const recordBytes = 10_240;
const partitions = 12;

/** Killed while it is being written to, started again with a cold page cache. */
async function runRecovery(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  const gigabytes = options.sizeGb ?? (options.isQuick ? 0.5 : 10);
  requireSpace(options.directory, gigabytes);
  const server = await subject.start(directory);
  try {
    await createTopic(server, 'stored', partitions);
    const records = Math.round((gigabytes * 1e9) / recordBytes);
    const load = { topic: 'stored', records, recordBytes, settings: ['batch.size=262144'] };
    await produce(server, directory, load);
    // More is on its way when the server is killed, so that its last writes are torn off.
    const tail = startProducing(server, directory, load);
    await sleep(options.isQuick ? 2000 : 4000);
    await server.kill();
    tail.stop();
  } catch (error) {
    await server.kill();
    throw error;
  }
  if (!tryDropPageCache()) options.report.note('recovery: the page cache could not be dropped');
  await withServer(subject, directory, async (recovered) => {
    options.report.add({
      scenario: `ready after SIGKILL with ${gigabytes} GB stored`,
      subject: subject.name,
      round,
      metrics: { 'ready ms': recovered.readyMs, 'RSS MiB': recovered.usage().residentMib },
    });
  });
}

export const start: Scenario = {
  name: 'start',
  rounds: 7,
  subjects: [pabal, kafka],
  run: runStart,
};
export const recover: Scenario = {
  name: 'recover',
  rounds: 3,
  subjects: [pabal, kafka],
  run: runRecovery,
};
