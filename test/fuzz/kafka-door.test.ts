import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { apiKeys, encodeRequest } from '../../src/doors/kafka/wire/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { pause } from '../crash/broker-process.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';
import { patienceMs } from '../support/patience.ts';
import { FuzzServer } from './fuzz-server.ts';

const seed = Number(process.env.FUZZ_SEED ?? 1);
/** 1: some seconds. */
const scale = Number(process.env.FUZZ_SCALE ?? 1);
const connectionsMax = 200;
const stallMs = 3000;
const abortedSeries = 'pabal_connections_aborted_total{door="kafka"}';

const fixtures = readFileSync(
  path.resolve(import.meta.dirname, '../doors/kafka/wire/fixtures/captured-requests.txt'),
  'utf8',
)
  .trimEnd()
  .split('\n')
  .map((line) => Buffer.from(line.split(' ')[3] ?? '', 'hex'));

let fuzz: FuzzServer;
let random: SeededRandom;

before(async () => {
  fuzz = await FuzzServer.start([
    ...['--peer-stall-ms', String(stallMs)],
    ...['--connections-max', String(connectionsMax)],
  ]);
});
after(() => fuzz.close());

/** Sends each of `all` over a connection of its own, some at a time, and waits until the server has closed them. */
async function attack(all: readonly Uint8Array[], ends = true, lanesMax = 32): Promise<void> {
  const queue = [...all];
  const port = fuzz.server.kafkaPort;
  const lanes = Array.from({ length: lanesMax }, async () => {
    for (let bytes = queue.pop(); bytes !== undefined; bytes = queue.pop()) {
      await fuzz.sendAndAwaitClose(port, bytes, ends);
    }
  });
  await Promise.all(lanes);
  await fuzz.check();
}

function framed(content: Uint8Array, claimedBytes = content.length): Buffer {
  const frame = Buffer.alloc(4 + content.length);
  frame.writeInt32BE(claimedBytes | 0, 0);
  frame.set(content, 4);
  return frame;
}

function randomBytes(lengthMax: number): Buffer {
  return Buffer.from(random.nextBytes(random.nextInt(lengthMax)));
}

describe(`the Kafka door against garbage, seed ${seed}`, () => {
  before(() => {
    random = new SeededRandom(seed);
  });

  test('random bytes', async () => {
    await attack(Array.from({ length: 300 * scale }, () => randomBytes(4000)));
    // Where the first bytes are taken for a length that is allowed, the rest is taken for a frame.
    await attack(Array.from({ length: 300 * scale }, () => framed(randomBytes(2000))));
  });

  test('lengths that cannot be close the connection at once', async () => {
    const lengths = [-1, -(2 ** 31), 2 ** 31 - 1, 100 * 1024 * 1024 + 1];
    await attack(
      lengths.map((length) => framed(Buffer.from('0012', 'hex'), length)),
      false,
    );
    const small = Array.from({ length: 12 }, (_, length) => framed(Buffer.alloc(length)));
    await attack(small);
  });

  test('a frame that is begun and never ended is given up', async () => {
    const frames = Array.from({ length: 100 }, () =>
      framed(randomBytes(64 * 1024), 1 + random.nextInt(100 * 1024 * 1024)),
    );
    frames.push(Buffer.alloc(1), Buffer.alloc(3));
    // The frame that is complete by chance is garbage and ends the connection, too.
    await attack(frames, false, frames.length);
  });

  test('a valid header with garbage behind it, for every API and version', async () => {
    const requests: Buffer[] = [];
    for (let key = -1; key < 100; key++) {
      const api = Object.values(apiKeys).find((one) => one.key === key);
      const versions = api?.versions ?? { min: 0, max: 1 };
      for (let version = versions.min - 1; version <= versions.max + 1; version++) {
        for (let each = 0; each < scale; each++) {
          const content = randomBytes(200);
          const header = Buffer.alloc(11);
          header.writeInt16BE(key, 0);
          header.writeInt16BE(version, 2);
          header.writeInt32BE(7, 4);
          header.writeInt16BE(1, 8);
          header.write('c', 10);
          // Flexible headers have a byte for tags.
          requests.push(framed(Buffer.concat([header, Buffer.alloc(random.nextInt(2)), content])));
        }
      }
    }
    await attack(requests);
  });

  test('real requests with a few bytes changed, cut, or repeated', async () => {
    const streams = Array.from({ length: 250 * scale }, () => {
      const frames = Array.from({ length: 1 + random.nextInt(8) }, () => {
        const frame = Buffer.from(fixtures[random.nextInt(fixtures.length)] ?? []);
        return framed(mutate(frame));
      });
      return Buffer.concat(frames);
    });
    await attack(streams);
  });

  test('clients that ask for much and read nothing', async () => {
    await fuzz.produceBulk('bulk', 24 * 1024 * 1024);
    const request = Buffer.concat(
      encodeRequest('Fetch', 11, 1, 'greedy', {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes: 0x7fffffff,
        sessionEpoch: -1,
        topics: [
          {
            topic: 'bulk',
            partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 0x7fffffff }],
          },
        ],
        forgottenTopicsData: [],
      }),
    );
    const abortedBefore = await fuzz.metric(abortedSeries);
    const sockets = Array.from({ length: 150 }, () => fuzz.connect(fuzz.server.kafkaPort));
    for (const socket of sockets) {
      socket.pause();
      socket.write(Buffer.concat(Array.from({ length: 20 }, () => request)));
    }
    await pause(stallMs / 2);
    await fuzz.check();
    // Peers that take no bytes of what waits for them are disconnected; those for whom there was no memory may stay.
    const deadlineMs = Date.now() + patienceMs;
    let aborted = 0;
    while (aborted < abortedBefore + 16 && Date.now() < deadlineMs) {
      await pause(50);
      aborted = await fuzz.metric(abortedSeries);
    }
    assert.ok(
      aborted >= abortedBefore + 16,
      `${aborted - abortedBefore} of ${sockets.length} were disconnected`,
    );
    await fuzz.check();
    for (const socket of sockets) socket.destroy();
  });

  test('more connections than are allowed', async () => {
    const port = fuzz.server.kafkaPort;
    const sockets = Array.from({ length: connectionsMax * 3 }, () => fuzz.connect(port));
    const closed = new Set();
    for (const socket of sockets) socket.once('close', () => closed.add(socket));
    const deadlineMs = Date.now() + patienceMs;
    while (closed.size < connectionsMax * 2 && Date.now() < deadlineMs) await pause(10);
    assert.ok(closed.size >= connectionsMax * 2, `only ${closed.size} were refused`);
    await fuzz.check();
    for (const socket of sockets) socket.destroy();
    for (;;) {
      // Until the server has seen that they are gone, there is no place.
      const late = await WireClient.connect(port);
      const answer = await late.ask('ApiVersions', 0, {}).catch(() => undefined);
      late.close();
      if (answer?.errorCode === 0) return;
      assert.ok(Date.now() < deadlineMs + patienceMs, 'nobody is let in any more');
      await pause(20);
    }
  });

  test('nothing is left behind', async () => {
    const series = 'pabal_connections{door="kafka"}';
    const deadlineMs = Date.now() + patienceMs;
    let open = Number.NaN;
    while (Date.now() < deadlineMs && open !== 1) {
      await pause(50);
      open = await fuzz.metric(series);
    }
    assert.equal(open, 1, 'only the honest client is connected');
    await fuzz.check();
  });
});

function mutate(frame: Buffer): Buffer {
  const changes = 1 + random.nextInt(4);
  let bytes = frame;
  for (let change = 0; change < changes; change++) {
    const at = random.nextInt(bytes.length || 1);
    switch (random.nextInt(5)) {
      case 0:
        bytes = Buffer.from(bytes);
        if (bytes.length > 0) bytes[at] = random.nextInt(256);
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
        bytes = Buffer.from(bytes);
        // Lengths and counts that are as large, or as negative, as can be.
        if (bytes.length >= at + 4)
          bytes.writeInt32BE(random.pick([-1, -2, 0x7fffffff, 1 << 20]), at);
    }
  }
  return bytes;
}
