import type { BenchOptions } from '../../main.ts';
import { sampleMemory } from '../../memory-samples.ts';
import { consume, createTopic, produce } from '../generator.ts';
import { requireSpace, type Scenario, withServer } from '../../scenario.ts';
import { kafka, pabal, type Subject } from '../server.ts';

const topic = 'backlog';
const partitions = 12;
const recordBytes = 10_240;

async function run(
  subject: Subject,
  directory: string,
  round: number,
  options: BenchOptions,
): Promise<void> {
  const gigabytes = options.sizeGb ?? (options.isQuick ? 0.5 : 6);
  requireSpace(options.directory, gigabytes);
  const records = Math.round((gigabytes * 1e9) / recordBytes);
  await withServer(subject, directory, async (server) => {
    await createTopic(server, topic, partitions);
    const load = { topic, records, recordBytes, settings: ['batch.size=262144'] };
    const writing = await sampleMemory(server, () => produce(server, directory, load));
    const reading = await sampleMemory(server, () => consume(server, topic, records));
    for (const [phase, metrics] of Object.entries({ written: writing, read: reading })) {
      options.report.add({
        scenario: `memory while ${gigabytes} GB are ${phase}`,
        subject: subject.name,
        round,
        metrics,
      });
    }
  });
}

export const backlog: Scenario = { name: 'backlog', rounds: 1, subjects: [pabal, kafka], run };
