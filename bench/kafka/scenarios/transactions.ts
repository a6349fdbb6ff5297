import type { BenchOptions } from '../../main.ts';
import { createTopic, produceInTransactions } from '../generator.ts';
import { type Scenario, withServer } from '../../scenario.ts';
import { kafka, pabal, type Subject } from '../server.ts';

const partitions = 6;
const recordsPerTransaction = 100;
const recordBytes = 1024;

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  await withServer(subject, directory, async (server) => {
    for (const producers of [1, 8]) {
      const topic = `transactions-${producers}`;
      await createTopic(server, topic, partitions);
      const result = await produceInTransactions(server, topic, {
        producers,
        recordsPerTransaction,
        recordBytes,
        warmUpSeconds: options.isQuick ? 3 : 8,
        seconds: options.isQuick ? 4 : 15,
      });
      options.report.add({
        scenario: `100 records of 1 KiB per transaction, ${producers} producer${producers === 1 ? '' : 's'}`,
        subject: subject.name,
        round,
        metrics: {
          'records/s': result.records / result.seconds,
          'p50 ms': result.p50Ms,
          'p99 ms': result.p99Ms,
          'CPU s/s': result.cpuSeconds / result.seconds,
          'RSS MiB': result.residentMib,
        },
      });
    }
  });
}

export const transactions: Scenario = {
  name: 'transactions',
  rounds: 3,
  subjects: [pabal, kafka],
  run,
};
