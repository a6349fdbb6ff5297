import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { connect, credentials } from 'amqplib';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AmqpDoor } from '../../../src/doors/amqp091/index.ts';
import { silentLog } from '../../../src/net/index.ts';

function pem(name: string): Buffer {
  return readFileSync(path.join(import.meta.dirname, '../../net/certificates', name));
}

/** A broker whose AMQP door asks clients for their certificates. */
async function openDoor(t: TestContext): Promise<{ broker: Broker; door: AmqpDoor }> {
  const broker = await Broker.open({ store: 'memory' });
  const door = await AmqpDoor.open({
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
      verifyPeer: 'request',
    },
    certificateUser: 'common-name',
  });
  t.after(async () => {
    await door.close(0);
    await broker.close();
  });
  return { broker, door };
}

/** What the door says first to a client with this certificate: the mechanisms in it are plain text. */
async function greetingFor(door: AmqpDoor, certificate: string): Promise<string> {
  const socket = connectTls({
    host: '127.0.0.1',
    port: door.port,
    ca: [pem('authority.pem')],
    cert: pem(`${certificate}.pem`),
    key: pem(`${certificate}.key.pem`),
  });
  socket.setEncoding('latin1');
  try {
    await once(socket, 'secureConnect');
    socket.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    let greeting = '';
    while (!greeting.includes('en_US')) {
      const pieces: unknown[] = await once(socket, 'data');
      greeting += String(pieces[0]);
    }
    return greeting;
  } finally {
    socket.destroy();
  }
}

test('a certificate is asked to log in with only where it is that of a user', async (t) => {
  const { broker, door } = await openDoor(t);
  const before = await greetingFor(door, 'client');
  assert.match(before, /PLAIN AMQPLAIN/);
  assert.doesNotMatch(before, /EXTERNAL/);
  await broker.access.putUser({ name: 'client', tags: [] });
  assert.match(await greetingFor(door, 'client'), /EXTERNAL PLAIN AMQPLAIN/);
});

test('a client logs in with its certificate, and is shown with it', async (t) => {
  const { broker, door } = await openDoor(t);
  await broker.access.putUser({ name: 'client', tags: [] });
  await broker.access.putPermission({
    user: 'client',
    namespace: '',
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  const url = `amqps://127.0.0.1:${door.port}`;
  const ca = [pem('authority.pem')];
  const external = { credentials: credentials.external(), ca };

  const client = await connect(url, {
    ...external,
    cert: pem('client.pem'),
    key: pem('client.key.pem'),
  });
  const channel = await client.createChannel();
  await channel.assertQueue('q');
  const peer = broker.peers.list()[0];
  assert.equal(peer?.user, 'client');
  assert.equal(peer.isTls, true);
  assert.equal(peer.details()['auth_mechanism'], 'EXTERNAL');
  assert.equal(peer.details()['peer_cert_subject'], 'CN=client,O=Test');
  assert.match(String(peer.details()['ssl_protocol']), /^tlsv1\.[23]$/);
  await client.close();

  // Without a certificate the mechanism is not there; a password still is good.
  await assert.rejects(connect(url, external));
  await (await connect(`amqps://guest:guest@127.0.0.1:${door.port}`, { ca })).close();
});
