import assert from 'node:assert/strict';
import { verify, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { SystemClock } from '../../../../src/base/index.ts';
import { Signer } from '../../../../src/doors/sqs/sns/signer.ts';
import { silentLog } from '../../../../src/net/index.ts';

let directory: string;

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'pabal-signer-'));
});

after(() => rm(directory, { recursive: true, force: true }));

const signed = {
  message: 'hällo',
  messageId: 'id',
  subject: undefined,
  timestamp: '2026-01-01T00:00:00.000Z',
  topicArn: 'arn:aws:sns:us-east-1:000000000000:t',
};
const text = `Message\n${signed.message}\nMessageId\nid\nTimestamp\n${signed.timestamp}\nTopicArn\n${signed.topicArn}\nType\nNotification\n`;

function open(signingKeyFile: string | undefined, warnings: unknown[] = []): Signer {
  const log = { ...silentLog, warn: (fields: unknown) => void warnings.push(fields) };
  return new Signer({ clock: new SystemClock(), log, signingKeyFile });
}

function isRight(certificate: string, signature: string): boolean {
  const { publicKey } = new X509Certificate(certificate);
  return verify('sha256', Buffer.from(text), publicKey, Buffer.from(signature, 'base64'));
}

test('what was signed before a restart is verified after it, and the same key signs on', async () => {
  const file = path.join(directory, 'kept.pem');
  const first = await open(file).sign(signed, '2');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const signer = open(file);
  const certificate = await signer.findCertificate(first.certificateName);
  assert.ok(certificate !== undefined);
  assert.ok(isRight(certificate, first.text));
  assert.doesNotMatch(certificate, /PRIVATE/);
  const later = await signer.sign(signed, '2');
  assert.equal(later.certificateName, first.certificateName);
  assert.equal(await signer.findCertificate('other.pem'), undefined);
});

test('who only asks for a certificate makes no key', async () => {
  const file = path.join(directory, 'asked.pem');
  assert.equal(await open(file).findCertificate('any.pem'), undefined);
  await assert.rejects(stat(file), { code: 'ENOENT' });
});

test('a file that holds no key is replaced', async () => {
  const file = path.join(directory, 'damaged.pem');
  const whole = path.join(directory, 'whole.pem');
  await open(whole).sign(signed, '2');
  const pem = await readFile(whole, 'utf8');
  const cases = ['no key', pem.slice(0, 900), pem.replace(/[A-Z]{3}/g, 'AAA')];
  for (const content of cases) {
    await writeFile(file, content);
    const { certificateName, text: signature } = await open(file).sign(signed, '2');
    const certificate = await open(file).findCertificate(certificateName);
    assert.ok(certificate !== undefined && isRight(certificate, signature));
  }
});

test('a key that cannot be kept is good for its process', async () => {
  for (const file of [undefined, path.join(directory, 'missing/key.pem')]) {
    const warnings: unknown[] = [];
    const signer = open(file, warnings);
    const { certificateName, text: signature } = await signer.sign(signed, '2');
    const certificate = await signer.findCertificate(certificateName);
    assert.ok(certificate !== undefined && isRight(certificate, signature));
    assert.equal(warnings.length, file === undefined ? 0 : 1);
  }
});
