import type { BenchOptions } from '../main.ts';
import { type Scenario, withServer } from '../scenario.ts';
import type { Server, Subject } from '../server-process.ts';
import { type ExchangeResult, generate, type PollsResult } from './generator.ts';
import { elasticmq, moto, pabal } from './server.ts';

interface Part {
  name: string;
  rounds: number;
  subjects: readonly Subject[];
  title: string;
  measure: (server: Server, options: BenchOptions) => Promise<Record<string, number>>;
}

function scenario({ name, rounds, subjects, title, measure }: Part): Scenario {
  return {
    name,
    rounds,
    subjects,
    run: async (subject, directory, round, options) => {
      await withServer(subject, directory, async (server) => {
        const metrics = await measure(server, options);
        options.report.add({ scenario: title, subject: subject.name, round, metrics });
      });
    },
  };
}

/** Connections that send, receive and delete; each waits for every answer. */
async function exchange(
  server: Server,
  options: BenchOptions,
  flags: Readonly<Record<string, string | number>>,
): Promise<ExchangeResult> {
  const times = options.isQuick
    ? { warmup: '1s', duration: '2s' }
    : { warmup: '8s', duration: '15s' };
  const load = { mode: 'exchange', connections: 32, size: 1024 };
  return generate<ExchangeResult>(server, { ...load, ...times, ...flags });
}

function throughput(result: ExchangeResult): Record<string, number> {
  const cpuSeconds = result.serverCpuSeconds ?? Number.NaN;
  return {
    'messages/s': result.messagesPerSecond,
    'messages/CPU s': result.messages / cpuSeconds,
    'CPU s/s': cpuSeconds / result.seconds,
    'generator CPU s/s': result.generatorCpuSeconds / result.seconds,
    'send p50 ms': result.sendLatency.p50Ms,
    'send p99 ms': result.sendLatency.p99Ms,
    'receive p99 ms': result.receiveLatency.p99Ms,
    'delete p99 ms': result.deleteLatency.p99Ms,
  };
}

function ordered(result: ExchangeResult): Record<string, number> {
  return { ...throughput(result), 'out of order': result.outOfOrder };
}

export const scenarios: readonly Scenario[] = [
  scenario({
    name: 'single',
    rounds: 3,
    subjects: [pabal, elasticmq, moto],
    title: 'single: send, receive, delete; 1 KiB, 32 connections',
    measure: async (server, options) => throughput(await exchange(server, options, { batch: 1 })),
  }),
  scenario({
    name: 'batch',
    rounds: 3,
    subjects: [pabal, elasticmq, moto],
    title: 'batch: the same in batches of 10',
    measure: async (server, options) => throughput(await exchange(server, options, { batch: 10 })),
  }),
  scenario({
    name: 'polls',
    rounds: 3,
    subjects: [pabal, elasticmq],
    title: 'polls: 5,000 (500 with --quick) that wait at 100 queues',
    measure: async (server, options) => {
      const flags = { polls: options.isQuick ? 500 : 5000, hold: options.isQuick ? '2s' : '25s' };
      const result = await generate<PollsResult>(server, { mode: 'polls', wakes: 2000, ...flags });
      return {
        'KiB per poll': result.kibPerPoll,
        'RSS MiB': result.residentKibHeld / 1024,
        'idle CPU %': result.idleCpuPerSecond * 100,
        'wake p50 ms': result.wakeLatency.p50Ms,
        'wake p99 ms': result.wakeLatency.p99Ms,
        'send p99 ms': result.sendLatency.p99Ms,
      };
    },
  }),
  scenario({
    name: 'fifo',
    rounds: 3,
    subjects: [pabal, elasticmq],
    title: 'fifo: 10,000 groups, batches of 10, queue nearly empty',
    measure: async (server, options) =>
      ordered(await exchange(server, options, { batch: 10, groups: 10_000 })),
  }),
  scenario({
    name: 'fifo-behind',
    rounds: 1,
    subjects: [pabal, elasticmq],
    title: 'fifo: 10,000 groups, one message of each always waiting',
    measure: async (server, options) =>
      ordered(await exchange(server, options, { batch: 10, groups: 10_000, ahead: 10_000 })),
  }),
];
