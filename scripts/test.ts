/**
 * Runs the default tests, `test/**` files that end in `.test.ts`, each in a process of its own.
 *
 *   npm test                      all of them
 *   npm test -- journal kafka     files whose path contains one of the words
 *   npm test -- a/b.suite.ts      a file that is no default test, by its path
 *   npm test -- --name 'torn'     tests whose name matches the regular expression
 *   npm test -- --jobs 1          one file at a time
 *
 * The last line is always `N passed, M failed, K skipped`.
 */
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import type { TestsStream } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect, parseArgs } from 'node:util';

/** A file that hangs is a failure, not a run that never ends; on a busy machine the longest takes ten minutes. */
const fileTimeoutMs = 15 * 60_000;
const slowestCount = 10;
/** Folders whose tests start servers and clients, each of which wants a processor. */
const processFolders = new Set([
  'cli',
  'clients',
  'crash',
  'fuzz',
  'limits',
  'server',
  'simulation',
]);
/** Files of these folders that run at once, after all others. */
const processJobsMax = 1;
/** The reason that node:test gives to tests which `--name` leaves out. */
const notSelected = 'test name does not match pattern';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string' }, jobs: { type: 'string', default: '2' } },
});

const root = path.resolve(import.meta.dirname, '..');
/** Where the tests were compiled to, by scripts/test.mjs; `root` when they were not. */
const compiledRoot = fileURLToPath(new URL('..', import.meta.url));

function findTestFiles(words: readonly string[]): string[] {
  const directory = path.join(root, 'test');
  if (!existsSync(directory)) return [];
  const suites = words.filter((word) => word.endsWith('.suite.ts'));
  if (suites.length > 0) return suites.map((name) => path.resolve(root, name));
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.join('test', name))
    .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
    .toSorted()
    .map((name) => path.join(root, name));
}

/** A source's path from the root, however it was run. */
function toSource(file: string): string {
  const isCompiled = file.startsWith(compiledRoot) && file.endsWith('.js');
  if (!isCompiled) return path.relative(root, file);
  return path.relative(compiledRoot, file).replace(/\.js$/, '.ts');
}

function startsProcesses(file: string): boolean {
  const [, folder] = path.relative(root, file).split(path.sep);
  return folder !== undefined && processFolders.has(folder);
}

/** What Node runs for a source. */
function toRun(source: string): string {
  if (!import.meta.url.endsWith('.js')) return source;
  return path.join(compiledRoot, path.relative(root, source)).replace(/\.ts$/, '.js');
}

interface Outcome {
  name: string;
  file: string;
  durationMs: number;
}

interface Failure extends Outcome {
  error: unknown;
}

interface Skip extends Outcome {
  reason: string;
}

const passed: Outcome[] = [];
const failed: Failure[] = [];
const skipped: Skip[] = [];
const fileMs = new Map<string, number>();
const outputs = new Map<string, string[]>();

interface TestEvent {
  name: string;
  nesting: number;
  file?: string;
}

/** Names of the tests that have begun, by file and depth: a result comes with its own name only. */
const begun = new Map<string, string[]>();

function toFile(data: TestEvent): string {
  if (data.file === undefined) return '(unknown file)';
  return toSource(data.file);
}

function toOutcome(data: TestEvent & { details: { duration_ms: number } }): Outcome {
  const file = toFile(data);
  const parents = begun.get(file)?.slice(0, data.nesting) ?? [];
  return {
    name: [...parents, isWholeFile(data.name) ? toSource(data.name) : data.name].join(' › '),
    file,
    durationMs: data.details.duration_ms,
  };
}

/** What a test threw, without the runner's wrapping. */
function toCause(error: unknown): unknown {
  const isWrapped = error instanceof Error && 'failureType' in error && error.cause !== undefined;
  return isWrapped ? error.cause : error;
}

function isOnlyBecauseOfSubtests(error: unknown): boolean {
  return error instanceof Error && 'failureType' in error && error.failureType === 'subtestsFailed';
}

function countFileTime(outcome: Outcome, nesting: number): void {
  if (nesting > 0) return;
  fileMs.set(outcome.file, (fileMs.get(outcome.file) ?? 0) + outcome.durationMs);
}

function printProgress(mark: string, outcome: Outcome): void {
  process.stdout.write(
    `${mark} ${outcome.file} › ${outcome.name} (${formatMs(outcome.durationMs)})\n`,
  );
}

function formatMs(durationMs: number): string {
  return durationMs < 1000 ? `${durationMs.toFixed(0)} ms` : `${(durationMs / 1000).toFixed(1)} s`;
}

const files = findTestFiles(positionals);
if (files.length === 0) {
  console.log(
    positionals.length > 0 ? `no test file matches ${positionals.join(', ')}` : 'no test files',
  );
  console.log('0 passed, 0 failed, 0 skipped');
  process.exit(1);
}

/** A file in which no test ran is reported as a test that has the file's name. */
function isWholeFile(name: string): boolean {
  return (
    /\.(?:test|suite)\.[jt]s$/.test(name) && (path.isAbsolute(name) || name.startsWith('test'))
  );
}

function listen(events: TestsStream): void {
  events.on('test:start', (data) => {
    const file = toFile(data);
    begun.set(file, [...(begun.get(file)?.slice(0, data.nesting) ?? []), data.name]);
  });

  events.on('test:pass', (data) => {
    const outcome = toOutcome(data);
    countFileTime(outcome, data.nesting);
    if (data.details.type === 'suite' && data.skip === undefined) return;
    const reason = data.skip ?? data.todo;
    if (reason === notSelected) return;
    if (reason !== undefined && reason !== false) {
      skipped.push({ ...outcome, reason: typeof reason === 'string' ? reason : '' });
    } else if (isWholeFile(data.name)) {
      if (values.name !== undefined) return;
      failed.push({ ...outcome, error: new Error('the file contains no test') });
      printProgress('✗', outcome);
    } else {
      passed.push(outcome);
    }
  });

  events.on('test:fail', (data) => {
    const outcome = toOutcome(data);
    countFileTime(outcome, data.nesting);
    if (data.todo !== undefined && data.todo !== false) {
      skipped.push({ ...outcome, reason: `to do: ${String(data.todo)}` });
      return;
    }
    // The subtest has been counted; its parents would repeat it.
    if (isOnlyBecauseOfSubtests(data.details.error)) return;
    failed.push({ ...outcome, error: toCause(data.details.error) });
    printProgress('✗', outcome);
  });

  events.on('test:diagnostic', (data) => {
    // Each process ends with its own counts, which are not ours.
    if (/^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(data.message))
      return;
    console.log(`  ${toFile({ ...data, name: '' })}: ${data.message}`);
  });

  for (const name of ['test:stdout', 'test:stderr'] as const) {
    events.on(name, (data: { file?: string; message: string }) => {
      const file = toFile({ ...data, name: '', nesting: 0 });
      const lines = outputs.get(file) ?? [];
      outputs.set(file, lines);
      lines.push(data.message);
    });
  }
}

function printFailures(): void {
  for (const file of new Set(failed.map((failure) => failure.file))) {
    for (const failure of failed.filter((each) => each.file === file)) {
      console.log(`\n✗ ${failure.file} › ${failure.name}`);
      const text =
        failure.error instanceof Error
          ? (failure.error.stack ?? failure.error.message)
          : inspect(failure.error);
      console.log(text.replace(/\n +at .*node:internal.*/g, '').replace(/^/gm, '    '));
      if (failure.error instanceof Error && failure.error.cause !== undefined) {
        const cause = inspect(failure.error.cause).replace(/\n +at .*node:internal.*/g, '');
        console.log(`caused by ${cause}`.replace(/^/gm, '    '));
      }
    }
    const output = (outputs.get(file) ?? []).join('').trimEnd();
    if (output !== '')
      console.log(`    printed by ${file}:\n${output.slice(-8000).replace(/^/gm, '    | ')}`);
  }
}

function printSkips(): void {
  if (skipped.length > 0) console.log('\nskipped:');
  for (const skip of skipped)
    console.log(`  ${skip.file} › ${skip.name}: ${skip.reason || 'no reason given'}`);
}

function printSlowest(): void {
  console.log('\nslowest files:');
  const slowest = [...fileMs].toSorted((a, b) => b[1] - a[1]).slice(0, slowestCount);
  for (const [file, ms] of slowest) console.log(`  ${formatMs(ms).padStart(8)}  ${file}`);
}

/** Runs files, so many at a time; resolves when the last one has ended. */
async function runFiles(chosen: readonly string[], concurrency: number): Promise<void> {
  const waiting = chosen.values();
  const runNext = async (): Promise<void> => {
    for (const file of waiting) await runFile(file);
  };
  await Promise.all(Array.from({ length: concurrency }, runNext));
}

async function runFile(file: string): Promise<void> {
  const events = run({
    files: [toRun(file)],
    // Kills the process. The option `timeout` would be the tests' own since Node 24, and what a test leaves going
    // would keep its process for ever.
    signal: AbortSignal.timeout(fileTimeoutMs),
    ...(values.name === undefined ? {} : { testNamePatterns: [new RegExp(values.name)] }),
  });
  listen(events);
  // `run` starts when its stream is read.
  events.resume();
  await once(events, 'end');
}

const startedMs = performance.now();
const jobs = Number(values.jobs);
await runFiles(
  files.filter((file) => !startsProcesses(file)),
  jobs,
);
await runFiles(files.filter(startsProcesses), Math.min(jobs, processJobsMax));
printFailures();
printSkips();
printSlowest();
const elapsed = formatMs(performance.now() - startedMs);
console.log(`\nNode ${process.versions.node}, ${files.length} files, ${elapsed}`);
console.log(`${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
process.exitCode = failed.length === 0 && passed.length > 0 ? 0 : 1;
