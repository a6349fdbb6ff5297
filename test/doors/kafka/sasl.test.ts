import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import test from 'node:test';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import {
  fakeScramKeys,
  readScramFirst,
  ScramExchange,
} from '../../../src/doors/kafka/sasl-scram.ts';
import { type Clock, SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { SaslSession } from '../../../src/doors/kafka/sasl.ts';
import { KeySet, silentLog, TokenVerifier } from '../../../src/net/index.ts';
import { openBed, password, plain } from './sasl-bed.ts';
import type { WireClient } from './wire-client.ts';

const allTopics = { topics: null, allowAutoTopicCreation: false };

async function logIn(client: WireClient, token: Uint8Array, mechanism = 'PLAIN') {
  const { errorCode } = await client.ask('SaslHandshake', 1, { mechanism });
  assert.equal(errorCode, errorCodes.NONE);
  return client.ask('SaslAuthenticate', 2, { authBytes: token });
}

test('nothing but the versions is told before the login, everything after it', async (t) => {
  const { connect } = await openBed(t);
  const stranger = await connect();
  assert.equal((await stranger.ask('ApiVersions', 0, {})).errorCode, errorCodes.NONE);
  await assert.rejects(stranger.ask('Metadata', 12, allTopics));

  const client = await connect();
  const answer = await logIn(client, plain('ann', password, 'ann'));
  assert.equal(answer.errorCode, errorCodes.NONE);
  assert.equal(answer.sessionLifetimeMs, 0);
  assert.equal((await client.ask('Metadata', 12, allTopics)).brokers.length, 1);
});

test('a request in the middle of a login ends the connection', async (t) => {
  const client = await (await openBed(t)).connect();
  await client.ask('SaslHandshake', 1, { mechanism: 'PLAIN' });
  await assert.rejects(client.ask('Metadata', 12, allTopics));
});

const refused: ReadonlyArray<readonly [string, Uint8Array, string?]> = [
  ['a wrong password', plain('ann', 'wrong')],
  ['a user who does not exist', plain('eve', password)],
  ['somebody who acts as another', plain('ann', password, 'bob')],
  ['bytes that are no token', Buffer.from('ann')],
  ['bytes that are no message of SCRAM', Buffer.from('ann'), 'SCRAM-SHA-256'],
  ['a client that wants channel binding', Buffer.from('p=x,,n=ann,r=1'), 'SCRAM-SHA-512'],
];
for (const [name, token, mechanism] of refused) {
  test(`${name} is refused, and the connection ends`, async (t) => {
    const client = await (await openBed(t)).connect();
    const answer = await logIn(client, token, mechanism);
    assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    assert.match(answer.errorMessage ?? '', /^Authentication failed/);
    await client.closed();
  });
}

test('a user who does not exist gets a challenge like any other, always the same salt', async (t) => {
  const { connect } = await openBed(t);
  const salts = new Set<string>();
  for (let round = 0; round < 2; round++) {
    const client = await connect();
    const answer = await logIn(client, Buffer.from('n,,n=eve,r=abc'), 'SCRAM-SHA-256');
    assert.equal(answer.errorCode, errorCodes.NONE);
    const [nonce = '', salt = '', iterations] = Buffer.from(answer.authBytes).toString().split(',');
    assert.equal(iterations, 'i=8192');
    salts.add(salt);
    const proof = Buffer.alloc(32).toString('base64');
    const last = Buffer.from(`c=biws,${nonce},p=${proof}`);
    const end = await client.ask('SaslAuthenticate', 2, { authBytes: last });
    assert.equal(end.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    await client.closed();
  }
  assert.equal(salts.size, 1);
});

test('an unknown mechanism is answered with those that there are', async (t) => {
  const client = await (await openBed(t)).connect();
  const answer = await client.ask('SaslHandshake', 1, { mechanism: 'GSSAPI' });
  assert.equal(answer.errorCode, errorCodes.UNSUPPORTED_SASL_MECHANISM);
  assert.deepEqual(answer.mechanisms, ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']);
  await client.closed();
});

test('a token without a handshake is out of order', async (t) => {
  const client = await (await openBed(t)).connect();
  const answer = await client.ask('SaslAuthenticate', 2, { authBytes: plain('ann', password) });
  assert.equal(answer.errorCode, errorCodes.ILLEGAL_SASL_STATE);
  await client.closed();
});

test('who is logged in may do so again, with the same mechanism and as the same user', async (t) => {
  const { broker, connect } = await openBed(t);
  await broker.access.putPermission({
    user: 'bob',
    namespace: '',
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  const client = await connect();
  for (let round = 0; round < 2; round++) {
    assert.equal((await logIn(client, plain('ann', password))).errorCode, errorCodes.NONE);
    assert.equal((await client.ask('Metadata', 12, allTopics)).brokers.length, 1);
  }
  const other = await client.ask('SaslHandshake', 1, { mechanism: 'SCRAM-SHA-256' });
  assert.equal(other.errorCode, errorCodes.ILLEGAL_SASL_STATE);
  const answer = await logIn(client, plain('bob', password));
  assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
  await client.closed();
});

test('after version 0 of the handshake tokens come bare', async (t) => {
  const { connect } = await openBed(t);
  for (const [secret, isRight] of [
    [password, true],
    ['wrong', false],
  ] as const) {
    const client = await connect();
    await client.ask('SaslHandshake', 0, { mechanism: 'PLAIN' });
    client.socket.removeAllListeners('data');
    const token = plain('ann', secret);
    const length = Buffer.alloc(4);
    length.writeInt32BE(token.length);
    client.socket.write(Buffer.concat([length, token]));
    if (isRight) {
      const [reply] = (await once(client.socket, 'data')) as [Buffer];
      assert.deepEqual(reply, Buffer.alloc(4));
    } else {
      client.socket.resume();
      await client.closed();
    }
  }
});

test('where nobody has to log in, who wants to may', async (t) => {
  const { connect } = await openBed(t, { requiresLogin: false });
  const client = await connect();
  assert.equal((await client.ask('Metadata', 12, allTopics)).brokers.length, 1);
  assert.equal((await logIn(client, plain('guest', 'guest'))).errorCode, errorCodes.NONE);
  assert.equal((await client.ask('Metadata', 12, allTopics)).brokers.length, 1);
});

test('a great frame before the login is refused', async (t) => {
  const client = await (await openBed(t)).connect();
  client.socket.write(Buffer.from([0, 2, 0, 0, 0, 18]));
  await client.closed();
});

test('names in SCRAM are unescaped, and other escapes are no names', () => {
  assert.equal(readScramFirst('n,,n=a=2Cb=3D,r=x')?.user, 'a,b=');
  assert.equal(readScramFirst('n,a=b,n=a,r=x')?.authorizationId, 'b');
  assert.equal(readScramFirst('n,,n=a,r=x,tokenauth=true')?.user, 'a');
  for (const bad of ['n,,n=a=2Db,r=x', 'n,,n=a', 'p=y,,n=a,r=x', 'n,,m=x,n=a,r=x', '']) {
    assert.equal(readScramFirst(bad), undefined, bad);
  }
});

test('a user of this machine is refused from elsewhere', async (t) => {
  const { broker } = await openBed(t);
  for (const isTrusted of [true, false]) {
    const session = new SaslSession(
      {
        access: () => broker.access,
        reauthenticateMs: 0,
        clock: new SystemClock(),
        random: new SystemRandom(),
        log: silentLog,
        secret: new Uint8Array(32),
      },
      { address: '192.0.2.1', isTrusted, identity: undefined, wait: () => Promise.resolve() },
    );
    session.handshake('PLAIN', 1);
    const { errorCode } = await session.authenticate(plain('guest', 'guest'));
    const expected = isTrusted ? errorCodes.NONE : errorCodes.SASL_AUTHENTICATION_FAILED;
    assert.equal(errorCode, expected);
    assert.equal(session.isOpen, isTrusted);
  }
});

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function tokenOf(claims: object): string {
  const signed = `${encode({ alg: 'RS256' })}.${encode(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url')}`;
}

function bearer(token: string, actAs = ''): Buffer {
  return Buffer.from(`n,${actAs},\u0001auth=Bearer ${token}\u0001\u0001`);
}

async function bearerVerifier(clock: Clock): Promise<TokenVerifier> {
  const published = JSON.stringify({ keys: [rsa.publicKey.export({ format: 'jwk' })] });
  const keys = new KeySet(() => Promise.resolve(published), clock, silentLog);
  await keys.open();
  return new TokenVerifier(keys, clock, {
    issuer: undefined,
    audience: undefined,
    userClaim: 'sub',
  });
}

const nowS = (): number => Math.floor(Date.now() / 1000);

test('a token logs in whom it names, for as long as it holds', async (t) => {
  const tokens = await bearerVerifier(new SystemClock());
  const { connect } = await openBed(t, { tokens });
  const client = await connect();
  const token = tokenOf({ sub: 'ann', exp: nowS() + 3600 });
  const answer = await logIn(client, bearer(token), 'OAUTHBEARER');
  assert.equal(answer.errorCode, errorCodes.NONE);
  assert.ok(answer.sessionLifetimeMs > 0 && answer.sessionLifetimeMs <= 3_600_000);
  assert.equal((await client.ask('Metadata', 12, allTopics)).brokers.length, 1);
  assert.equal(
    (await logIn(client, bearer(token, 'a=ann'), 'OAUTHBEARER')).errorCode,
    errorCodes.NONE,
  );
});

for (const [name, message] of [
  ['has expired', bearer(tokenOf({ sub: 'ann', exp: 1000 }))],
  ['is signed by nobody', bearer('e30.e30.e30')],
] as const) {
  test(`a token that ${name} is answered with why before the login ends`, async (t) => {
    const { connect } = await openBed(t, { tokens: await bearerVerifier(new SystemClock()) });
    const client = await connect();
    const answer = await logIn(client, message, 'OAUTHBEARER');
    assert.equal(answer.errorCode, errorCodes.NONE);
    assert.deepEqual(JSON.parse(Buffer.from(answer.authBytes).toString()), {
      status: 'invalid_token',
    });
    const end = await client.ask('SaslAuthenticate', 2, { authBytes: Buffer.from([1]) });
    assert.equal(end.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    await client.closed();
  });
}

test('a token for somebody else than it names, and what is no token, end the login', async (t) => {
  const { connect } = await openBed(t, { tokens: await bearerVerifier(new SystemClock()) });
  const token = tokenOf({ sub: 'ann', exp: nowS() + 3600 });
  for (const message of [bearer(token, 'a=bob'), Buffer.from('n,,'), bearer('with space')]) {
    const client = await connect();
    const answer = await logIn(client, message, 'OAUTHBEARER');
    assert.equal(answer.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
    await client.closed();
  }
});

test('tokens are not offered where nobody is believed', async (t) => {
  const client = await (await openBed(t)).connect();
  const answer = await client.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' });
  assert.equal(answer.errorCode, errorCodes.UNSUPPORTED_SASL_MECHANISM);
});

test('who has not logged in again in time is disconnected, who has goes on', async (t) => {
  const clock = new ShiftedClock();
  const { connect } = await openBed(t, { clock, reauthenticateMs: 60_000 });
  const [late, early] = [await connect(), await connect()];
  for (const client of [late, early]) {
    const answer = await logIn(client, plain('ann', password));
    assert.equal(answer.sessionLifetimeMs, 60_000);
  }
  clock.shiftMs += 59_000;
  assert.equal((await late.ask('Metadata', 12, allTopics)).brokers.length, 1);
  await logIn(early, plain('ann', password));
  clock.shiftMs += 2000;
  await assert.rejects(late.ask('Metadata', 12, allTopics));
  assert.equal((await early.ask('Metadata', 12, allTopics)).brokers.length, 1);
  clock.shiftMs += 60_000;
  assert.equal((await logIn(early, plain('ann', password))).errorCode, errorCodes.NONE);
});

/** Time that stands still but for leaps: a login takes long on a busy machine. */
class ShiftedClock extends SystemClock {
  shiftMs = 0;
  readonly #startMs = new SystemClock().monotonicMs();

  override monotonicMs(): number {
    return this.#startMs + this.shiftMs;
  }
}

test('librdkafka of old repeats its nonce, and is let in', () => {
  const first = readScramFirst('n,,n=ann,r=abc');
  assert.ok(first !== undefined);
  const keys = fakeScramKeys('sha-256', 'ann', new Uint8Array(32), 4096);
  const clientKey = Buffer.alloc(32, 7);
  const storedKey = createHash('sha256').update(clientKey).digest();
  const exchange = new ScramExchange(
    'sha-256',
    first,
    { ...keys, storedKey: storedKey.toString('base64') },
    'xyz',
  );
  for (const [nonce, isRight] of [
    ['abcxyz', true],
    ['abcabcxyz', true],
    ['abcxy', false],
    ['abcxyzz', false],
  ] as const) {
    const bare = `c=biws,r=${nonce}`;
    const signed = `${first.bare},${exchange.firstMessage},${bare}`;
    const signature = createHmac('sha256', storedKey).update(signed).digest();
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!));
    const found = exchange.finish(`${bare},p=${proof.toString('base64')}`);
    assert.equal(found !== undefined, isRight, nonce);
  }
});
