import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SeededRandom } from '../../src/testing/index.ts';
import { pause } from '../crash/broker-process.ts';
import { patienceMs } from '../support/patience.ts';
import { FuzzServer } from './fuzz-server.ts';

const seed = Number(process.env.FUZZ_SEED ?? 1);
const scale = Number(process.env.FUZZ_SCALE ?? 1);
const stallMs = 3000;

let fuzz: FuzzServer;

before(async () => {
  fuzz = await FuzzServer.start(['--peer-stall-ms', String(stallMs)]);
});
after(() => fuzz.close());

function send(text: string | Uint8Array, ends = true): Promise<Buffer> {
  return fuzz.sendAndAwaitClose(fuzz.server.adminPort, Buffer.from(text), ends);
}

function statusOf(answer: Buffer): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer.toString('latin1'))?.[1] ?? 0);
}

const post =
  'POST /api/v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

describe(`the admin door against garbage, seed ${seed}`, () => {
  test('random bytes and requests that are nearly right', async () => {
    const random = new SeededRandom(seed);
    const request = `${post}Content-Length: 17\r\nConnection: close\r\n\r\n{"name":"orders"}`;
    for (let each = 0; each < 200 * scale; each++) {
      const bytes = Buffer.from(each % 2 === 0 ? random.nextBytes(random.nextInt(2000)) : request);
      const changes = each % 2 === 0 ? 0 : 3;
      for (let change = 0; change < changes; change++) {
        bytes[random.nextInt(bytes.length)] = random.nextInt(256);
      }
      await send(bytes);
    }
    await fuzz.check();
  });

  for (const [name, request, status] of [
    ['a header that never ends', `GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`, 431],
    ['a body that is announced too long', `${post}Content-Length: 99999999999\r\n\r\n{`, 413],
    ['a negative length', `${post}Content-Length: -1\r\n\r\n{}`, 400],
    ['two lengths', `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`, 400],
    ['a chunk without end', `${post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n`, 400],
    ['no host', 'GET /health/live HTTP/1.1\r\n\r\n', 400],
    ['a foreign host', 'GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n', 421],
  ] as const) {
    test(`${name} is answered with ${status}`, async () => {
      assert.equal(statusOf(await send(request, false)), status);
      await fuzz.check();
    });
  }

  test('a body of more bytes than are allowed is not kept', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const bodies = Array.from({ length: 8 }, () =>
      send(`${post}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(400)}`, false),
    );
    for (const answer of await Promise.all(bodies)) {
      // It may have closed before all was sent, and the answer be lost with the connection; or it took too long.
      assert.ok([0, 408, 413].includes(statusOf(answer)), answer.toString('latin1', 0, 200));
    }
    await fuzz.check();
  });

  test('a peer that sends drop by drop is cut off', async () => {
    const openings = ['GET / HTTP/1.1\r\nX-Slow: ', `${post}Content-Length: 1000\r\n\r\n{`];
    const sockets = Array.from({ length: 100 }, (_, index) => {
      const socket = fuzz.connect(fuzz.server.adminPort);
      socket.write(openings[index % 2] ?? '');
      socket.resume();
      return socket;
    });
    const dripping = setInterval(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write('a');
    }, 50);
    try {
      const closed = sockets.map(
        (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
      );
      await fuzz.patiently(Promise.all(closed), 'a slow peer is not cut off');
    } finally {
      clearInterval(dripping);
    }
    await fuzz.check();
  });

  test('idle connections beyond the limit are refused, and others are served again after', async () => {
    const sockets = Array.from({ length: 700 }, () => fuzz.connect(fuzz.server.adminPort));
    const closed = new Set();
    for (const socket of sockets) socket.once('close', () => closed.add(socket));
    const deadlineMs = Date.now() + patienceMs;
    while (closed.size < 150 && Date.now() < deadlineMs) await pause(10);
    assert.ok(closed.size >= 150, `only ${closed.size} were refused`);
    for (const socket of sockets) socket.destroy();
    await pause(200);
    await fuzz.check();
  });
});
