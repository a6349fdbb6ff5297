import type { BenchOptions } from '../../main.ts';
import { createTopic } from '../generator.ts';
import { type Scenario, withServer } from '../../scenario.ts';
import { sleep } from '../../server-process.ts';
import { kafka, pabal, type Subject } from '../server.ts';

const topicCount = 10;
const settleMs = 15_000;
const idleMs = 20_000;

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  const partitions = options.isQuick ? 1000 : 10_000;
  await withServer(subject, directory, async (server) => {
    await sleep(settleMs);
    const empty = server.usage();
    for (let index = 0; index < topicCount; index++) {
      await createTopic(server, `many-${index}`, partitions / topicCount);
    }
    await sleep(settleMs);
    const before = server.usage();
    await sleep(idleMs);
    const after = server.usage();
    options.report.add({
      scenario: `${partitions} partitions, idle`,
      subject: subject.name,
      round,
      metrics: {
        'RSS MiB before': empty.residentMib,
        'RSS MiB': after.residentMib,
        'more MiB': after.residentMib - empty.residentMib,
        'idle CPU %': ((after.cpuSeconds - before.cpuSeconds) / (idleMs / 1000)) * 100,
      },
    });
  });
}

export const partitions: Scenario = {
  name: 'partitions',
  rounds: 3,
  subjects: [pabal, kafka],
  run,
};
