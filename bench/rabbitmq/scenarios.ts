import type { BenchOptions } from '../main.ts';
import { sampleMemory } from '../memory-samples.ts';
import { type Scenario, withServer } from '../scenario.ts';
import { type Server, sleep } from '../server-process.ts';
import { generate, type LoadResult } from './generator.ts';
import { classic, pabal, type QueueSubject, quorum } from './server.ts';

const subjects: readonly QueueSubject[] = [pabal, classic, quorum];
type Run = (
  server: Server,
  subject: QueueSubject,
  add: (scenario: string, metrics: Record<string, number>) => void,
  options: BenchOptions,
) => Promise<void>;

function scenario(name: string, rounds: number, who: readonly QueueSubject[], run: Run): Scenario {
  return {
    name,
    rounds,
    subjects: who,
    run: async (subject, directory, round, options) => {
      const found = who.find((each) => each.name === subject.name);
      if (found === undefined) return;
      await withServer(subject, directory, async (server) => {
        await run(
          server,
          found,
          (title, metrics) => {
            options.report.add({ scenario: title, subject: subject.name, round, metrics });
          },
          options,
        );
      });
    },
  };
}

function times(options: BenchOptions): { warmup: string; duration: string } {
  return options.isQuick ? { warmup: '1s', duration: '2s' } : { warmup: '5s', duration: '15s' };
}

function throughput(result: LoadResult): Record<string, number> {
  const cpuSeconds = result.serverCpuSeconds ?? Number.NaN;
  return {
    'published/s': result.publishedPerSecond,
    'consumed/s': result.consumedPerSecond,
    'consumed/CPU s': result.consumed / cpuSeconds,
    'CPU s/s': cpuSeconds / result.seconds,
    'generator CPU s/s': result.generatorCpuSeconds / result.seconds,
  };
}

/** Every message is confirmed and acked, each ack by itself. */
const persistent = scenario('persistent', 3, subjects, async (server, subject, add, options) => {
  for (const size of [100, 1024]) {
    for (const queues of [1, 10]) {
      const result = await generate(server, {
        queue: `p${size}x${queues}`,
        'queue-args': subject.queueArguments,
        queues,
        publishers: Math.max(queues, 2),
        consumers: Math.max(queues, 2),
        size,
        prefetch: 100,
        ...times(options),
      });
      add(`persistent, ${size} B, ${queues === 1 ? '1 queue' : `${queues} queues`}`, {
        ...throughput(result),
        'RSS MiB': server.usage().residentMib,
      });
    }
  }
});

const transient = scenario(
  'transient',
  3,
  [pabal, classic],
  async (server, _subject, add, options) => {
    const result = await generate(server, {
      queue: 'transient',
      publishers: 2,
      consumers: 2,
      size: 100,
      persistent: false,
      confirm: 0,
      prefetch: 0,
      'auto-ack': true,
      ...times(options),
    });
    add('transient, 100 B, no confirms, no acks', throughput(result));
  },
);

const latency = scenario('latency', 3, subjects, async (server, subject, add, options) => {
  const result = await generate(server, {
    queue: 'latency',
    'queue-args': subject.queueArguments,
    publishers: 1,
    consumers: 1,
    size: 100,
    rate: 5000,
    ...times(options),
  });
  add('latency at 5,000 messages/s, persistent, confirmed', {
    'confirm p50 ms': result.confirmLatency.p50Ms,
    'confirm p99 ms': result.confirmLatency.p99Ms,
    'deliver p50 ms': result.deliverLatency.p50Ms,
    'deliver p99 ms': result.deliverLatency.p99Ms,
    'published/s': result.publishedPerSecond,
    'CPU s/s': (result.serverCpuSeconds ?? Number.NaN) / result.seconds,
  });
});

/** Rates over a backlog beside those of a queue that is empty. */
const backlog = scenario('backlog', 1, [pabal, classic], async (server, subject, add, options) => {
  const messages = options.isQuick ? 200_000 : 10_000_000;
  const part = Math.min(messages / 10, 500_000);
  const load = { queue: 'backlog', 'queue-args': subject.queueArguments, size: 100 };
  const limit = { duration: '30m' };
  const publish = { ...load, ...limit, publishers: 2, consumers: 0, purge: false };
  const drain = { ...load, ...limit, publishers: 0, consumers: 2, prefetch: 1000 };
  // Once for warmth, then what is compared.
  await generate(server, { ...publish, messages: part });
  await generate(server, { ...drain, messages: part });
  const empty = await generate(server, { ...publish, messages: part });
  const emptyDrain = await generate(server, { ...drain, messages: part });
  const writing = await sampleMemory(server, () =>
    generate(server, { ...publish, messages: messages - part }),
  );
  const full = await generate(server, { ...publish, messages: part });
  let drained: LoadResult | undefined;
  const reading = await sampleMemory(server, async () => {
    drained = await generate(server, { ...drain, messages });
  });
  const title = `${messages.toLocaleString('en-US')} messages of 100 B`;
  add(`${title}: rates`, {
    'publish/s, empty': empty.publishedPerSecond,
    'publish/s, full': full.publishedPerSecond,
    'drain/s, empty': emptyDrain.consumedPerSecond,
    'drain/s, full': drained?.consumedPerSecond ?? Number.NaN,
  });
  add(`${title}: memory while they are published`, writing);
  add(`${title}: memory while they are drained`, reading);
});

const connections = scenario(
  'connections',
  1,
  [pabal, classic],
  async (server, _subject, add, options) => {
    const count = options.isQuick ? 500 : 5000;
    const before = server.usage().residentMib;
    const held = generate<unknown>(server, { idle: count, channels: 2, duration: '40s' });
    await sleep(30_000);
    const during = server.usage();
    await sleep(5000);
    const after = server.usage();
    await held;
    add(`${count} connections with 2 channels each, idle`, {
      'RSS MiB before': before,
      'RSS MiB': during.residentMib,
      'KiB per connection': ((during.residentMib - before) * 1024) / count,
      'idle CPU %': ((after.cpuSeconds - during.cpuSeconds) / 5) * 100,
    });
  },
);

const fanout = scenario('fanout', 3, [pabal, classic], async (server, _subject, add, options) => {
  const queues = 1000;
  const messages = options.isQuick ? 100 : 2000;
  const load = {
    queue: 'fan',
    queues,
    exchange: 'fan',
    'exchange-type': 'fanout',
    publishers: 1,
    consumers: 0,
    size: 100,
    confirm: 100,
    duration: '5m',
  };
  await generate(server, { ...load, messages: messages / 4 });
  const result = await generate(server, { ...load, messages });
  add(`fan-out of one message to ${queues.toLocaleString('en-US')} queues, persistent`, {
    'stored/s': result.publishedPerSecond * queues,
    'stored/CPU s': (result.published * queues) / (result.serverCpuSeconds ?? Number.NaN),
    'confirm p50 ms': result.confirmLatency.p50Ms,
  });
});

export const scenarios: readonly Scenario[] = [
  persistent,
  transient,
  latency,
  backlog,
  connections,
  fanout,
];
