import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { decodeResponse } from '../../../src/doors/kafka/wire/index.ts';
import { until } from '../../support/until.ts';
import { batchOf, openDoor, produceTo } from './door-fixture.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** A frame with a request header of version 1 and nothing behind it. */
function frameOf(apiKey: number, version: number, correlationId: number): Buffer {
  const body = Buffer.alloc(10);
  body.writeInt16BE(apiKey, 0);
  body.writeInt16BE(version, 2);
  body.writeInt32BE(correlationId, 4);
  body.writeInt16BE(-1, 8);
  return Buffer.concat([int32(body.length), body]);
}

for (const { what, bytes } of [
  { what: 'a negative length', bytes: int32(-5) },
  { what: 'a huge length', bytes: int32(0x7fffffff) },
  { what: 'an empty frame', bytes: int32(0) },
  { what: 'a frame without a whole header', bytes: Buffer.concat([int32(3), Buffer.alloc(3)]) },
  { what: 'an HTTP request', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n') },
  { what: 'an unknown API key', bytes: frameOf(9999, 0, 1) },
  { what: 'a version that is gone', bytes: frameOf(0, 0, 1) },
  { what: 'a version that is not there yet', bytes: frameOf(3, 99, 1) },
  { what: 'a body that ends early', bytes: frameOf(3, 1, 1) },
]) {
  test(`${what} closes the connection, and the others go on`, async (t) => {
    const { complaints, connect: connectClient, door } = await openDoor(t);
    const client = await connectClient();
    const bad = await connectClient();
    bad.socket.write(bytes);
    await bad.closed();
    await client.ask('ApiVersions', 0, {});
    assert.equal(complaints.length, 1);
    assert.equal(door.metrics.connectionsAborted, 1);
    await until(() => door.metrics.connectionsOpen === 1);
  });
}

test('what was asked before the garbage is answered', async (t) => {
  const { connect: connectClient } = await openDoor(t);
  const client = await connectClient();
  const answer = client.ask('Metadata', 1, { topics: null });
  await answer;
  client.socket.write(int32(-1));
  await client.closed();
});

test('an unknown version of ApiVersions is answered with what is supported', async (t) => {
  const { connect: connectClient } = await openDoor(t);
  const client = await connectClient();
  client.socket.write(frameOf(18, 99, 77));
  const frame = await client.nextFrame(77);
  const { body } = decodeResponse('ApiVersions', 0, frame);
  assert.equal(body.errorCode, errorCodes.UNSUPPORTED_VERSION);
  assert.ok(body.apiKeys.some(({ apiKey }) => apiKey === 18));
});

for (const version of [0, 1, 2, 3, 4]) {
  test(`ApiVersions ${version} lists what the door answers`, async (t) => {
    const { connect: connectClient } = await openDoor(t);
    const client = await connectClient();
    const response = await client.ask('ApiVersions', version, {
      clientSoftwareName: 'test-client',
      clientSoftwareVersion: '1.0',
    });
    assert.equal(response.errorCode, errorCodes.NONE);
    const produce = response.apiKeys.find(({ apiKey }) => apiKey === 0);
    assert.deepEqual(produce, { apiKey: 0, minVersion: 0, maxVersion: 13 });
  });
}

test('a software name that Kafka refuses is refused', async (t) => {
  const { connect: connectClient } = await openDoor(t);
  const client = await connectClient();
  const response = await client.ask('ApiVersions', 3, {
    clientSoftwareName: 'no spaces please',
    clientSoftwareVersion: '1.0',
  });
  assert.equal(response.errorCode, errorCodes.INVALID_REQUEST);
});

test('a request that arrives byte by byte is answered', async (t) => {
  const { connect: connectClient } = await openDoor(t);
  const client = await connectClient();
  client.socket.setNoDelay(true);
  const { bytes, correlationId } = client.encode('Metadata', 9, { topics: null });
  for (const byte of bytes) {
    client.socket.write(Buffer.from([byte]));
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  await client.nextFrame(correlationId);
});

test('half a frame and then nothing is given up', async (t) => {
  const { complaints, connect: connectClient } = await openDoor(t, {
    limits: { frameStallMs: 40 },
  });
  const client = await connectClient();
  client.socket.write(Buffer.concat([int32(1000), Buffer.alloc(10)]));
  await client.closed();
  assert.match(JSON.stringify(complaints), /not completed in time/);
});

test('a connection without requests is closed, one that waits for an answer is not', async (t) => {
  const clock = new SkippingClock(true);
  const {
    broker,
    connect: connectClient,
    createTopic,
    door,
  } = await openDoor(t, { limits: { idleMs: 40 }, clock });
  await createTopic('orders');
  broker.commits.areHeld = true;
  const busy = await connectClient();
  const answer = busy.ask('Produce', 9, produceTo('orders', batchOf({ values: ['a'] })));
  const idle = await connectClient();
  await until(() => broker.commits.waitingCount === 1 && door.metrics.connectionsOpen === 2);
  // It is looked for some times in that time.
  while (!idle.isClosed) {
    clock.skip(10);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  assert.equal(busy.isClosed, false);
  broker.commits.run();
  await answer;
});

test('a peer that reads nothing costs a bounded amount and is disconnected', async (t) => {
  const { complaints, door, createTopic } = await openDoor(t, {
    limits: { sendStallMs: 60, sendBufferBytesMax: 100_000 },
  });
  await createTopic('orders', 2000);
  const socket = connect(door.port, '127.0.0.1');
  await once(socket, 'connect');
  t.after(() => socket.destroy());
  // Some 60 KB of answer each, of which nothing is read.
  const bytes = Buffer.concat(
    Array.from({ length: 2000 }, (_, index) => {
      const frame = Buffer.alloc(18);
      frame.writeInt32BE(14, 0);
      frame.writeInt16BE(3, 4);
      frame.writeInt16BE(1, 6);
      frame.writeInt32BE(index, 8);
      frame.writeInt16BE(-1, 12);
      frame.writeInt32BE(-1, 14);
      return frame;
    }),
  );
  socket.write(bytes);
  await until(() => door.metrics.connectionsAborted === 1);
  assert.match(JSON.stringify(complaints), /takes no bytes/);
  const { count } = door.metrics.forRequest('Metadata');
  assert.ok(count < 1000, `${count} of 2000 requests were answered into the void`);
  await until(() => door.metrics.connectionsOpen === 0);
});

test('the connection beyond the limit is closed at once', async (t) => {
  const { connect: connectClient, door } = await openDoor(t, { limits: { connectionsMax: 2 } });
  const first = await connectClient();
  await connectClient();
  await first.ask('ApiVersions', 0, {});
  const third = await connectClient();
  await third.closed();
  assert.equal(door.metrics.connectionsRefused, 1);
  first.close();
  await until(() => door.metrics.connectionsOpen === 1);
  const fourth = await connectClient();
  await fourth.ask('ApiVersions', 0, {});
});

test('frames that fill the memory wait for one another, and all are answered', async (t) => {
  const { connect: connectClient, createTopic } = await openDoor(t, {
    limits: { inFlightBytesMax: 150_000 },
  });
  const [partition] = await createTopic('orders');
  const clients = await Promise.all([1, 2, 3, 4, 5].map(() => connectClient()));
  const values = ['x'.repeat(400_000)];
  const answers = clients.map((client) =>
    client.ask('Produce', 9, produceTo('orders', batchOf({ values }))),
  );
  await Promise.all(answers);
  assert.equal(partition?.highWatermark, 5);
});

test('more requests than may be handled at once are answered in order', async (t) => {
  const {
    broker,
    connect: connectClient,
    createTopic,
  } = await openDoor(t, {
    limits: { inFlightRequestsMax: 3 },
  });
  await createTopic('orders');
  const client = await connectClient();
  broker.commits.areHeld = true;
  const answers = Array.from({ length: 10 }, () =>
    client.ask('Produce', 9, produceTo('orders', batchOf({ values: ['a'] }))),
  );
  await until(() => broker.commits.waitingCount === 3);
  // Another client's request and answer: by then the rest would have been read, too.
  await (await connectClient()).ask('ApiVersions', 0, {});
  assert.equal(broker.commits.waitingCount, 3);
  broker.commits.areHeld = false;
  broker.commits.run();
  const offsets = (await Promise.all(answers)).map(
    (response) => response.responses[0]?.partitionResponses[0]?.baseOffset,
  );
  assert.deepEqual(offsets, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('more requests than a second allows wait for the next, and all are answered in order', async (t) => {
  const clock = new SkippingClock(true);
  const {
    broker,
    connect: connectClient,
    createTopic,
  } = await openDoor(t, { limits: { requestsPerSecondMax: 40 }, clock });
  await createTopic('orders');
  const client = await connectClient();
  broker.commits.areHeld = true;
  const answers = Array.from({ length: 60 }, () =>
    client.ask('Produce', 9, produceTo('orders', batchOf({ values: ['a'] }))),
  );
  await until(() => broker.commits.waitingCount === 40);
  // Another connection has an allowance of its own.
  await (await connectClient()).ask('ApiVersions', 0, {});
  assert.equal(broker.commits.waitingCount, 40);
  clock.skip(500);
  await until(() => broker.commits.waitingCount === 60);
  broker.commits.areHeld = false;
  broker.commits.run();
  const offsets = (await Promise.all(answers)).map(
    (response) => response.responses[0]?.partitionResponses[0]?.baseOffset,
  );
  assert.deepEqual(
    offsets,
    offsets.map((_, index) => index),
  );
});

test('closing the door answers what has begun, and nothing else', async (t) => {
  const { broker, connect: connectClient, createTopic, door } = await openDoor(t);
  const [partition] = await createTopic('orders');
  const producer = await connectClient();
  const consumer = await connectClient();
  const idle = await connectClient();
  await idle.ask('ApiVersions', 0, {});
  broker.commits.areHeld = true;
  const produced = producer.ask('Produce', 9, produceTo('orders', batchOf({ values: ['a'] })));
  const fetched = consumer.ask('Fetch', 12, {
    maxWaitMs: 60_000,
    minBytes: 1,
    topics: [
      { topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] },
    ],
    forgottenTopicsData: [],
  });
  await until(() => broker.commits.waitingCount === 1 && partition!.waiterCount === 1);
  const closed = door.close(120_000);
  assert.deepEqual((await fetched).responses[0]?.partitions[0]?.records?.length, 0);
  await idle.closed();
  broker.commits.run();
  await produced;
  await closed;
  await assert.rejects(connectClient());
});
