import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { connect } from 'amqplib';
import { silentLog } from '../../src/net/index.ts';
import { loadConfig } from '../../src/server/index.ts';
import { startServer } from '../../src/server/server.ts';

const certificates = path.resolve(import.meta.dirname, '../net/certificates');
const alone = { store: 'memory', only: 'amqp' };
const tls = {
  tls: 'amqp',
  tlsCertificate: path.join(certificates, 'server.pem'),
  tlsKey: path.join(certificates, 'server.key.pem'),
};
const everywhere = { listen: ['amqp=0.0.0.0:0'] };
const here = { listen: ['amqp=127.0.0.1:0'] };

async function start(flags: Record<string, string | readonly string[]>) {
  const { settings } = await loadConfig({ environment: {}, flags: { ...alone, ...flags } });
  return startServer(settings, silentLog);
}

describe('the amqp door', () => {
  const refusals: ReadonlyArray<
    readonly [string, Record<string, string | readonly string[]>, RegExp]
  > = [
    [
      'to others without a password',
      everywhere,
      /^amqp: 0\.0\.0\.0:0 can be reached from other machines, and neither credentials nor TLS are configured/,
    ],
    [
      'with TLS and no certificate',
      { ...here, tls: 'amqp' },
      /TLS wants a certificate and its key/,
    ],
    [
      'with a certificate that is not there',
      { ...here, ...tls, tlsCertificate: '/nowhere.pem' },
      /tlsCertificate: cannot read \/nowhere\.pem/,
    ],
    [
      'with a key that does not fit',
      { ...here, ...tls, tlsKey: path.join(certificates, 'client.key.pem') },
      /cannot be used/,
    ],
  ];
  for (const [name, flags, reason] of refusals) {
    test(`is not opened ${name}`, async () => {
      await assert.rejects(start(flags), (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.match(error.message, reason);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    });
  }

  const users = JSON.stringify([{ name: 'app', password: 'secret' }]);
  for (const [name, flags] of [
    ['to this machine', here],
    ['to others with a password', { ...everywhere, users }],
    ['to others with TLS', { ...everywhere, ...tls }],
    ['to everybody, if so asked', { ...everywhere, insecure: 'true' }],
  ] as const) {
    test(`is opened ${name}`, async () => {
      const server = await start(flags);
      const port = server.addresses['amqp']?.port;
      const client = await connect(
        `amqp${'tls' in flags ? 's' : ''}://guest:guest@127.0.0.1:${port}`,
        { rejectUnauthorized: false },
      );
      await client.close();
      await server.stop(1000);
    });
  }
});
