import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { silentLog } from '../../src/net/index.ts';
import { loadConfig } from '../../src/server/index.ts';
import { startServer } from '../../src/server/server.ts';
import { patientKafka } from '../support/patience.ts';

const certificates = path.resolve(import.meta.dirname, '../net/certificates');
const alone = { store: 'memory', only: 'kafka' };
const tls = {
  tls: 'kafka',
  tlsCertificate: path.join(certificates, 'server.pem'),
  tlsKey: path.join(certificates, 'server.key.pem'),
};
const everywhere = { listen: ['kafka=0.0.0.0:0'] };
const here = { listen: ['kafka=127.0.0.1:0'] };
const users = JSON.stringify([
  {
    name: 'app',
    password: 'secret',
    permissions: [{ configure: '.*', write: '.*', read: '.*' }],
  },
]);

async function start(flags: Record<string, string | readonly string[]>) {
  const { settings } = await loadConfig({ environment: {}, flags: { ...alone, ...flags } });
  return startServer(settings, silentLog);
}

async function canConnect(port: number, isTls: boolean, username?: string, password = 'secret') {
  const kafka = new Kafka({
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    ...patientKafka,
    ...(isTls ? { ssl: { rejectUnauthorized: false } } : {}),
    ...(username === undefined ? {} : { sasl: { mechanism: 'plain', username, password } }),
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    await admin.listTopics();
    return true;
  } catch {
    return false;
  } finally {
    await admin.disconnect();
  }
}

describe('the kafka door', () => {
  test('is not opened to others without a password', async () => {
    await assert.rejects(
      start(everywhere),
      /kafka: 0\.0\.0\.0:0 can be reached from other machines, and neither credentials/,
    );
  });

  for (const [name, flags, isOpenToAll] of [
    ['to this machine: nobody has to log in', { ...here, users }, true],
    [
      'to this machine, if so asked with a login',
      { ...here, users, kafkaAuthentication: 'required' },
      false,
    ],
    ['to others with a password: everybody logs in', { ...everywhere, users }, false],
    ['to others with TLS: everybody logs in', { ...everywhere, ...tls, users }, false],
    ['to everybody, if so asked', { ...everywhere, users, insecure: 'true' }, true],
  ] as const) {
    test(`is opened ${name}`, async (t) => {
      const server = await start(flags);
      t.after(() => server.stop(0));
      const port = server.addresses['kafka']?.port ?? 0;
      const isTls = 'tls' in flags;
      assert.equal(await canConnect(port, isTls), isOpenToAll);
      assert.equal(await canConnect(port, isTls, 'app'), true);
    });
  }
});
