import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  emptyTable,
  encodeMethod,
  frameType,
  methods,
} from '../../src/doors/amqp091/wire/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { pause } from '../crash/broker-process.ts';
import { capturedStreams } from '../doors/amqp091/captured-streams.ts';
import { protocolHeader, RawClient, type ReceivedFrame } from '../doors/amqp091/raw-client.ts';
import { patienceMs } from '../support/patience.ts';
import { FuzzServer } from './fuzz-server.ts';

const MIB = 1024 * 1024;
const seed = Number(process.env.FUZZ_SEED ?? 1);
/** 1: some seconds. */
const scale = Number(process.env.FUZZ_SCALE ?? 1);
const stallMs = 3000;

let fuzz: FuzzServer;
let port = 0;
let random: SeededRandom;
const streams = Object.values(capturedStreams);
const loginBytes = streams.map((stream) => behindFrames(stream, 3));

before(async () => {
  fuzz = await FuzzServer.start(['--peer-stall-ms', String(stallMs)]);
  port = fuzz.server.amqpPort;
  await fuzz.addQueueClient();
});
after(() => fuzz.close());

/** Where the frames behind the protocol header and `count` frames begin. */
function behindFrames(stream: Buffer, count: number): number {
  let at = 8;
  for (let frame = 0; frame < count; frame += 1) at += stream.readUInt32BE(at + 3) + 8;
  return at;
}

/** Header, login and the opening of channel 1. */
function opening(): Buffer {
  const stream = streams[0]!;
  return Buffer.concat([
    stream.subarray(0, loginBytes[0]),
    encodeMethod(1, 'channelOpen', { outOfBand: '' }),
  ]);
}

function frameOf(
  type: number,
  channel: number,
  payload: Uint8Array,
  claimed = payload.length,
): Buffer {
  const bytes = Buffer.alloc(payload.length + 8);
  bytes[0] = type;
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(claimed >>> 0, 3);
  bytes.set(payload, 7);
  bytes[bytes.length - 1] = 0xce;
  return bytes;
}

function method(classId: number, methodId: number, rest: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(classId, 0);
  head.writeUInt16BE(methodId, 2);
  return Buffer.concat([head, rest]);
}

function randomBytes(lengthMax: number): Buffer {
  return Buffer.from(random.nextBytes(random.nextInt(lengthMax)));
}

/** Each over a connection of its own, some at a time, until the server has closed them. */
async function attack(all: readonly Uint8Array[], ends = true, lanesMax = 32): Promise<Buffer[]> {
  const answers: Buffer[] = [];
  let next = 0;
  const lanes = Array.from({ length: lanesMax }, async () => {
    while (next < all.length) {
      const index = next;
      next += 1;
      answers[index] = await fuzz.sendAndAwaitClose(port, all[index]!, ends);
    }
  });
  await Promise.all(lanes);
  await fuzz.check();
  return answers;
}

function mutate(stream: Buffer, from: number): Buffer {
  let bytes = Buffer.from(stream);
  const changes = 1 + random.nextInt(4);
  for (let change = 0; change < changes && bytes.length > from; change += 1) {
    const at = from + random.nextInt(bytes.length - from);
    switch (random.nextInt(5)) {
      case 0:
        bytes[at] = random.nextInt(256);
        break;
      case 1:
        bytes = bytes.subarray(0, at);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), randomBytes(8), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes, bytes.subarray(at)]);
        break;
      default:
        // Lengths and counts that are as large, or as negative, as can be.
        if (bytes.length >= at + 4) {
          bytes.writeInt32BE(random.pick([-1, -2, 0x7fffffff, 1 << 20]), at);
        }
    }
  }
  return bytes;
}

/** What ends the connection or the channel: its code; 0: closed without a word, or by a heartbeat. */
async function codeOf(client: RawClient, waitMs = patienceMs): Promise<number> {
  for (;;) {
    const next: ReceivedFrame | undefined = await client.take(waitMs);
    if (next === undefined) return 0;
    if (next.method === 'connectionClose' || next.method === 'channelClose') {
      return Number(next.values?.['replyCode']);
    }
  }
}

describe(`the AMQP door against garbage, seed ${seed}`, () => {
  before(() => {
    random = new SeededRandom(seed);
  });

  test('random bytes, from the first on and behind a login', async () => {
    await attack(Array.from({ length: 100 * scale }, () => randomBytes(4000)));
    await attack(
      Array.from({ length: 100 * scale }, () => Buffer.concat([protocolHeader, randomBytes(4000)])),
    );
    await attack(
      Array.from({ length: 100 * scale }, () => Buffer.concat([opening(), randomBytes(4000)])),
    );
  });

  test('frames that are right, with anything in them', async () => {
    const all = Array.from({ length: 300 * scale }, () => {
      const frames = Array.from({ length: 1 + random.nextInt(6) }, () =>
        frameOf(random.pick([1, 1, 2, 3, 8]), random.pick([0, 1, 1, 2, 65_535]), randomBytes(300)),
      );
      return Buffer.concat([opening(), ...frames]);
    });
    await attack(all);
  });

  test('every method, in every state, with arguments that are none', async () => {
    const all: Buffer[] = [];
    for (const { classId, methodId } of Object.values(methods)) {
      for (const channel of [0, 1, 2]) {
        for (const rest of [
          Buffer.alloc(0),
          Buffer.alloc(64),
          Buffer.alloc(64, 0xff),
          randomBytes(90),
        ]) {
          const one = frameOf(frameType.method, channel, method(classId, methodId, rest));
          all.push(Buffer.concat([protocolHeader, one]), Buffer.concat([opening(), one]));
        }
      }
    }
    await attack(all);
  });

  test('real sessions with a few bytes changed, cut, or repeated', async () => {
    const all = Array.from({ length: 300 * scale }, (_, index) => {
      const which = index % streams.length;
      return mutate(streams[which]!, index % 3 === 0 ? 0 : loginBytes[which]!);
    });
    await attack(all);
  });

  test('frames that are too long end the connection at once, with the code for it', async () => {
    for (const length of [131_073, 0x7fffffff, 0xffffffff]) {
      const client = await RawClient.open(port);
      await client.openChannel();
      client.write(frameOf(frameType.body, 1, Buffer.alloc(10), length));
      assert.equal(await codeOf(client), 501);
      client.destroy();
    }
    await fuzz.check();
  });

  for (const [name, rest] of [
    ['a table that says it is longer than its frame', '00000171007fffffff016153'],
    ['a table whose text is longer than it', '000001710000000010016153ffffffff61'],
    ['an array without end', '00000171000000000801614100ffffff'],
    ['a name without end', '0000ff71'],
  ] as const) {
    test(`${name} is a frame that cannot be read, as RabbitMQ says`, async () => {
      const client = await RawClient.open(port);
      await client.openChannel();
      client.method(1, 50, 10, Buffer.from(rest, 'hex'));
      assert.equal(await codeOf(client), 501);
      client.destroy();
      await fuzz.check();
    });
  }

  test('tables inside tables, as deep as a frame is long', async () => {
    const tables: Buffer[] = [];
    const depth = 15_000;
    for (let level = 0; level < depth; level += 1) {
      const head = Buffer.from('00000000016146', 'hex');
      head.writeUInt32BE((depth - level) * 7 - 4, 0);
      tables.push(head);
    }
    const rest = Buffer.concat([Buffer.from('0000017100', 'hex'), ...tables, Buffer.alloc(4)]);
    const client = await RawClient.open(port);
    await client.openChannel();
    client.method(1, 50, 10, rest);
    assert.ok((await codeOf(client)) >= 500);
    client.destroy();
    await fuzz.check();
  });

  test('bodies that are announced longer than allowed, or negative, or other than they are', async () => {
    for (const [announced, sent, code] of [
      [20 * MIB, 0, 406],
      [-1, 0, 406],
      [10, 20, 501],
    ] as const) {
      const client = await RawClient.open(port);
      await client.openChannel();
      publish(client, 'nowhere', undefined);
      const header = Buffer.alloc(14);
      header.writeUInt16BE(60, 0);
      header.writeBigInt64BE(BigInt(announced), 4);
      client.frame(frameType.header, 1, header);
      if (sent > 0) client.frame(frameType.body, 1, Buffer.alloc(sent));
      assert.equal(await codeOf(client), code, `${announced} announced, ${sent} sent`);
      client.destroy();
    }
    await fuzz.check();
  });

  test('a frame that is begun and never ended is given up', async () => {
    const half: Buffer[] = Array.from({ length: 50 }, () =>
      Buffer.concat([
        opening(),
        frameOf(frameType.body, 1, randomBytes(2000), 4000).subarray(0, -1),
      ]),
    );
    half.push(streams[0]!.subarray(0, 40));
    await attack(half, false, half.length);
  });

  test('2047 channels, each with a consumer; one more ends the connection', async () => {
    const name = await declareQueue('crowded');
    const client = await RawClient.open(port);
    const pieces: Buffer[] = [];
    for (let channel = 1; channel <= 2047; channel += 1) {
      pieces.push(encodeMethod(channel, 'channelOpen', { outOfBand: '' }));
      pieces.push(consumeBytes(channel, name, false));
    }
    client.write(Buffer.concat(pieces));
    for (let seen = 0; seen < 2047; seen += 1) await client.next('basicConsumeOk');
    await fuzz.check();
    client.send(2048, 'channelOpen', { outOfBand: '' });
    assert.equal(await codeOf(client), 530);
    client.destroy();
    await fuzz.check();
  });

  test('a channel that has too many consumers', async () => {
    const name = await declareQueue('many-consumers');
    const client = await RawClient.open(port);
    await client.openChannel();
    const pieces = Array.from({ length: 10_001 }, (_, each) =>
      consumeBytes(1, name, false, `c${each}`),
    );
    client.write(Buffer.concat(pieces));
    assert.ok((await codeOf(client)) > 0);
    client.destroy();
    await fuzz.check();
  });

  test('channels that are opened and closed, and queues that are made, without reading an answer', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(port)));
    for (const client of clients) {
      client.socket.pause();
      const pieces: Buffer[] = [];
      for (let each = 0; each < 3000 * scale; each += 1) {
        pieces.push(
          encodeMethod(1, 'channelOpen', { outOfBand: '' }),
          encodeMethod(1, 'queueDeclare', {
            ...{ ticket: 0, queue: '', passive: false, durable: false, exclusive: true },
            ...{ autoDelete: false, nowait: false, arguments: emptyTable },
          }),
          encodeMethod(1, 'channelClose', {
            ...{ replyCode: 200, replyText: '', failedClassId: 0, failedMethodId: 0 },
          }),
        );
      }
      client.write(Buffer.concat(pieces));
    }
    await pause(500);
    await fuzz.check();
    for (const client of clients) client.destroy();
    await fuzz.check();
  });

  test('publishers that read no confirm and no returned message', async () => {
    const abortedBefore = await fuzz.metric('pabal_connections_aborted_total{door="amqp"}');
    const clients = await Promise.all(Array.from({ length: 40 }, () => RawClient.open(port)));
    const body = Buffer.alloc(100_000, 'r');
    const message = Buffer.concat([
      encodeMethod(1, 'basicPublish', {
        ...{ ticket: 0, exchange: '', routingKey: 'nowhere', mandatory: true, immediate: false },
      }),
      frameOf(frameType.header, 1, headerOf(body.length)),
      frameOf(frameType.body, 1, body),
    ]);
    for (const client of clients) {
      await client.openChannel();
      client.send(1, 'confirmSelect', { nowait: true });
      client.socket.pause();
      // Each asks for 16 MB to be sent back: 640 MB together.
      for (let each = 0; each < 160; each += 1) client.write(message);
    }
    await pause(stallMs);
    await fuzz.check();
    await fuzz.reached('pabal_connections_aborted_total{door="amqp"}', abortedBefore + 30);
    for (const client of clients) client.destroy();
    await fuzz.check();
  });

  test('consumers that read nothing, and consumers that never acknowledge', async () => {
    const name = await declareQueue('backlog');
    await fill(name, 1000, Buffer.alloc(50_000, 'b'));
    const stored = await countOf(name);
    const clients = await Promise.all(Array.from({ length: 60 }, () => RawClient.open(port)));
    for (const [index, client] of clients.entries()) {
      await client.openChannel();
      if (index % 2 === 0) client.socket.pause();
      consume(client, 1, name, false);
    }
    await pause(stallMs);
    await fuzz.check();
    for (const client of clients) client.destroy();
    await fuzz.check();
    assert.equal(await awaitCount(name, stored), stored, 'all of them are given back');
  });

  test('nothing is left behind', async () => {
    await fuzz.reached('pabal_connections{door="amqp"}', 1, true);
    await fuzz.check();
  });
});

function headerOf(bodyBytes: number): Buffer {
  const header = Buffer.alloc(14);
  header.writeUInt16BE(60, 0);
  header.writeUInt32BE(bodyBytes, 8);
  return header;
}

function publish(client: RawClient, routingKey: string, body: Buffer | undefined): void {
  client.send(1, 'basicPublish', {
    ...{ ticket: 0, exchange: '', routingKey, mandatory: false, immediate: false },
  });
  if (body === undefined) return;
  client.frame(frameType.header, 1, headerOf(body.length));
  client.frame(frameType.body, 1, body);
}

/**
 * Publishes so many messages. Where the machine stands still in the middle of a frame, a publisher is a peer that stalls,
 * and is cut off: another goes on, and what the first had not heard of may be there twice.
 */
async function fill(queue: string, count: number, body: Buffer): Promise<void> {
  const endMs = Date.now() + patienceMs;
  let confirmed = 0;
  while (confirmed < count) {
    const earlier = confirmed;
    const publisher = await RawClient.open(port);
    try {
      await publisher.openChannel();
      publisher.send(1, 'confirmSelect', { nowait: false });
      await publisher.next('confirmSelectOk');
      for (let each = earlier; each < count; each += 1) publish(publisher, queue, body);
      while (confirmed < count) {
        confirmed = earlier + (await publisher.next('basicAck')).deliveryTag;
      }
    } catch (error) {
      if (!publisher.isClosed || Date.now() > endMs) throw error;
    } finally {
      publisher.destroy();
    }
  }
}

function consume(client: RawClient, channel: number, queue: string, noAck: boolean): void {
  client.write(consumeBytes(channel, queue, noAck));
}

function consumeBytes(channel: number, queue: string, noAck: boolean, consumerTag = 'c'): Buffer {
  return encodeMethod(channel, 'basicConsume', {
    ...{ ticket: 0, queue, consumerTag, noLocal: false, noAck, exclusive: false },
    ...{ nowait: false, arguments: emptyTable },
  });
}

async function declareQueue(name: string): Promise<string> {
  await countOf(name);
  return name;
}

/** Messages that wait in a queue, which is made when it is not there. */
async function countOf(queue: string): Promise<number> {
  const client = await RawClient.open(port);
  await client.openChannel();
  client.send(1, 'queueDeclare', {
    ...{ ticket: 0, queue, passive: false, durable: true, exclusive: false },
    ...{ autoDelete: false, nowait: false, arguments: emptyTable },
  });
  const { messageCount } = await client.next('queueDeclareOk');
  client.destroy();
  return messageCount;
}

async function awaitCount(queue: string, wanted: number): Promise<number> {
  const endMs = Date.now() + patienceMs;
  for (;;) {
    const count = await countOf(queue);
    if (count === wanted || Date.now() > endMs) return count;
    await pause(50);
  }
}
