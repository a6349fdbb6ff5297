import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect } from 'node:tls';
import { limits } from '../../src/base/index.ts';
import { createTlsServer, silentLog } from '../../src/net/index.ts';
import { loadConfig } from '../../src/server/index.ts';
import { TlsStore } from '../../src/server/tls.ts';
import { SimulatedClock } from '../../src/testing/index.ts';
import { patienceMs } from '../support/patience.ts';

const certificates = path.resolve(import.meta.dirname, '../net/certificates');

/** A server whose certificate lies in a directory of its own; both are changed by `use`. */
async function open(t: TestContext) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-tls-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const [tlsCertificate, tlsKey] = ['cert.pem', 'key.pem'].map((name) =>
    path.join(directory, name),
  ) as [string, string];
  const use = (name: string): void => {
    copyFileSync(path.join(certificates, `${name}.pem`), tlsCertificate);
    copyFileSync(path.join(certificates, `${name}.key.pem`), tlsKey);
  };
  use('server');
  const { settings } = await loadConfig({
    environment: {},
    flags: { tls: 'kafka', tlsCertificate, tlsKey },
  });
  const clock = new SimulatedClock();
  const store = new TlsStore(settings, clock, silentLog);
  t.after(() => store.close());
  assert.equal(await store.load('amqp'), undefined);
  const options = await store.load('kafka');
  assert.ok(options !== undefined);
  const server = createTlsServer(options, (socket: Socket) => socket.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const { port } = address;
  const shownName = async (): Promise<string | string[] | undefined> => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  };
  return { store, clock, use, shownName, tlsKey };
}

test('a renewed certificate is shown to new connections', async (t) => {
  const { store, use, shownName } = await open(t);
  const first = await shownName();
  use('client');
  await store.check();
  assert.notEqual(await shownName(), first);
  use('server');
  await store.check();
  assert.equal(await shownName(), first);
});

test('files that do not fit each other change nothing, until they do', async (t) => {
  const { store, use, shownName, tlsKey } = await open(t);
  const first = await shownName();
  use('client');
  writeFileSync(tlsKey, 'half a key');
  await store.check();
  assert.equal(await shownName(), first);
  use('client');
  await store.check();
  assert.notEqual(await shownName(), first);
});

test('files are looked at again and again', async (t) => {
  const { clock, use, shownName } = await open(t);
  const first = await shownName();
  use('client');
  // What is read comes from the real disk, whatever the clock says.
  const hasChanged = async (): Promise<boolean> => (await shownName()) !== first;
  const deadline = AbortSignal.timeout(patienceMs);
  while (!(await hasChanged())) {
    deadline.throwIfAborted();
    await clock.runFor(limits.tlsCheckMs);
  }
});
