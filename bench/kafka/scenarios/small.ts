import type { BenchOptions } from '../../main.ts';
import { createTopic, produceFromMany } from '../generator.ts';
import { type Scenario, withServer } from '../../scenario.ts';
import { kafka, pabal, type Subject } from '../server.ts';

const topic = 'small';
const partitions = 12;
const producers = 16;
const recordBytes = 100;

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  await withServer(subject, directory, async (server) => {
    await createTopic(server, topic, partitions);
    const result = await produceFromMany(server, topic, {
      producers,
      recordBytes,
      warmUpSeconds: options.isQuick ? 3 : 8,
      seconds: options.isQuick ? 3 : 15,
    });
    if (result.failed > 0) throw new Error(`${result.failed} records failed`);
    options.report.add({
      scenario: '100-byte records, linger 0, 16 producers',
      subject: subject.name,
      round,
      metrics: {
        'records/s': result.records / result.seconds,
        'records/CPU s': result.records / result.cpuSeconds,
        'CPU s/s': result.cpuSeconds / result.seconds,
        'RSS MiB': result.residentMib,
      },
    });
  });
}

export const small: Scenario = { name: 'small', rounds: 5, subjects: [pabal, kafka], run };
