import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { SystemClock } from '../../src/base/index.ts';
import {
  type Connection,
  type ConnectionProtocol,
  createTlsServer,
  Listener,
  silentLog,
  type TlsOptions,
} from '../../src/net/index.ts';
import { patienceMs } from '../support/patience.ts';

function pem(name: string): Buffer {
  return readFileSync(path.join(import.meta.dirname, 'certificates', name));
}

const ours: TlsOptions = {
  certificate: pem('server.pem'),
  key: pem('server.key.pem'),
  authorities: pem('authority.pem'),
  verifyPeer: 'none',
};

/** Sends back what comes, with the user of the certificate in front. */
class Echo implements ConnectionProtocol {
  readonly isMidFrame = false;
  readonly isBusy = false;
  frameCount = 0;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  receive(chunk: Uint8Array): void {
    this.frameCount += 1;
    const user = this.#connection.tls?.user('distinguished-name');
    this.#connection.send(Buffer.concat([Buffer.from(`${user}: `), chunk]));
  }

  sendable(): void {}
  closed(): void {}
  drain(): void {
    this.#connection.end();
  }
}

async function open(t: TestContext, options: Partial<TlsOptions> = {}): Promise<Listener> {
  const listener = await Listener.open({
    host: '127.0.0.1',
    port: 0,
    clock: new SystemClock(),
    log: silentLog,
    createProtocol: (connection) => new Echo(connection),
    createServer: (onSocket) => createTlsServer({ ...ours, ...options }, onSocket),
  });
  t.after(() => listener.close(0));
  return listener;
}

/** What comes back for a word, or why nothing does. */
async function ask(listener: Listener, options: ConnectionOptions = {}): Promise<string> {
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port: listener.port,
    ca: pem('authority.pem'),
    ...options,
  });
  socket.write('hello');
  const answer = await Promise.race([
    once(socket, 'data').then(([data]) => String(data)),
    once(socket, 'close').then(
      () => 'closed',
      () => 'refused',
    ),
  ]).catch(() => 'refused');
  socket.destroy();
  return answer;
}

const client = { cert: pem('client.pem'), key: pem('client.key.pem') };
const stranger = { cert: pem('stranger.pem'), key: pem('stranger.key.pem') };

describe('a listener with TLS', () => {
  const cases: ReadonlyArray<
    readonly [TlsOptions['verifyPeer'], string, ConnectionOptions, RegExp]
  > = [
    ['none', 'nobody', {}, /^undefined: hello$/],
    ['none', 'a client that was not asked', client, /^undefined: hello$/],
    ['request', 'nobody', {}, /^undefined: hello$/],
    ['request', 'a client', client, /^CN=client,O=Test: hello$/],
    ['request', 'a stranger', stranger, /closed|refused/],
    ['require', 'a client', client, /^CN=client,O=Test: hello$/],
    ['require', 'nobody', {}, /closed|refused/],
    ['require', 'a stranger', stranger, /closed|refused/],
  ];
  for (const [verifyPeer, who, options, answer] of cases) {
    test(`that says "${verifyPeer}" of certificates answers ${who}`, async (t) => {
      assert.match(await ask(await open(t, { verifyPeer }), options), answer);
    });
  }

  test('hangs up on those who speak no TLS, and goes on', async (t) => {
    const listener = await open(t);
    const plain = connectPlain(listener.port, '127.0.0.1');
    plain.on('error', () => undefined);
    plain.end('AMQP\0\0\x09\x01');
    await once(plain, 'close');
    assert.match(await ask(listener), /hello/);
  });

  test('closes although somebody has begun a handshake and stopped', async (t) => {
    const listener = await open(t);
    const silent = connectPlain(listener.port, '127.0.0.1');
    silent.on('error', () => undefined);
    await once(silent, 'connect');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const beganMs = Date.now();
    await listener.close(5 * patienceMs);
    assert.ok(Date.now() - beganMs < patienceMs);
    silent.destroy();
  });

  test('refuses a key that does not fit', () => {
    assert.throws(() => createTlsServer({ ...ours, key: pem('client.key.pem') }, () => undefined));
  });
});
