import type { BenchOptions } from '../../main.ts';
import { type Scenario, withServer } from '../../scenario.ts';
import { sleep } from '../../server-process.ts';
import { createTopic, produceOneInFlight, startPolling } from '../generator.ts';
import { kafka, pabal, type Subject } from '../server.ts';

const connections = 1000;
/** What consumers ask for unless they are told otherwise: `fetch.max.wait.ms`. */
const maxWaitMs = 500;
const recordBytes = 1024;
const settleMs = 5000;

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  const count = options.isQuick ? 500 : 5000;
  await withServer(subject, directory, async (server) => {
    await createTopic(server, 'empty', 1);
    await createTopic(server, 'beside', 1);
    const load = { recordBytes, warmUpCount: count, count };
    const alone = await produceOneInFlight(server, 'socket', 'beside', load);
    await sleep(settleMs);
    const before = server.usage();
    const polls = await startPolling(server, 'empty', { connections, maxWaitMs });
    try {
      await sleep(settleMs);
      const after = server.usage();
      const beside = await produceOneInFlight(server, 'socket', 'beside', load);
      options.report.add({
        scenario: `${connections} connections that poll`,
        subject: subject.name,
        round,
        metrics: {
          'KiB each': ((after.residentMib - before.residentMib) * 1024) / connections,
          'p50 ms alone': alone.p50Ms,
          'p50 ms beside': beside.p50Ms,
          'p99 ms alone': alone.p99Ms,
          'p99 ms beside': beside.p99Ms,
          'p99 beside / alone': beside.p99Ms / alone.p99Ms,
        },
      });
    } finally {
      polls.stop();
    }
  });
}

export const polling: Scenario = {
  name: 'polling',
  rounds: 3,
  subjects: [pabal, kafka],
  run,
};
