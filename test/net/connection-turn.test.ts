import assert from 'node:assert/strict';
import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { SystemClock } from '../../src/base/index.ts';
import { Connection, DoorMetrics, LogLimiter, silentLog } from '../../src/net/index.ts';

/** A clock whose turns end when the test says so. */
class TurnClock extends SystemClock {
  readonly #waiting: Array<() => void> = [];

  override setAfterIo(callback: () => void): void {
    this.#waiting.push(callback);
  }

  endTurn(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}

describe('a connection whose peer sends without end', () => {
  it('is read no further in one turn than others can wait for', async (t) => {
    const clock = new TurnClock();
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address !== 'string');
    const client = connect(address.port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    t.after(() => {
      client.destroy();
      socket.destroy();
      server.close();
    });
    const seen = { bytes: 0 };
    const connection = new Connection({
      id: 1,
      socket,
      limits: { sendBufferBytesMax: 1, sendStallMs: 1000, frameStallMs: 1000, idleMs: 1000 },
      clock,
      log: silentLog,
      logLimiter: new LogLimiter(clock),
      metrics: new DoorMetrics(),
      sendLedger: { queuedBytes: 0 },
    });
    connection.attach(
      {
        receive: (chunk) => {
          seen.bytes += chunk.length;
        },
        sendable: () => undefined,
        closed: () => undefined,
        drain: () => undefined,
        isMidFrame: false,
        frameCount: 0,
        isBusy: true,
      },
      () => undefined,
    );
    const total = 1024 * 1024;
    client.write(Buffer.alloc(total));
    const turnBytesMost = 192 * 1024;
    let turns = 0;
    while (seen.bytes < total) {
      const before = seen.bytes;
      while (!socket.isPaused() && seen.bytes < total) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.ok(seen.bytes - before <= turnBytesMost, `${seen.bytes - before} bytes in one turn`);
      turns += 1;
      clock.endTurn();
    }
    assert.ok(turns >= total / turnBytesMost);
  });
});
