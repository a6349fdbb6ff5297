import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { limits, ProtocolError, SystemClock } from '../../src/base/index.ts';
import {
  type Connection,
  type ConnectionProtocol,
  Listener,
  type ListenerOptions,
  readHold,
  silentLog,
} from '../../src/net/index.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { until } from '../support/until.ts';

/** Echoes what it receives, and does what a test tells it. */
class Echo implements ConnectionProtocol {
  readonly connection: Connection;
  isMidFrame = false;
  frameCount = 0;
  isBusy = false;
  wasClosed = false;
  sendableCount = 0;
  received = 0;
  onReceive: (chunk: Uint8Array) => void;

  constructor(connection: Connection) {
    this.connection = connection;
    this.onReceive = (chunk) => connection.send(chunk);
  }

  receive(chunk: Uint8Array): void {
    this.received += chunk.length;
    this.onReceive(chunk);
  }

  sendable(): void {
    this.sendableCount += 1;
  }

  closed(): void {
    this.wasClosed = true;
  }

  drain(): void {
    this.connection.end();
  }
}

async function open(t: TestContext, options: Partial<ListenerOptions> = {}) {
  const echoes: Echo[] = [];
  const listener = await Listener.open({
    host: '127.0.0.1',
    port: 0,
    clock: new SystemClock(),
    log: silentLog,
    createProtocol(connection) {
      const echo = new Echo(connection);
      echoes.push(echo);
      return echo;
    },
    ...options,
  });
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await listener.close(0);
  });
  const dial = async (): Promise<Socket> => {
    const socket = connect(listener.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  return { listener, echoes, dial };
}

/** Bytes that come until there are `length` of them. */
async function read(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    bytes += chunk.length;
  });
  await until(() => bytes >= length);
  return Buffer.concat(chunks);
}

test('what is sent in one turn arrives complete and in order, small pieces and large ones', async (t) => {
  const { echoes, dial } = await open(t);
  const socket = await dial();
  const pieces: Buffer[] = [];
  for (let index = 0; index < 2000; index += 1) {
    const length = index % 50 === 0 ? 60_000 : (index * 37) % 3000;
    pieces.push(Buffer.alloc(length, index % 251));
  }
  const whole = Buffer.concat(pieces);
  await until(() => echoes.length === 1);
  echoes[0]!.onReceive = () => {
    for (const piece of pieces) echoes[0]!.connection.send(piece);
  };
  socket.write('go');
  const received = await read(socket, whole.length);
  assert.ok(received.equals(whole));
});

test('replies of one turn leave in one write', async (t) => {
  const sockets: Socket[] = [];
  const { echoes, dial } = await open(t, {
    createServer: (onSocket) =>
      createServer((accepted) => {
        sockets.push(accepted);
        onSocket(accepted);
      }),
  });
  const socket = await dial();
  await until(() => echoes.length === 1);
  echoes[0]!.onReceive = () => {
    for (let index = 0; index < 100; index += 1) echoes[0]!.connection.send(Buffer.from('reply'));
  };
  const write = t.mock.method(sockets[0]!, 'write');
  socket.resume();
  socket.write('go');
  await until(() => socket.bytesRead === 500);
  assert.equal(write.mock.callCount(), 1);
});

test('a peer that does not read is not read from, until it takes bytes again', async (t) => {
  const { echoes, dial, listener } = await open(t, { limits: { sendBufferBytesMax: 1_000_000 } });
  const socket = await dial();
  await until(() => echoes.length === 1);
  const [echo] = echoes;
  const total = 64 * 1024 * 1024;
  const block = Buffer.alloc(1024 * 1024);
  for (let sent = 0; sent < total; sent += block.length) socket.write(block);
  await until(() => echo!.connection.isSendBlocked);
  const stopped = echo!.received;
  // What the kernels hold, the mark and the chunks on the way: far from all.
  assert.ok(stopped < total / 2, `${stopped} bytes were read`);
  assert.ok(listener.sendLedger.queuedBytes < 3_000_000);
  socket.resume();
  await until(() => socket.bytesRead === total);
  assert.ok(echo!.sendableCount > 0);
  await until(() => listener.sendLedger.queuedBytes === 0);
  assert.equal(listener.metrics.bytesSent, total);
});

test('while others have much waiting a peer gets little, and is told when it may have more', async (t) => {
  const sendLedger = { queuedBytes: 0 };
  const { echoes, dial } = await open(t, { sendLedger });
  const socket = await dial();
  socket.pause();
  await until(() => echoes.length === 1);
  const [echo] = echoes;
  const { connection } = echo!;
  // What the kernels hold; a part of the next stays here.
  while (connection.queuedBytes < 4 * limits.crowdedSendBufferBytesMax) {
    connection.send(Buffer.alloc(1024 * 1024));
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  assert.equal(connection.isSendBlocked, false);
  const others = limits.sendQueuesBytesMax;
  sendLedger.queuedBytes += others;
  assert.equal(connection.isSendBlocked, true);
  socket.resume();
  await until(() => echo!.sendableCount === 1);
  assert.equal(connection.isSendBlocked, false);
  sendLedger.queuedBytes -= others;
});

test('a peer that takes no bytes is disconnected, and what waited for it is dropped', async (t) => {
  const { echoes, dial, listener } = await open(t, { limits: { sendStallMs: 40 } });
  const socket = await dial();
  socket.pause();
  await until(() => echoes.length === 1);
  echoes[0]!.onReceive = () => echoes[0]!.connection.send(Buffer.alloc(32 * 1024 * 1024));
  socket.write('go');
  await until(() => echoes[0]!.wasClosed);
  assert.equal(listener.sendLedger.queuedBytes, 0);
  assert.equal(listener.metrics.connectionsAborted, 1);
});

test('a frame that does not go on is given up; one that we do not read on is not', async (t) => {
  const { echoes, dial } = await open(t, { limits: { frameStallMs: 40 } });
  await dial();
  await dial();
  await until(() => echoes.length === 2);
  const [stalled, held] = echoes;
  held!.connection.hold(readHold.protocol);
  stalled!.isMidFrame = true;
  held!.isMidFrame = true;
  await until(() => stalled!.wasClosed);
  assert.equal(held!.wasClosed, false);
});

test('an idle connection is closed; one with work or with news is not', async (t) => {
  const clock = new SkippingClock(true);
  const { echoes, dial } = await open(t, { limits: { idleMs: 60 }, clock });
  await dial();
  const lively = await dial();
  await dial();
  await until(() => echoes.length === 3);
  echoes[2]!.isBusy = true;
  while (!echoes[0]!.wasClosed) {
    const { received } = echoes[1]!;
    lively.write('x');
    await until(() => echoes[1]!.received > received);
    clock.skip(10);
    // What the clock brings about comes before what comes behind it.
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
  assert.deepEqual(
    echoes.map((echo) => echo.wasClosed),
    [true, false, false],
  );
});

test('what a protocol throws closes its connection only', async (t) => {
  const complaints: string[] = [];
  const log = {
    ...silentLog,
    warn: () => complaints.push('warn'),
    error: () => complaints.push('error'),
  };
  const { echoes, dial } = await open(t, { log });
  await dial();
  const [first, second] = [await dial(), await dial()];
  await until(() => echoes.length === 3);
  echoes[1]!.onReceive = () => {
    throw new ProtocolError('not a frame');
  };
  echoes[2]!.onReceive = () => {
    throw new TypeError('our bug');
  };
  first.write('x');
  await once(first, 'close');
  second.write('x');
  await once(second, 'close');
  assert.deepEqual(complaints, ['warn', 'error']);
  assert.equal(echoes[0]!.wasClosed, false);
});

test('bad peers cannot fill the log', async (t) => {
  let lines = 0;
  const log = {
    ...silentLog,
    warn: () => {
      lines += 1;
    },
  };
  const { listener, dial } = await open(t, {
    log,
    // All of it is within one of the intervals that lines are counted in.
    clock: new SkippingClock(true),
    createProtocol(connection) {
      const echo = new Echo(connection);
      echo.onReceive = () => {
        throw new ProtocolError('garbage');
      };
      return echo;
    },
  });
  for (let index = 0; index < 50; index += 1) {
    const socket = await dial();
    socket.write('x');
    await once(socket, 'close');
  }
  assert.equal(listener.metrics.connectionsAborted, 50);
  assert.equal(lines, 10);
});

test('closing lets connections finish, and destroys those that do not', async (t) => {
  const clock = new SkippingClock(true);
  const { echoes, dial, listener } = await open(t, { clock });
  const obedient = await dial();
  const stubborn = await dial();
  await until(() => echoes.length === 2);
  let wasAsked = false;
  echoes[1]!.drain = () => {
    wasAsked = true;
  };
  obedient.write('last words');
  await until(() => echoes[0]!.received === 10);
  const closed = listener.close(50);
  const [text] = await Promise.all([read(obedient, 10), once(obedient, 'end')]);
  assert.equal(text.toString(), 'last words');
  clock.skip(50);
  await once(stubborn, 'close');
  await closed;
  assert.equal(wasAsked, true);
  assert.equal(listener.connectionCount, 0);
  assert.equal(listener.metrics.connectionsOpen, 0);
});

test('a port in use is reported to whoever opens it', async (t) => {
  const { listener } = await open(t);
  await assert.rejects(open(t, { port: listener.port }), { code: 'EADDRINUSE' });
});

test('another kind of server can be used', async (t) => {
  let sockets = 0;
  const { echoes, dial } = await open(t, {
    createServer: (onSocket) =>
      createServer((socket) => {
        sockets += 1;
        onSocket(socket);
      }),
  });
  const socket = await dial();
  socket.write('hello');
  assert.equal((await read(socket, 5)).toString(), 'hello');
  assert.equal(sockets, 1);
  assert.equal(echoes.length, 1);
});
