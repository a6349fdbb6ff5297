/**
 * Every scenario is played on RabbitMQ and on our door, and what both answer is compared: methods, codes, texts, order.
 * RabbitMQ is Debian's package (`apt-get install rabbitmq-server`), started for the suite, or one that runs already:
 * AMQP_REFERENCE=HOST:PORT,HOST:PORT, the second its management. Where a scenario says that the answers differ, they have to: what became equal is told, too.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Channel, type ConfirmChannel, connect } from 'amqplib';
import { startRabbitmq } from '../../../../bench/rabbitmq/server.ts';
import { findFreePort } from '../../../../bench/server-process.ts';
import { ServerProcess } from '../../../clients/server-process.ts';
import { managementApi } from './management-api.ts';
import { type ManagementScenario, managementScenarios } from './management-scenarios.ts';
import { messageEdges } from './message-edges.ts';
import { messageScenarios } from './message-scenarios.ts';
import type { MessageScenario } from './message-tools.ts';
import { rawConnections } from './raw-connections.ts';
import { rawEdges } from './raw-edges.ts';
import type { RawScenario } from './raw-methods.ts';
import { rawScenarios } from './raw-scenarios.ts';
import { RawSession } from './raw-session.ts';

const reference = process.env.AMQP_REFERENCE;
let ours: ServerProcess;
let port: number;
let managementPort: number;
let stop = async (): Promise<void> => undefined;

async function playRaw({ run }: RawScenario, at: number): Promise<string[]> {
  const lines: string[] = [];
  const session = await RawSession.open(at, lines);
  try {
    await run(session);
    await session.quiet();
  } finally {
    await session.end();
  }
  return lines;
}

async function playMessages({ run }: MessageScenario, at: number): Promise<unknown> {
  const client = await connect(`amqp://guest:guest@127.0.0.1:${at}`);
  // The error is what the scenario rejects with.
  client.on('error', () => undefined);
  try {
    const channel = await client.createConfirmChannel();
    channel.on('error', () => undefined);
    const open = async (): Promise<Channel> => {
      const other = await client.createChannel();
      other.on('error', () => undefined);
      return other;
    };
    return JSON.parse(JSON.stringify((await run(channel, open)) ?? null));
  } finally {
    await client.close();
  }
}

async function playManagement(
  { run }: ManagementScenario,
  at: number,
  managementAt: number,
): Promise<unknown> {
  const scenario = {
    name: '',
    run: (channel: ConfirmChannel) => run(managementApi(managementAt), channel),
  };
  return playMessages(scenario, at);
}

/** Plays it on both, and compares. */
async function compare<Scenario extends { differs?: string }>(
  scenario: Scenario,
  play: (scenario: Scenario, at: number, managementAt: number) => Promise<unknown>,
): Promise<void> {
  const { listeners } = ours;
  const [expected, actual] = await Promise.all([
    play(scenario, port, managementPort),
    play(scenario, listeners.amqp!.port, listeners['rabbitmq-management']!.port),
  ]);
  if (scenario.differs === undefined) assert.deepEqual(actual, expected);
  else assert.notDeepEqual(actual, expected, 'they answer the same now');
}

describe('conformance with RabbitMQ', () => {
  before(async () => {
    ours = await ServerProcess.start([], ['amqp', 'rabbitmq-management']);
    if (reference !== undefined) {
      const [amqp, management] = reference.split(',').map((one) => Number(one.split(':')[1]));
      assert.ok(amqp !== undefined && management !== undefined, 'AMQP_REFERENCE names two doors');
      port = amqp;
      managementPort = management;
      return;
    }
    const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-conformance-'));
    const plugins = ['rabbitmq_consistent_hash_exchange', 'rabbitmq_management'];
    managementPort = await findFreePort();
    const settings = ['management.tcp.ip = 127.0.0.1', `management.tcp.port = ${managementPort}`];
    const server = await startRabbitmq('rabbitmq', directory, plugins, settings);
    port = server.port;
    stop = async () => {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    };
  });

  after(async () => {
    await ours.stop();
    await stop();
  });

  for (const scenario of [...rawScenarios, ...rawConnections, ...rawEdges]) {
    test(label(scenario), () => compare(scenario, playRaw));
  }
  for (const scenario of [...messageScenarios, ...messageEdges]) {
    test(label(scenario), () => compare(scenario, playMessages));
  }
  for (const scenario of managementScenarios) {
    test(label(scenario), () => compare(scenario, playManagement));
  }
});

function label({ name, differs }: { name: string; differs?: string }): string {
  return differs === undefined ? name : `${name} (differs: ${differs})`;
}
