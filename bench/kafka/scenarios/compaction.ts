import type { BenchOptions } from '../../main.ts';
import { createTopic, produceOneInFlight, runCompaction } from '../generator.ts';
import { type Scenario, withServer } from '../../scenario.ts';
import { kafkaCleaningSoon, pabal, type Subject } from '../server.ts';
import { sleep } from '../../server-process.ts';

const topic = 'compaction';
const besideTopic = 'compaction-beside';
const valueBytes = 100;
const generatorStartMs = 2000;

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  const records = options.isQuick ? 2_000_000 : 10_000_000;
  const load = { records, keys: records / 10, valueBytes };
  const scenario = `compaction of ${records / 1e6} million records with ${records / 1e7} million keys`;
  await withServer(subject, directory, async (server) => {
    for (const name of [`${topic}-1`, `${topic}-2`, besideTopic])
      await createTopic(server, name, 1);
    await runCompaction(server, 'fill', `${topic}-1`, load);
    const alone = await runCompaction(server, 'compact', `${topic}-1`, load);
    options.report.add({
      scenario,
      subject: subject.name,
      round,
      metrics: {
        seconds: alone.seconds,
        'CPU s': alone.cpuSeconds,
        'MB before': alone.mbBefore,
        'MB after': alone.mbAfter,
        'RSS MiB': alone.residentMib,
      },
    });
    await runCompaction(server, 'fill', `${topic}-2`, load);
    const one = { recordBytes: 1024, warmUpCount: 2000, count: options.isQuick ? 3000 : 10_000 };
    const without = await produceOneInFlight(server, 'socket', besideTopic, one);
    const compacting = runCompaction(server, 'compact', `${topic}-2`, load);
    // A generator that starts takes a core for itself, which is not what is measured.
    await sleep(generatorStartMs);
    const beside = await produceOneInFlight(server, 'socket', besideTopic, one);
    const busy = await compacting;
    options.report.add({
      scenario: `${scenario}, one produce in flight beside it`,
      subject: subject.name,
      round,
      metrics: {
        seconds: busy.seconds,
        'p50 ms without': without.p50Ms,
        'p50 ms beside': beside.p50Ms,
        'p99 ms without': without.p99Ms,
        'p99 ms beside': beside.p99Ms,
      },
    });
  });
}

export const compaction: Scenario = {
  name: 'compaction',
  rounds: 3,
  subjects: [pabal, kafkaCleaningSoon],
  run,
};
