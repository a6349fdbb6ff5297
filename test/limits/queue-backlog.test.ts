import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { emptyTable, encodeMethod } from '../../src/doors/amqp091/wire/index.ts';
import { BrokerProcess } from '../crash/broker-process.ts';
import { RawClient } from '../doors/amqp091/raw-client.ts';

const MIB = 1024 * 1024;
/** `npm run soak -- queue-backlog` has 10 million. */
const messages = Number(process.env.BACKLOG_MESSAGES ?? 150_000);
const bodyBytes = 100;
const perTurn = 1000;
const unconfirmedMax = 20_000;
/** Of a process that has just started, its cache, and buffers before they are collected. */
const residentBytesMax = 260 * MIB;
const queue = 'backlog';

test(`memory stays flat while ${messages} messages wait in a queue and are drained`, async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-queue-backlog-'));
  const server = await BrokerProcess.start({
    dataPath: path.join(directory, 'data'),
    flags: ['--cache', '16MiB', '--sync', 'os', '--journal-file-bytes', '32MiB'],
    nodeFlags: ['--max-old-space-size=64'],
  });
  const client = await RawClient.open(server.amqpPort);
  t.after(async () => {
    client.destroy();
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  if (server.peakResidentBytes() === 0) return t.skip('the system does not tell the memory in use');
  await client.openChannel();
  client.send(1, 'queueDeclare', {
    ...{ ticket: 0, queue, passive: false, durable: true, exclusive: false },
    ...{ autoDelete: false, nowait: false, arguments: emptyTable },
  });
  await client.next('queueDeclareOk');
  const startBytes = server.residentBytes();
  await publishAll(client);
  const writtenBytes = server.peakResidentBytes();
  await drainAll(server.amqpPort);
  const drainedBytes = server.peakResidentBytes();
  t.diagnostic(
    [startBytes, writtenBytes, drainedBytes]
      .map((bytes) => `${Math.round(bytes / MIB)} MiB`)
      .join(', '),
  );
  assert.ok(drainedBytes < residentBytesMax, `${Math.round(drainedBytes / MIB)} MiB were in use`);
});

async function publishAll(client: RawClient): Promise<void> {
  client.send(1, 'confirmSelect', { nowait: false });
  await client.next('confirmSelectOk');
  const header = Buffer.alloc(14);
  header.writeUInt16BE(60, 0);
  header.writeUInt32BE(bodyBytes, 8);
  const message = Buffer.concat([
    encodeMethod(1, 'basicPublish', {
      ...{ ticket: 0, exchange: '', routingKey: queue, mandatory: false, immediate: false },
    }),
    frameOf(2, header),
    frameOf(3, Buffer.alloc(bodyBytes, 'm')),
  ]);
  const turn = Buffer.concat(Array.from({ length: perTurn }, () => message));
  let confirmed = 0;
  for (let sent = 0; sent < messages; sent += perTurn) {
    client.write(turn);
    while (sent + perTurn - confirmed > unconfirmedMax) confirmed = await confirmedBy(client);
  }
  while (confirmed < messages) confirmed = await confirmedBy(client);
}

async function confirmedBy(client: RawClient): Promise<number> {
  const { deliveryTag } = await client.next('basicAck');
  client.forgetTaken();
  return deliveryTag;
}

/** Takes all and acknowledges them, looking at no more than their delivery tags. */
async function drainAll(port: number): Promise<void> {
  const client = await RawClient.open(port);
  try {
    await client.openChannel();
    client.send(1, 'basicQos', { prefetchSize: 0, prefetchCount: 2000, global: false });
    client.send(1, 'basicConsume', {
      ...{ ticket: 0, queue, consumerTag: 'c', noLocal: false, noAck: false, exclusive: false },
      ...{ nowait: false, arguments: emptyTable },
    });
    for (let taken = 0; taken < messages; ) {
      const { deliveryTag } = await client.next('basicDeliver');
      taken = deliveryTag;
      if (taken % perTurn === 0 || taken === messages) {
        client.send(1, 'basicAck', { deliveryTag, multiple: true });
        client.forgetTaken();
      }
    }
  } finally {
    client.destroy();
  }
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
