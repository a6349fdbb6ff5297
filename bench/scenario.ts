import { existsSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import path from 'node:path';
import type { BenchOptions } from './main.ts';
import { writeBack } from './page-cache.ts';
import { printRatios } from './ratios.ts';
import { type Server, sleep, type Subject } from './server-process.ts';

/** One row group of the table: it runs each subject in turn, round after round. */
export interface Scenario {
  name: string;
  rounds: number;
  subjects: readonly Subject[];
  /** Measures one subject once in an empty directory of its own and reports it. */
  run(subject: Subject, directory: string, round: number, options: BenchOptions): Promise<void>;
}

/** Runs those that were asked for; one that fails does not cost the figures of the others. */
export async function runScenarios(
  scenarios: readonly Scenario[],
  options: BenchOptions,
): Promise<void> {
  const names = scenarios.map((scenario) => scenario.name);
  const unknown = options.only.filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new Error(`no scenario ${unknown.join()}; there are ${names.join()}`);
  mkdirSync(options.directory, { recursive: true });
  for (const scenario of scenarios) {
    if (options.only.length > 0 && !options.only.includes(scenario.name)) continue;
    try {
      await runScenario(scenario, options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      options.report.note(`${scenario.name} failed: ${reason}`);
      process.exitCode = 1;
    }
  }
  printRatios(options.report);
}

async function runScenario(scenario: Scenario, options: BenchOptions): Promise<void> {
  const rounds = options.rounds ?? (options.isQuick ? 1 : scenario.rounds);
  for (let round = 1; round <= rounds; round++) {
    // Who begins changes, so that nobody always finds the disk rested.
    const subjects = round % 2 === 1 ? scenario.subjects : scenario.subjects.toReversed();
    for (const subject of subjects) {
      if (options.subjects.length > 0 && !options.subjects.includes(subject.name)) continue;
      console.log(`${scenario.name}: ${subject.name}, round ${round} of ${rounds}`);
      const directory = path.resolve(options.directory, 'server');
      rmSync(directory, { recursive: true, force: true });
      await rest();
      try {
        await scenario.run(subject, directory, round, options);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    }
  }
}

/** Starts the subject, hands it over, and stops it whatever happens. */
export async function withServer<T>(
  subject: Subject,
  directory: string,
  use: (server: Server) => Promise<T>,
): Promise<T> {
  const server = await subject.start(directory);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** Throws unless the disk has room for `gigabytes` and some to spare. */
export function requireSpace(directory: string, gigabytes: number): void {
  const parent = path.dirname(path.resolve(directory));
  const status = statfsSync(existsSync(directory) ? directory : parent);
  const freeGb = (status.bavail * status.bsize) / 1e9;
  if (freeGb < gigabytes * 1.2 + 2) {
    throw new Error(`${gigabytes} GB are to be written and ${freeGb.toFixed(1)} GB are free`);
  }
}

/** Leaves the disk quiet for whoever is measured next. */
export async function rest(): Promise<void> {
  writeBack();
  await sleep(1000);
}
