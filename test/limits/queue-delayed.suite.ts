import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import {
  emptyTable,
  encodeMethod,
  type FieldTable,
  writeTable,
} from '../../src/doors/amqp091/wire/index.ts';
import { ByteWriter } from '../../src/bytes/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { BrokerProcess, pause } from '../crash/broker-process.ts';
import { RawClient } from '../doors/amqp091/raw-client.ts';

const MIB = 1024 * 1024;
const messages = Number(process.env.DELAYED_MESSAGES ?? 10_000_000);
const hourMs = 3_600_000;
const spreadMs = 7 * 24 * hourMs;
const perTurn = 1000;
const unconfirmedMax = 20_000;
const settleMs = 30_000;
/** Above an empty server's: the messages themselves, and a snapshot that was just read and is not collected yet. */
const residentBytesMax = (bytes: number): number => bytes + 200 * MIB;
const queue = 'later';

/*
 * What is looked at is a server that has started again: what publishing left behind (the cache, buffers that wait for
 * their collection) is not what delayed messages take.
 */
test(`${messages} messages that wait for their time, over a week, take little memory`, async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-queue-delayed-'));
  const options = { dataPath: path.join(directory, 'data'), flags: ['--sync', 'os'] };
  let server = await BrokerProcess.start(options);
  t.after(async () => {
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  if (server.residentBytes() === 0) return t.skip('the system does not tell the memory in use');
  const emptyBytes = server.residentBytes();
  const client = await RawClient.open(server.amqpPort);
  await client.openChannel();
  await declare(client);
  await publishAll(client);
  client.destroy();
  const publishedBytes = server.residentBytes();
  assert.equal((await server.terminate()).code, 0);
  server = await BrokerProcess.start(options);
  const startedBytes = server.residentBytes();
  await pause(settleMs);
  const restingBytes = server.residentBytes();
  const told = Object.entries({ emptyBytes, publishedBytes, startedBytes, restingBytes })
    .map(([name, bytes]) => `${name} ${Math.round(bytes / MIB)} MiB`)
    .join(', ');
  t.diagnostic(told);
  assert.ok(restingBytes < residentBytesMax(emptyBytes), told);
});

async function declare(client: RawClient): Promise<void> {
  client.send(1, 'exchangeDeclare', {
    ...{ ticket: 0, exchange: queue, type: 'x-delayed-message', passive: false, durable: true },
    ...{ autoDelete: false, internal: false, nowait: false },
    arguments: new Map([['x-delayed-type', { type: 'S', value: 'fanout' }]]),
  });
  await client.next('exchangeDeclareOk');
  client.send(1, 'queueDeclare', {
    ...{ ticket: 0, queue, passive: false, durable: true, exclusive: false },
    ...{ autoDelete: false, nowait: false, arguments: emptyTable },
  });
  await client.next('queueDeclareOk');
  client.send(1, 'queueBind', {
    ...{ ticket: 0, queue, exchange: queue, routingKey: '', nowait: false, arguments: emptyTable },
  });
  await client.next('queueBindOk');
}

async function publishAll(client: RawClient): Promise<void> {
  client.send(1, 'confirmSelect', { nowait: false });
  await client.next('confirmSelectOk');
  const random = new SeededRandom(1);
  const turns = Array.from({ length: 20 }, () =>
    Buffer.concat(
      Array.from({ length: perTurn }, () => messageDue(hourMs + random.nextInt(spreadMs))),
    ),
  );
  let confirmed = 0;
  for (let sent = 0; sent < messages; sent += perTurn) {
    const turn = turns[(sent / perTurn) % turns.length];
    if (turn !== undefined) client.write(turn);
    while (sent + perTurn - confirmed > unconfirmedMax) confirmed = await confirmedBy(client);
  }
  while (confirmed < messages) confirmed = await confirmedBy(client);
}

async function confirmedBy(client: RawClient): Promise<number> {
  const { deliveryTag } = await client.next('basicAck', 60_000);
  client.forgetTaken();
  return deliveryTag;
}

/** A persistent message that comes after `delayMs`, with its method, header and body. */
function messageDue(delayMs: number): Buffer {
  const headers: FieldTable = new Map([['x-delay', { type: 'I', value: delayMs }]]);
  const body = Buffer.from('0123456789');
  const header = new ByteWriter(64);
  header.uint16(60);
  header.uint16(0);
  header.uint32(0);
  header.uint32(body.length);
  // Headers and delivery mode.
  header.uint16(0x3000);
  writeTable(header, headers);
  header.uint8(2);
  return Buffer.concat([
    encodeMethod(1, 'basicPublish', {
      ...{ ticket: 0, exchange: queue, routingKey: '', mandatory: false, immediate: false },
    }),
    frameOf(2, header.take()),
    frameOf(3, body),
  ]);
}

function frameOf(type: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(payload.length + 8);
  bytes[0] = type;
  bytes.writeUInt16BE(1, 1);
  bytes.writeUInt32BE(payload.length, 3);
  bytes.set(payload, 7);
  bytes[bytes.length - 1] = 0xce;
  return bytes;
}
