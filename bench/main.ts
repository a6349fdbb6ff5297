/**
 * Side-by-side benchmarks: everything that is compared is measured in one run, in turn.
 *
 *   npm run bench                    lists them
 *   npm run bench -- NAME [--json FILE] [--rounds N] [--quick] [--only SCENARIO,SCENARIO] [--dir DIR]
 *     [--subjects SUBJECT;SUBJECT] [--size-gb N]
 */
import { parseArgs } from 'node:util';
import { describeMachine, printReport, Report } from './report.ts';

/** What a benchmark is told. */
export interface BenchOptions {
  report: Report;
  rounds: number | undefined;
  /** Smaller sizes: to see that it runs, not to quote. */
  isQuick: boolean;
  /** Scenarios to run; empty: all. */
  only: readonly string[];
  /** Subjects to run; empty: all. */
  subjects: readonly string[];
  /** Where files are written; its disk is the one that is measured. */
  directory: string;
  /** Gigabytes of the scenarios that fill the disk; undefined: each one's default. */
  sizeGb: number | undefined;
}

const benches: Readonly<
  Record<string, { summary: string; load: () => Promise<(options: BenchOptions) => Promise<void>> }>
> = {
  disk: {
    summary: 'ways of calling the disk: thread or pool, fdatasync or O_DSYNC, file layouts',
    load: async () => (await import('./disk/bench.ts')).benchDisk,
  },
  kafka: {
    summary: "Pabal and Apache Kafka, both driven by Kafka's own performance tools",
    load: async () => (await import('./kafka/bench.ts')).benchKafka,
  },
  rabbitmq: {
    summary: 'Pabal and RabbitMQ, both driven by one load generator in Go',
    load: async () => (await import('./rabbitmq/bench.ts')).benchRabbitmq,
  },
  sqs: {
    summary: 'Pabal, ElasticMQ and moto, all driven by one load generator in Go',
    load: async () => (await import('./sqs/bench.ts')).benchSqs,
  },
};

function printList(): void {
  console.log('npm run bench -- NAME [--json FILE] [--rounds N] [--quick] [--only SCENARIO,...]');
  console.log('                      [--dir DIR] [--size-gb N] [--subjects SUBJECT;...]\n');
  for (const [name, bench] of Object.entries(benches)) {
    console.log(`  ${name.padEnd(8)} ${bench.summary}`);
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      subjects: { type: 'string' },
      dir: { type: 'string', default: '.cache/bench' },
      'size-gb': { type: 'string' },
    },
  });
  const name = positionals[0];
  if (name === undefined) return printList();
  const bench = benches[name];
  if (bench === undefined) {
    console.error(`there is no benchmark named ${name}`);
    printList();
    process.exitCode = 1;
    return;
  }
  const machine = describeMachine();
  console.log(
    Object.entries(machine)
      .map(([key, value]) => `${key} ${value}`)
      .join(' · '),
  );
  const report = new Report();
  const run = await bench.load();
  try {
    await run({
      report,
      rounds: values.rounds === undefined ? undefined : Number(values.rounds),
      isQuick: values.quick,
      only: values.only?.split(',') ?? [],
      subjects: values.subjects?.split(';') ?? [],
      directory: values.dir,
      sizeGb: values['size-gb'] === undefined ? undefined : Number(values['size-gb']),
    });
  } finally {
    // What was measured before a failure is worth keeping.
    printReport(report);
    if (values.json !== undefined) report.writeJson(values.json, name);
  }
}

await main();
