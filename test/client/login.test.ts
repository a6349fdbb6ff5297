import assert from 'node:assert/strict';
import { createHmac, pbkdf2Sync } from 'node:crypto';
import test from 'node:test';
import {
  ConnectionLost,
  LogClient,
  LoginFailed,
  type LogClientOptions,
  type LoginMechanism,
} from '../../src/client/index.ts';
import { logIn } from '../../src/client/login.ts';
import { openBed, password, pem, tls } from '../doors/kafka/sasl-bed.ts';

const mechanisms: readonly LoginMechanism[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

function connect(port: number, options: Partial<LogClientOptions>): Promise<LogClient> {
  return LogClient.connect({ server: { host: '127.0.0.1', port }, ...options });
}

for (const mechanism of mechanisms) {
  for (const isSecure of [false, true]) {
    test(`logs in by ${mechanism}${isSecure ? ' over TLS' : ''}`, async (t) => {
      const { port } = await openBed(t, isSecure ? { tls } : {});
      const authorities = pem('authority.pem');
      const options = isSecure ? { tls: { authorities } } : {};
      const login = { mechanism, user: 'ann', password };
      const client = await connect(port, { ...options, login });
      t.after(() => client.close());
      await client.createTopic('orders', 2);
      assert.equal((await client.listOffsets('orders')).length, 2);
      const wrong = { ...login, password: 'wrong' };
      await assert.rejects(connect(port, { ...options, login: wrong }), LoginFailed);
    });
  }
}

test('a user who may not do something is told so', async (t) => {
  const { port } = await openBed(t);
  const login = { mechanism: 'SCRAM-SHA-512', user: 'bob', password } as const;
  const client = await connect(port, { login });
  t.after(() => client.close());
  await assert.rejects(client.createTopic('orders', 2), /bob|may not|[Aa]uthoriz/);
});

test('a server that wants a login, or TLS, closes: the message says what it may want', async (t) => {
  const { port } = await openBed(t);
  const client = await connect(port, {});
  t.after(() => client.close());
  await assert.rejects(client.listTopics(), /may want .*a login \(--user\)/);
  const secure = await openBed(t, { tls });
  await assert.rejects(connect(secure.port, {}), /may want TLS \(--tls\)/);
  await assert.rejects(connect(port, { tls: {} }), /with TLS: does it speak it/);
});

test('a certificate of somebody unknown is refused', async (t) => {
  const { port } = await openBed(t, { tls });
  await assert.rejects(connect(port, { tls: {} }), (error) => {
    return error instanceof ConnectionLost && error.message.includes('--tls-ca');
  });
});

test('a session that ends is begun again before', async (t) => {
  let aheadMs = 0;
  const now = performance.now.bind(performance);
  // Of the client and of the server.
  t.mock.method(performance, 'now', () => now() + aheadMs);
  const { port } = await openBed(t, { reauthenticateMs: 60_000 });
  const login = { mechanism: 'SCRAM-SHA-256', user: 'ann', password } as const;
  const client = await connect(port, { login });
  t.after(() => client.close());
  for (let round = 0; round < 4; round++) {
    // Several at once: they wait for the same login. What was begun 51 s ago would not last for the next 51.
    await Promise.all([client.listTopics(), client.listTopics(), client.listTopics()]);
    aheadMs += 51_000;
  }
});

/** A server's side of SCRAM-SHA-256 that knows the password. */
function pretender(options: { iterations?: number; nonce?: string; knows?: string }) {
  const salt = Buffer.from('salt of sixteen!');
  const { iterations = 4096, knows = 'secret' } = options;
  let firstBare = '';
  let challenge = '';
  return async (token: Uint8Array): Promise<Uint8Array> => {
    const text = Buffer.from(token).toString();
    if (challenge === '') {
      firstBare = text.slice(3);
      const nonce = options.nonce ?? `${firstBare.split(',r=')[1]}server`;
      challenge = `r=${nonce},s=${salt.toString('base64')},i=${iterations}`;
      return Buffer.from(challenge);
    }
    const signed = `${firstBare},${challenge},${text.split(',p=')[0]}`;
    const key = pbkdf2Sync(knows, salt, iterations, 32, 'sha256');
    const serverKey = createHmac('sha256', key).update('Server Key').digest();
    const signature = createHmac('sha256', serverKey).update(signed).digest('base64');
    return Buffer.from(`v=${signature}`);
  };
}

test('a server that does not know the user is not believed', async () => {
  const login = { mechanism: 'SCRAM-SHA-256', user: 'a=b,c', password: 'secret' } as const;
  await logIn(login, pretender({}));
  await assert.rejects(logIn(login, pretender({ knows: 'guess' })), /could not prove/);
  await assert.rejects(logIn(login, pretender({ nonce: 'another' })), /not of the protocol/);
  await assert.rejects(logIn(login, pretender({ iterations: 100 })), /100 iterations/);
});
