/**
 * Long versions of default tests, one command each.
 *
 *   npm run soak                 lists them
 *   npm run soak -- NAME         runs one
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

interface Soak {
  summary: string;
  files: readonly string[];
  environment: Readonly<Record<string, string>>;
}

const soaks: Readonly<Record<string, Soak>> = {
  crash: {
    summary: 'kills a working server 50 times (CRASH_KILLS, CRASH_SEED)',
    files: ['test/crash/kill.test.ts'],
    environment: { CRASH_KILLS: '50' },
  },
  'crash-queues': {
    summary: 'kills a server 50 times under publishers and consumers (CRASH_KILLS, CRASH_SEED)',
    files: ['test/crash/kill-queues.test.ts'],
    environment: { CRASH_KILLS: '50' },
  },
  'crash-shards': {
    summary: 'kills a server with 8 shards 50 times under transactions (CRASH_KILLS, CRASH_SEED)',
    files: ['test/crash/kill-shards.test.ts'],
    environment: { CRASH_KILLS: '50' },
  },
  'kafka-bank': {
    summary:
      'kills clerks with three clients, and the broker, 100 times (CRASH_KILLS, BANK_CLERKS)',
    files: ['test/crash/kill-bank.test.ts'],
    environment: { CRASH_KILLS: '100', BANK_CLERKS: 'kafkajs,java,python' },
  },
  fuzz: {
    summary: 'attacks the doors 20 times as long (FUZZ_SCALE, FUZZ_SEED)',
    files: [
      'test/fuzz/kafka-door.test.ts',
      'test/fuzz/amqp-door.test.ts',
      'test/fuzz/admin-door.test.ts',
    ],
    environment: { FUZZ_SCALE: '20' },
  },
  backlog: {
    summary: 'writes and reads 10 GB and watches the memory (BACKLOG_MB)',
    files: ['test/limits/backlog.test.ts'],
    environment: { BACKLOG_MB: '10000' },
  },
  'queue-backlog': {
    summary: 'lets 10 million messages wait in a queue, and drains it (BACKLOG_MESSAGES)',
    files: ['test/limits/queue-backlog.test.ts'],
    environment: { BACKLOG_MESSAGES: '10000000' },
  },
  connections: {
    summary: 'lets 5,000 connections of two channels idle (CONNECTIONS)',
    files: ['test/limits/connections.test.ts'],
    environment: { CONNECTIONS: '5000', CONNECTIONS_IDLE_MS: '10000' },
  },
  queues: {
    summary: 'lets 100,000 queues with as many bindings idle (QUEUES)',
    files: ['test/limits/queues.suite.ts'],
    environment: {},
  },
  'queue-delayed': {
    summary: 'lets 10 million messages wait for their time (DELAYED_MESSAGES)',
    files: ['test/limits/queue-delayed.suite.ts'],
    environment: {},
  },
  partitions: {
    summary: 'lets 10,000 partitions idle',
    files: ['test/limits/partitions.suite.ts'],
    environment: {},
  },
};

const [name = ''] = process.argv.slice(2);
const soak = soaks[name];
if (soak === undefined) {
  console.log('npm run soak -- NAME\n');
  for (const [each, { summary }] of Object.entries(soaks)) {
    console.log(`  ${each.padEnd(12)} ${summary}`);
  }
  process.exitCode = name === '' ? 0 : 1;
} else {
  const root = path.resolve(import.meta.dirname, '..');
  const result = spawnSync(
    process.execPath,
    ['--enable-source-maps', path.join(root, 'scripts/test.mjs'), ...soak.files],
    { cwd: root, stdio: 'inherit', env: { ...soak.environment, ...process.env } },
  );
  process.exitCode = result.status ?? 1;
}
