import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Server } from '../server-process.ts';

const source = path.join(import.meta.dirname, 'loadgen');
const binary = path.resolve(import.meta.dirname, '../../.cache/sqs/sqs-load');

export interface Percentiles {
  count: number;
  p50Ms: number;
  p99Ms: number;
}

/** What `loadgen -mode exchange` prints. */
export interface ExchangeResult {
  seconds: number;
  messages: number;
  messagesPerSecond: number;
  emptyReceives: number;
  outOfOrder: number;
  sendLatency: Percentiles;
  receiveLatency: Percentiles;
  deleteLatency: Percentiles;
  serverCpuSeconds?: number;
  generatorCpuSeconds: number;
}

/** What `loadgen -mode polls` prints. */
export interface PollsResult {
  kibPerPoll: number;
  residentKibHeld: number;
  idleCpuPerSecond: number;
  wakeLatency: Percentiles;
  sendLatency: Percentiles;
}

/** Builds it, where that was not done; it takes Go. */
export function installGenerator(): void {
  mkdirSync(path.dirname(binary), { recursive: true });
  try {
    execFileSync('go', ['build', '-o', binary, '.'], { cwd: source, stdio: 'inherit' });
  } catch (cause) {
    throw new Error('the load generator could not be built: install Go', { cause });
  }
}

/** Flags are those of `loadgen/main.go`, without the dash; the answer is its JSON. */
export async function generate<Result>(
  server: Server,
  flags: Readonly<Record<string, string | number>>,
): Promise<Result> {
  const words = Object.entries(flags).map(([name, value]) => `-${name}=${value}`);
  const output = await new Promise<string>((resolve, reject) => {
    const all = [`-address=${server.host}:${server.port}`, `-server-pids=${server.pid}`, ...words];
    execFile(binary, all, { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`sqs-load ${words.join(' ')}: ${stderr || error.message}`));
      else resolve(stdout);
    });
  });
  // A cast: the generator is ours, and this is what it prints.
  return JSON.parse(output) as Result;
}
