import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { randomInt } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { installGenerators } from './distribution.ts';
import type { Server } from './server.ts';

// Sixteen producers fill their buffers of 32 MiB, and every record in them has objects of its own.
const generatorHeap = ['-Xmx3g', '-Xms1g'];

/** What running a generator cost the server. */
export interface Cost {
  cpuSeconds: number;
  residentMib: number;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function startJava(main: string, words: readonly string[]): ChildProcess {
  const child = spawn('java', [...generatorHeap, '-cp', installGenerators(), main, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function runJava(main: string, words: readonly string[]): Promise<string> {
  const child = startJava(main, words);
  let output = '';
  child.stdout!.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr!.on('data', (data: Buffer) => (output += data.toString()));
  child.stdin!.end();
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${main} ended with ${code}:\n${output.slice(-3000)}`);
  return output;
}

/** What a generator of java/ needs to know of a server. */
export type Target = Pick<Server, 'host' | 'port' | 'usage'>;

/** Runs `work` and says what it cost the server. */
async function withCost<T>(server: Target, work: () => Promise<T>): Promise<[T, Cost]> {
  const before = server.usage();
  const result = await work();
  const after = server.usage();
  return [
    result,
    { cpuSeconds: after.cpuSeconds - before.cpuSeconds, residentMib: after.residentMib },
  ];
}

export async function createTopic(
  server: Server,
  topic: string,
  partitions: number,
): Promise<void> {
  await runJava('org.apache.kafka.tools.TopicCommand', [
    ...['--bootstrap-server', `${server.host}:${server.port}`, '--create'],
    ...['--topic', topic, '--partitions', String(partitions), '--replication-factor', '1'],
  ]);
}

export interface ProduceLoad {
  topic: string;
  records: number;
  recordBytes: number;
  /** Producer settings beyond acks=all. */
  settings?: readonly string[];
}

export interface ProduceResult extends Cost {
  recordsPerSecond: number;
  mbPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** Random printable payloads made beforehand: the perf tool's own cost it more than sending does. */
function findPayloads(directory: string, recordBytes: number): string {
  const file = path.join(directory, `payloads-${recordBytes}`);
  if (!existsSync(file)) {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
    const line = () =>
      Array.from({ length: recordBytes }, () => letters[randomInt(letters.length)]).join('');
    const count = Math.max(1, Math.min(200, Math.floor(2e6 / recordBytes)));
    writeFileSync(file, `${Array.from({ length: count }, line).join('\n')}\n`);
  }
  return file;
}

const producerMain = 'org.apache.kafka.tools.ProducerPerformance';

function producerWords(server: Server, directory: string, load: ProduceLoad): string[] {
  return [
    ...['--topic', load.topic, '--num-records', String(load.records), '--throughput', '-1'],
    ...['--payload-file', findPayloads(directory, load.recordBytes)],
    '--producer-props',
    ...[`bootstrap.servers=${server.host}:${server.port}`, 'acks=all', ...(load.settings ?? [])],
  ];
}

/** Produces until it is stopped, whatever becomes of the server meanwhile. */
export function startProducing(
  server: Server,
  directory: string,
  load: ProduceLoad,
): { stop: () => void } {
  const child = startJava(producerMain, producerWords(server, directory, load));
  child.stdout!.resume();
  child.stderr!.resume();
  return { stop: () => child.kill('SIGKILL') };
}

/** kafka-producer-perf-test.sh, acks=all. */
export async function produce(
  server: Server,
  directory: string,
  load: ProduceLoad,
): Promise<ProduceResult> {
  const [output, cost] = await withCost(server, () =>
    runJava(producerMain, producerWords(server, directory, load)),
  );
  const match =
    /^(\d+) records sent, ([\d.]+) records\/sec \(([\d.]+) MB\/sec\).* (\d+) ms 50th.* (\d+) ms 99th/m.exec(
      output
        .trim()
        .split('\n')
        .findLast((line) => line.includes('50th')) ?? '',
    );
  if (match === null) throw new Error(`no result in:\n${output.slice(-2000)}`);
  if (Number(match[1]) !== load.records) {
    throw new Error(`${match[1]} of ${load.records} records were sent:\n${output.slice(-2000)}`);
  }
  return {
    ...cost,
    recordsPerSecond: Number(match[2]),
    // The tool counts in MiB.
    mbPerSecond: Number(match[3]) * 1.048576,
    p50Ms: Number(match[4]),
    p99Ms: Number(match[5]),
  };
}

export interface ConsumeResult extends Cost {
  recordsPerSecond: number;
  mbPerSecond: number;
}

/** kafka-consumer-perf-test.sh; the rates leave out the time to join the group, as the tool reports them. */
export async function consume(
  server: Server,
  topic: string,
  records: number,
): Promise<ConsumeResult> {
  const [output, cost] = await withCost(server, () =>
    runJava('org.apache.kafka.tools.ConsumerPerformance', [
      ...['--bootstrap-server', `${server.host}:${server.port}`, '--topic', topic],
      ...['--num-records', String(records), '--timeout', '60000'],
    ]),
  );
  // start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms,
  // fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
  const fields = output.trim().split('\n').at(-1)!.split(', ');
  const consumed = Number(fields[4]);
  if (!(consumed >= records)) throw new Error(`${consumed} of ${records} came:\n${output}`);
  return {
    ...cost,
    recordsPerSecond: Number(fields[9]),
    mbPerSecond: Number(fields[8]) * 1.048576,
  };
}

/** Runs one of java/: it warms up, says `measuring`, waits for a byte, measures, and prints JSON. */
async function runGenerator<T>(
  server: Target,
  main: string,
  words: readonly string[],
): Promise<T & Cost> {
  const child = startJava(main, words);
  let errors = '';
  child.stderr!.on('data', (data: Buffer) => (errors += data.toString()));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.value !== 'measuring') throw new Error(`${main} failed:\n${errors.slice(-3000)}`);
  const [line, cost] = await withCost(server, async () => {
    child.stdin!.write('\n');
    return lines.next();
  });
  child.stdin!.end();
  if (line.done === true) throw new Error(`${main} failed:\n${errors.slice(-3000)}`);
  // A cast: the shape is what the generator prints.
  return { ...(JSON.parse(line.value) as T), ...cost };
}

export function produceFromMany(
  server: Target,
  topic: string,
  load: { producers: number; recordBytes: number; warmUpSeconds: number; seconds: number },
): Promise<{ records: number; seconds: number; failed: number } & Cost> {
  return runGenerator(server, 'ManyProducers', [
    ...[`${server.host}:${server.port}`, topic, String(load.producers)],
    ...[String(load.recordBytes), String(load.warmUpSeconds), String(load.seconds)],
    ...['acks=all', 'linger.ms=0'],
  ]);
}

export function produceInTransactions(
  server: Target,
  topic: string,
  load: {
    producers: number;
    recordsPerTransaction: number;
    recordBytes: number;
    warmUpSeconds: number;
    seconds: number;
  },
): Promise<{ records: number; seconds: number; p50Ms: number; p99Ms: number } & Cost> {
  return runGenerator(server, 'Transactions', [
    ...[`${server.host}:${server.port}`, topic, String(load.producers)],
    ...[String(load.recordsPerTransaction), String(load.recordBytes)],
    ...[String(load.warmUpSeconds), String(load.seconds), 'acks=all'],
  ]);
}

export function produceOneInFlight(
  server: Target,
  by: 'socket' | 'client',
  topic: string,
  load: { recordBytes: number; warmUpCount: number; count: number },
): Promise<{ p50Ms: number; p99Ms: number } & Cost> {
  return runGenerator(server, 'OneInFlight', [
    ...[by, server.host, String(server.port), topic, String(load.recordBytes)],
    ...[String(load.warmUpCount), String(load.count)],
  ]);
}

/** Fills a topic with keyed records, or has it compacted and waits for that. */
export function runCompaction(
  server: Target,
  what: 'fill' | 'compact',
  topic: string,
  load: { records: number; keys: number; valueBytes: number },
): Promise<{ seconds: number; mbBefore: number; mbAfter: number } & Cost> {
  return runGenerator(server, 'Compaction', [
    ...[what, `${server.host}:${server.port}`, topic],
    ...[String(load.records), String(load.keys), String(load.valueBytes)],
  ]);
}

export function rebalanceGroup(
  server: Target,
  topic: string,
  load: { protocol: 'classic' | 'consumer'; members: number; partitions: number },
): Promise<{ startMs: number; leaveMs: number; comeMs: number } & Cost> {
  return runGenerator(server, 'Rebalance', [
    ...[`${server.host}:${server.port}`, topic, load.protocol],
    ...[String(load.members), String(load.partitions)],
  ]);
}

/** Connections that fetch from an empty topic and wait; resolves when each has had an answer. */
export async function startPolling(
  server: Target,
  topic: string,
  load: { connections: number; maxWaitMs: number },
): Promise<{ stop: () => void }> {
  const child = startJava('ManyPolls', [
    ...[server.host, String(server.port), topic],
    ...[String(load.connections), String(load.maxWaitMs)],
  ]);
  let errors = '';
  child.stderr!.on('data', (data: Buffer) => (errors += data.toString()));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.value !== 'measuring') throw new Error(`ManyPolls failed:\n${errors.slice(-3000)}`);
  return { stop: () => child.kill('SIGKILL') };
}
