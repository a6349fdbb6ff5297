import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect } from 'node:net';
import { SystemClock, SystemRandom } from '../../../../src/base/index.ts';
import { Broker } from '../../../../src/broker/index.ts';
import { loadManagement } from '../../../../src/doors/amqp091/index.ts';
import { silentLog, type TlsOptions } from '../../../../src/net/index.ts';

function pem(name: string): Buffer {
  return readFileSync(path.join(import.meta.dirname, '../../../net/certificates', name));
}

async function open(t: TestContext, verifyPeer: TlsOptions['verifyPeer']) {
  const broker = await Broker.open({ store: 'memory' });
  const { ManagementDoor } = await loadManagement();
  const door = await ManagementDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    version: '0.0.0',
    host: '127.0.0.1',
    port: 0,
    tls: {
      certificate: pem('server.pem'),
      key: pem('server.key.pem'),
      authorities: pem('authority.pem'),
      verifyPeer,
    },
  });
  t.after(async () => {
    await door.close(0);
    await broker.close();
  });
  return door;
}

/** The status of `GET /api/whoami` and the user that it names. */
function whoAmI(port: number, options: RequestOptions): Promise<[status: number, body: string]> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        port,
        host: '127.0.0.1',
        path: '/api/whoami',
        agent: false,
        ca: pem('authority.pem'),
        ...options,
      },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.once('end', () => resolve([response.statusCode ?? 0, body]));
        response.once('error', reject);
      },
    );
    asked.once('error', reject);
    asked.end();
  });
}

const guest = { auth: 'guest:guest' };
const certified = { cert: pem('client.pem'), key: pem('client.key.pem') };

test('the management is served over TLS', async (t) => {
  const { port } = await open(t, 'none');
  const [status, body] = await whoAmI(port, guest);
  assert.equal(status, 200);
  assert.match(body, /"guest"/);
  assert.equal((await whoAmI(port, { auth: 'guest:wrong' }))[0], 401);
  // Plain HTTP is none.
  await assert.rejects(fetch(`http://127.0.0.1:${port}/api/whoami`));
});

test('a client certificate is checked, and logs nobody in', async (t) => {
  const { port } = await open(t, 'require');
  await assert.rejects(whoAmI(port, guest));
  assert.equal((await whoAmI(port, { ...guest, ...certified }))[0], 200);
  assert.equal((await whoAmI(port, certified))[0], 401);
});

test('whoever is still shaking hands does not keep the door from closing', async (t) => {
  const door = await open(t, 'none');
  const socket = connect(door.port, '127.0.0.1');
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  // The door knows of the connection when it answers another one.
  await whoAmI(door.port, guest);
  await door.close(60_000);
  await closed;
});
