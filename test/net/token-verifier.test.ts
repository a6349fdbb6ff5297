import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import test from 'node:test';
import { limits } from '../../src/base/index.ts';
import {
  KeySet,
  parseKeySet,
  silentLog,
  TokenRefused,
  type TokenRules,
  TokenVerifier,
} from '../../src/net/index.ts';
import { SimulatedClock } from '../../src/testing/index.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const ec384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
const ed = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });

function jwk(key: KeyObject, extra: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...key.export({ format: 'jwk' }), ...extra };
}

const published = JSON.stringify({
  keys: [
    jwk(rsa.publicKey, { kid: 'rsa', use: 'sig' }),
    jwk(ec.publicKey, { kid: 'ec', alg: 'ES256' }),
    jwk(ec384.publicKey, { kid: 'ec384' }),
    jwk(ed.publicKey, { kid: 'ed' }),
    { kty: 'oct', k: 'c2VjcmV0', kid: 'shared' },
  ],
});

function encode(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

interface Signing {
  readonly key?: KeyObject;
  readonly digest?: string | null;
  readonly padding?: number;
}

function token(
  header: Record<string, unknown>,
  claims: unknown,
  { key = rsa.privateKey, digest = 'sha256', padding }: Signing = {},
): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  const signature = sign(digest, Buffer.from(signed), {
    key,
    dsaEncoding: 'ieee-p1363',
    ...(padding === undefined ? {} : { padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
  });
  return `${signed}.${signature.toString('base64url')}`;
}

const open: TokenRules = { issuer: undefined, audience: undefined, userClaim: 'sub' };

async function verifierOf(rules: Partial<TokenRules> = {}) {
  const clock = new SimulatedClock();
  const keys = new KeySet(() => Promise.resolve(published), clock, silentLog);
  await keys.open();
  const nowS = Math.floor(clock.nowMs() / 1000);
  return { clock, nowS, verifier: new TokenVerifier(keys, clock, { ...open, ...rules }) };
}

const signings: ReadonlyArray<readonly [string, string, Signing]> = [
  ['RS256', 'rsa', {}],
  ['RS512', 'rsa', { digest: 'sha512' }],
  ['PS256', 'rsa', { padding: constants.RSA_PKCS1_PSS_PADDING }],
  ['ES256', 'ec', { key: ec.privateKey }],
  ['ES384', 'ec384', { key: ec384.privateKey, digest: 'sha384' }],
  ['EdDSA', 'ed', { key: ed.privateKey, digest: null }],
];
for (const [alg, kid, signing] of signings) {
  test(`a token that is signed by ${alg} is believed`, async () => {
    const { verifier, nowS } = await verifierOf();
    const claims = { sub: 'ann', exp: nowS + 60 };
    const expected = { user: 'ann', expiresMs: (nowS + 60) * 1000 };
    assert.deepEqual(await verifier.verify(token({ alg, kid }, claims, signing)), expected);
    assert.deepEqual(await verifier.verify(token({ alg }, claims, signing)), expected);
  });
}

test('claims are as they were asked for', async () => {
  const { verifier, nowS } = await verifierOf({
    issuer: 'https://issuer',
    audience: 'pabal',
    userClaim: 'login',
  });
  const good = { login: 'ann', exp: nowS + 60, iss: 'https://issuer', aud: ['x', 'pabal'] };
  const head = { alg: 'RS256', kid: 'rsa' };
  assert.equal((await verifier.verify(token(head, good))).user, 'ann');
  assert.equal((await verifier.verify(token(head, { ...good, aud: 'pabal' }))).user, 'ann');
  for (const bad of [
    { iss: 'https://issuer/' },
    { iss: undefined },
    { aud: 'x' },
    { aud: undefined },
    { login: '' },
    { login: 7 },
    { login: 'x'.repeat(300) },
  ]) {
    await assert.rejects(verifier.verify(token(head, { ...good, ...bad })), TokenRefused);
  }
});

test('time is looked at, with some patience for clocks that differ', async () => {
  const { verifier, nowS } = await verifierOf();
  const head = { alg: 'RS256', kid: 'rsa' };
  const skewS = limits.tokenClockSkewMs / 1000;
  const verify = (claims: object) => verifier.verify(token(head, { sub: 'ann', ...claims }));
  await verify({ exp: nowS - skewS + 1 });
  await verify({ exp: nowS + 9, nbf: nowS + skewS });
  for (const bad of [
    { exp: nowS - skewS },
    { exp: nowS + 9, nbf: nowS + skewS + 1 },
    { exp: nowS + 9, nbf: 'now' },
    { exp: `${nowS + 9}` },
    {},
  ]) {
    await assert.rejects(verify(bad), TokenRefused, JSON.stringify(bad));
  }
});

test('nothing else is a token', async () => {
  const { verifier, nowS } = await verifierOf();
  const claims = { sub: 'ann', exp: nowS + 60 };
  const good = token({ alg: 'RS256', kid: 'rsa' }, claims);
  const [head = '', body = '', signature = ''] = good.split('.');
  const bad: Readonly<Record<string, string>> = {
    empty: '',
    'two parts': `${head}.${body}`,
    'four parts': `${good}.`,
    'no signature': `${head}.${body}.`,
    'changed claims': `${head}.${encode({ ...claims, sub: 'eve' })}.${signature}`,
    'no algorithm': `${encode({ alg: 'none' })}.${body}.`,
    'a shared secret': token({ alg: 'HS256', kid: 'shared' }, claims),
    'the key of somebody else': token({ alg: 'RS256', kid: 'rsa' }, claims, {
      key: other.privateKey,
    }),
    'an unknown key': token({ alg: 'RS256', kid: 'unknown' }, claims),
    'an algorithm of another kind of key': token({ alg: 'ES256', kid: 'rsa' }, claims),
    'an algorithm that the key is not for': token({ alg: 'ES384', kid: 'ec' }, claims, {
      key: ec.privateKey,
      digest: 'sha384',
    }),
    'something critical': token({ alg: 'RS256', kid: 'rsa', crit: ['b64'] }, claims),
    'claims that are a list': token({ alg: 'RS256', kid: 'rsa' }, []),
    'claims that are no JSON': token({ alg: 'RS256', kid: 'rsa' }, 'ann'),
  };
  for (const [name, text] of Object.entries(bad)) {
    await assert.rejects(verifier.verify(text), TokenRefused, name);
  }
});

test('keys are read again when one is missing, though not all the time, and the last ones hold', async () => {
  const clock = new SimulatedClock();
  let text = JSON.stringify({ keys: [jwk(rsa.publicKey, { kid: 'first' })] });
  let reads = 0;
  const keys = new KeySet(
    () => {
      reads++;
      return text === '' ? Promise.reject(new Error('not now')) : Promise.resolve(text);
    },
    clock,
    silentLog,
  );
  await keys.open();
  assert.equal((await keys.find('first')).length, 1);
  assert.equal((await keys.find('second')).length, 0);
  assert.equal(reads, 1);
  text = JSON.stringify({ keys: [jwk(ec.publicKey, { kid: 'second' })] });
  await clock.runFor(limits.tokenKeysRetryMs);
  assert.equal((await keys.find('second')).length, 1);
  assert.equal((await keys.find('first')).length, 0);
  assert.equal(reads, 2);
  text = '';
  await clock.runFor(limits.tokenKeysRefreshMs);
  assert.equal((await keys.find('second')).length, 1);
  assert.equal(reads, 3);
  assert.equal((await keys.find('second')).length, 1);
});

test('a key set without a key of use is refused', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
  for (const text of [
    'no JSON',
    '[]',
    '{}',
    '{"keys":[]}',
    '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}',
    '{"keys":[{"kty":"RSA","n":"x"}]}',
    JSON.stringify({ keys: [jwk(small.publicKey)] }),
    JSON.stringify({ keys: [jwk(rsa.publicKey, { use: 'enc' })] }),
    `{"keys":[],"x":"${'x'.repeat(limits.tokenKeysBytesMax)}"}`,
  ]) {
    assert.throws(() => parseKeySet(text), Error, text.slice(0, 50));
  }
});
