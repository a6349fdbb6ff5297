import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { median } from './statistics.ts';

/** One subject doing one scenario once. Metrics carry their units in their names. */
export interface Measurement {
  scenario: string;
  subject: string;
  round: number;
  metrics: Readonly<Record<string, number>>;
}

/** All that one run measured, with the medians over its rounds. */
export class Report {
  readonly #measurements: Measurement[] = [];
  readonly #notes = new Set<string>();

  add(measurement: Measurement): void {
    this.#measurements.push(measurement);
  }

  /** Something a reader of the figures must know, once however often it is said. */
  note(text: string): void {
    this.#notes.add(text);
  }

  get notes(): readonly string[] {
    return [...this.#notes];
  }

  scenarios(): string[] {
    return [...new Set(this.#measurements.map((each) => each.scenario))];
  }

  subjects(scenario: string): string[] {
    return [...new Set(this.#of(scenario).map((each) => each.subject))];
  }

  metrics(scenario: string): string[] {
    return [...new Set(this.#of(scenario).flatMap((each) => Object.keys(each.metrics)))];
  }

  median(scenario: string, subject: string, metric: string): number {
    return median(
      this.#of(scenario)
        .filter((each) => each.subject === subject)
        .map((each) => each.metrics[metric])
        .filter((value) => value !== undefined),
    );
  }

  rounds(scenario: string, subject: string): number {
    return this.#of(scenario).filter((each) => each.subject === subject).length;
  }

  writeJson(file: string, name: string): void {
    const medians = this.scenarios().map((scenario) => ({
      scenario,
      subjects: this.subjects(scenario).map((subject) => ({
        subject,
        rounds: this.rounds(scenario, subject),
        medians: Object.fromEntries(
          this.metrics(scenario)
            .map((metric) => [metric, this.median(scenario, subject, metric)] as const)
            .filter(([, value]) => !Number.isNaN(value)),
        ),
      })),
    }));
    const content = {
      bench: name,
      machine: describeMachine(),
      notes: this.notes,
      medians,
      measurements: this.#measurements,
    };
    writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
  }

  #of(scenario: string): Measurement[] {
    return this.#measurements.filter((each) => each.scenario === scenario);
  }
}

export function describeMachine(): Record<string, string | number> {
  return {
    date: new Date().toISOString(),
    commit: findCommit(),
    node: process.versions.node,
    system: `${os.type()} ${os.release()}`,
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
  };
}

function findCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  } catch (error) {
    // Not a checkout; the figures are still good.
    return error instanceof Error ? 'unknown' : String(error);
  }
}

/** Three significant digits, thousands without exponents. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

/** A table in columns: the first to the left, the others to the right. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  return [
    line(header),
    widths.map((width) => '─'.repeat(width)).join('  '),
    ...rows.map(line),
  ].join('\n');
}

/** One table for each scenario: subjects down, medians of metrics across. */
export function printReport(report: Report): void {
  for (const scenario of report.scenarios()) {
    const metrics = report.metrics(scenario);
    const rows = report.subjects(scenario).map((subject) => {
      const cells = metrics.map((metric) => formatNumber(report.median(scenario, subject, metric)));
      return [subject].concat(cells, String(report.rounds(scenario, subject)));
    });
    console.log(`\n${scenario}`);
    console.log(formatTable(['', ...metrics, 'rounds'], rows));
  }
  for (const note of report.notes) console.log(`\nnote: ${note}`);
}
