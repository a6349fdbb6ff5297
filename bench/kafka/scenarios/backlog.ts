import type { BenchOptions } from '../../main.ts';
import { consume, createTopic, produce } from '../generator.ts';
import { requireSpace, type Scenario, withServer } from '../scenario.ts';
import { kafka, pabal, type Server, type Subject } from '../server.ts';

const topic = 'backlog';
const partitions = 12;
const recordBytes = 10_240;
const sampleMs = 500;

/** Resident memory over the time that `work` takes: at a quarter, half, three quarters, the end, and at most. */
async function sampleMemory(
  server: Server,
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(server.usage().residentMib), sampleMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  samples.push(server.usage().residentMib);
  const at = (fraction: number) => samples[Math.floor((samples.length - 1) * fraction)]!;
  return {
    'RSS MiB at 25 %': at(0.25),
    '50 %': at(0.5),
    '75 %': at(0.75),
    '100 %': at(1),
    most: Math.max(...samples),
  };
}

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
