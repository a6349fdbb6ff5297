/**
 * Every scenario is played on RabbitMQ and on our door, and what both answer is compared: methods, codes, texts, order.
 * RabbitMQ is Debian's package (`apt-get install rabbitmq-server`), started for the suite, or one that runs already:
 * AMQP_REFERENCE=HOST:PORT. Where a scenario says that the answers differ, they have to: what became equal is told, too.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from 'amqplib';
import { startRabbitmq } from '../../../../bench/rabbitmq/server.ts';
import { ServerProcess } from '../../../clients/server-process.ts';
import { type MessageScenario, messageScenarios } from './message-scenarios.ts';
import { type RawScenario, rawScenarios } from './raw-scenarios.ts';
import { RawSession } from './raw-session.ts';

const reference = process.env.AMQP_REFERENCE;
let ours: ServerProcess;
let port: number;
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
    return JSON.parse(JSON.stringify((await run(channel)) ?? null));
  } finally {
    await client.close();
  }
}

/** Plays it on both, and compares. */
async function compare<Scenario extends { differs?: string }>(
  scenario: Scenario,
  play: (scenario: Scenario, at: number) => Promise<unknown>,
): Promise<void> {
  const [expected, actual] = await Promise.all([
    play(scenario, port),
    play(scenario, ours.listeners.amqp!.port),
  ]);
  if (scenario.differs === undefined) assert.deepEqual(actual, expected);
  else assert.notDeepEqual(actual, expected, 'they answer the same now');
}

describe('conformance with RabbitMQ', () => {
  before(async () => {
    ours = await ServerProcess.start();
    if (reference !== undefined) {
      port = Number(reference.split(':')[1]);
      return;
    }
    const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-conformance-'));
    const plugins = ['rabbitmq_consistent_hash_exchange'];
    const server = await startRabbitmq('rabbitmq', directory, plugins);
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

  for (const scenario of rawScenarios) {
    test(label(scenario), () => compare(scenario, playRaw));
  }
  for (const scenario of messageScenarios) {
    test(label(scenario), () => compare(scenario, playMessages));
  }
});

function label({ name, differs }: { name: string; differs?: string }): string {
  return differs === undefined ? name : `${name} (differs: ${differs})`;
}
