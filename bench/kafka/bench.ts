import { mkdirSync } from 'node:fs';
import type { BenchOptions } from '../main.ts';
import { formatTable, type Report } from '../report.ts';
import { findKafkaVersion, installGenerators } from './distribution.ts';
import { runScenario, type Scenario } from './scenario.ts';
import { backlog } from './scenarios/backlog.ts';
import { latency } from './scenarios/latency.ts';
import { partitions } from './scenarios/partitions.ts';
import { small } from './scenarios/small.ts';
import { recover, start } from './scenarios/start.ts';
import { stream } from './scenarios/stream.ts';

const scenarios: readonly Scenario[] = [
  stream,
  small,
  latency,
  start,
  recover,
  partitions,
  backlog,
];

export async function benchKafka(options: BenchOptions): Promise<void> {
  const names = scenarios.map((scenario) => scenario.name);
  const unknown = options.only.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new Error(`no scenario ${unknown.join()}; there are ${names.join()}`);
  installGenerators();
  mkdirSync(options.directory, { recursive: true });
  options.report.note(`Apache Kafka ${findKafkaVersion()}`);
  for (const scenario of scenarios) {
    if (options.only.length > 0 && !options.only.includes(scenario.name)) continue;
    try {
      await runScenario(scenario, options);
    } catch (error) {
      // One that fails must not cost the figures of the others.
      const reason = error instanceof Error ? error.message : String(error);
      options.report.note(`${scenario.name} failed: ${reason}`);
      process.exitCode = 1;
    }
  }
  printRatios(options.report);
}

/** Pabal against each other subject, metric by metric, of the medians. */
function printRatios(report: Report): void {
  const rows: string[][] = [];
  for (const scenario of report.scenarios()) {
    for (const subject of report.subjects(scenario)) {
      if (subject === 'pabal') continue;
      for (const metric of report.metrics(scenario)) {
        const ours = report.median(scenario, 'pabal', metric);
        const ratio = ours / report.median(scenario, subject, metric);
        if (Number.isFinite(ratio)) rows.push([scenario, subject, metric, `${ratio.toFixed(2)} x`]);
      }
    }
  }
  if (rows.length === 0) return;
  console.log('\nratios of medians, pabal to the other');
  console.log(formatTable(['', 'to', 'of', 'ratio'], rows));
}
