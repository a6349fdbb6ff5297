import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Clock, limits, SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AmqpDoor } from '../../../src/doors/amqp091/index.ts';
import { emptyTable, type Field, type FieldTable } from '../../../src/doors/amqp091/wire/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { patienceMs } from '../../support/patience.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { protocolHeader, RawClient } from './raw-client.ts';

const table = (entries: Record<string, Field>): FieldTable => new Map(Object.entries(entries));
const yes: Field = { type: 't', value: true };
const everyCapability = table({
  authentication_failure_close: yes,
  'connection.blocked': yes,
  consumer_cancel_notify: yes,
});

let broker: Broker;
let door: AmqpDoor;

before(async () => {
  broker = await Broker.open({ store: 'memory' });
  await broker.access.putUser({ name: 'limited', tags: [], password: 'pw' });
  await broker.access.putPermission({
    user: 'limited',
    namespace: '',
    configure: '^own\\.',
    write: '^own\\.',
    read: '^own\\.',
  });
  await broker.access.putNamespace({
    name: 'small',
    description: '',
    tags: [],
    attributes: {},
    limits: { connections: 1, queues: 1 },
  });
  await broker.access.putPermission({
    user: 'guest',
    namespace: 'small',
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  door = await openDoor(new SystemClock());
});

function openDoor(clock: Clock): Promise<AmqpDoor> {
  return AmqpDoor.open({
    broker,
    clock,
    random: new SystemRandom(),
    log: silentLog,
    version: '0.0.0',
    host: '127.0.0.1',
    port: 0,
  });
}

after(async () => {
  await door.close(0);
  await broker.close();
});

const connectionClose = { replyCode: 200, replyText: '', failedClassId: 0, failedMethodId: 0 };
const declare = {
  ticket: 0,
  queue: '',
  passive: false,
  durable: false,
  exclusive: true,
  autoDelete: false,
  nowait: false,
  arguments: emptyTable,
};

function publish(client: RawClient, exchange = ''): void {
  client.send(1, 'basicPublish', {
    ticket: 0,
    exchange,
    routingKey: 'nowhere',
    mandatory: false,
    immediate: false,
  });
}

/** What a client is answered, as the real RabbitMQ (3.10, or 4 where it says so) answers it. */
interface Breach {
  readonly name: string;
  readonly act: (client: RawClient) => void;
  /** Reply text, class and method; of a connection.close where the channel is 0. */
  readonly answer: readonly [channel: 0 | 1, text: string | RegExp, failed?: string];
}

const breaches: readonly Breach[] = [
  {
    name: 'a method of the handshake when it is over',
    act: (client) =>
      client.send(0, 'connectionTuneOk', { channelMax: 1, frameMax: 4096, heartbeat: 0 }),
    answer: [0, 'CHANNEL_ERROR - unexpected method in connection state running', '10.31'],
  },
  {
    name: "a channel's method on channel 0",
    act: (client) => client.send(0, 'queueDeclare', declare),
    answer: [0, 'CHANNEL_ERROR - unexpected method in connection state running', '50.10'],
  },
  {
    name: 'content on channel 0',
    act: (client) => client.header(0, 3),
    answer: [0, 'UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,3,0,0>>', '0.0'],
  },
  {
    name: 'an unknown type of frame',
    act: (client) => client.frame(9, 0, Buffer.from('abc')),
    answer: [0, 'FRAME_ERROR - type 9, all octets = <<"abc">>: unknown_frame', '0.0'],
  },
  {
    name: 'an unknown type of frame with a long payload on a channel',
    act: (client) => client.frame(9, 1, Buffer.from('abcdefghijklmnopqrstuvwxyz')),
    answer: [
      0,
      'FRAME_ERROR - type 9, first 16 octets = <<"abcdefghijklmnop">>: unknown_frame',
      '0.0',
    ],
  },
  {
    name: 'a heartbeat on a channel',
    act: (client) => client.frame(8, 1, Buffer.alloc(0)),
    answer: [0, 'UNEXPECTED_FRAME - type 8, all octets = <<>>', '0.0'],
  },
  {
    name: 'a heartbeat with a payload',
    act: (client) => client.frame(8, 0, Buffer.from('zz')),
    answer: [0, 'FRAME_ERROR - type 8, all octets = <<"zz">>: unknown_frame', '0.0'],
  },
  {
    name: 'a frame without its end octet',
    act: (client) => client.frame(1, 1, Buffer.from([0, 20, 0, 10, 0]), 65),
    answer: [
      0,
      'FRAME_ERROR - type 1, all octets = <<0,20,0,10,0>>: {invalid_frame_end_marker,65}',
      '0.0',
    ],
  },
  {
    name: 'a frame beyond frame_max',
    act: (client) => client.write(Buffer.from([1, 0, 1, 0x7f, 0, 0, 0])),
    answer: [
      0,
      'FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,2130706432,131064}',
      '0.0',
    ],
  },
  {
    name: 'a method frame without a method',
    act: (client) => client.frame(1, 0, Buffer.from([0, 10])),
    answer: [0, 'FRAME_ERROR - type 1, all octets = <<0,10>>: unknown_frame', '0.0'],
  },
  {
    name: 'a method on a channel that is not open',
    act: (client) => client.send(7, 'queueDeclare', declare),
    answer: [0, "CHANNEL_ERROR - expected 'channel.open'", '50.10'],
  },
  {
    name: 'content on a channel that is not open',
    act: (client) => client.frame(3, 7, Buffer.from('x')),
    answer: [0, 'UNEXPECTED_FRAME - expected method frame, got non method frame instead', '0.0'],
  },
  {
    name: 'a channel that is opened twice',
    act: (client) => client.send(1, 'channelOpen', { outOfBand: '' }),
    answer: [0, "CHANNEL_ERROR - second 'channel.open' seen", '20.10'],
  },
  {
    name: "a server's method",
    act: (client) =>
      client.send(1, 'queueDeclareOk', { queue: 'q', messageCount: 1, consumerCount: 1 }),
    answer: [0, 'COMMAND_INVALID - unimplemented method', '50.11'],
  },
  {
    name: 'a method that nobody knows',
    act: (client) => client.method(1, 50, 99),
    answer: [0, 'FRAME_ERROR - unknown method 50.99', '50.99'],
  },
  {
    name: 'bytes behind the arguments',
    act: (client) => client.method(1, 50, 30, Buffer.from([0, 0, 1, 0x71, 0, 9, 9, 9])),
    answer: [0, 'FRAME_ERROR - cannot decode <<0,0,1,113,0,9,9,9>>', '50.30'],
  },
  {
    name: 'arguments that are cut off',
    act: (client) => client.method(1, 50, 10, Buffer.from([0, 0, 50, 0x71])),
    answer: [0, 'FRAME_ERROR - cannot decode <<0,0,50,113>>', '50.10'],
  },
  {
    name: 'a table whose length lies',
    act: (client) =>
      client.method(
        1,
        50,
        10,
        Buffer.from([0, 0, 1, 0x71, 0, 0, 0, 0, 9, 1, 0x61, 0x53, 0, 0, 0, 99, 1, 1]),
      ),
    answer: [0, /^SYNTAX_ERROR - /, '50.10'],
  },
  {
    name: 'a name that is not UTF-8',
    act: (client) => client.method(1, 50, 30, Buffer.from([0, 0, 2, 0xff, 0xfe, 0])),
    answer: [0, 'FRAME_ERROR - Malformed UTF-8 in shortstr', '0.0'],
  },
  {
    name: 'a header frame without a publish',
    act: (client) => client.header(1, 3),
    answer: [0, 'UNEXPECTED_FRAME - expected method frame, got non method frame instead', '0.0'],
  },
  {
    name: 'a method where the content header belongs',
    act: (client) => {
      publish(client);
      client.send(1, 'queueDeclare', declare);
    },
    answer: [
      0,
      'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead',
      '60.40',
    ],
  },
  {
    name: 'a content header of another class',
    act: (client) => {
      publish(client);
      client.header(1, 3, 50);
    },
    answer: [
      0,
      'UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead',
      '60.40',
    ],
  },
  {
    name: 'a method where the body belongs',
    act: (client) => {
      publish(client);
      client.header(1, 3);
      client.send(1, 'queueDeclare', declare);
    },
    answer: [
      0,
      'UNEXPECTED_FRAME - expected content body, got non content body frame instead',
      '60.40',
    ],
  },
  {
    name: 'a content header that is cut off',
    act: (client) => {
      publish(client);
      client.frame(2, 1, Buffer.from([0, 60, 0]));
    },
    answer: [0, 'FRAME_ERROR - type 2, all octets = <<0,60,0>>: unknown_frame', '0.0'],
  },
  {
    name: 'a body that is longer than its header says',
    act: (client) => {
      publish(client);
      client.header(1, 3);
      client.frame(3, 1, Buffer.from('xxxxx'));
    },
    answer: [0, 'FRAME_ERROR - content body is longer than its header says', '60.40'],
  },
  {
    name: 'a message that is too large',
    act: (client) => {
      publish(client);
      client.header(1, 1024 ** 3);
      client.frame(3, 1, Buffer.alloc(100_000));
    },
    answer: [
      1,
      'PRECONDITION_FAILED - message size 1073741824 is larger than configured max size 16777216',
      '60.40',
    ],
  },
  {
    name: 'an exchange that is not there',
    act: (client) => {
      publish(client, 'nope');
      client.header(1, 0);
    },
    answer: [1, "NOT_FOUND - no exchange 'nope' in vhost '/'", '60.40'],
  },
  {
    name: 'deliveries that are to stop',
    act: (client) => client.send(1, 'channelFlow', { active: false }),
    answer: [0, 'NOT_IMPLEMENTED - active=false', '20.20'],
  },
  {
    name: 'a close-ok that nobody asked for',
    act: (client) => client.send(1, 'channelCloseOk', {}),
    answer: [0, 'COMMAND_INVALID - unimplemented method', '20.41'],
  },
];

describe('a breach of the protocol is answered as RabbitMQ does', { concurrency: 8 }, () => {
  for (const { name, act, answer } of breaches) {
    test(name, async () => {
      const client = await RawClient.open(door.port, { capabilities: everyCapability });
      const other = await RawClient.open(door.port);
      await client.openChannel(1);
      act(client);
      const [channel, text, failed] = answer;
      const frame = await client.take();
      assert.equal(frame?.method, channel === 0 ? 'connectionClose' : 'channelClose');
      const values = frame.values!;
      if (typeof text === 'string') assert.equal(values['replyText'], text);
      else assert.match(String(values['replyText']), text);
      assert.equal(
        `${String(values['failedClassId'])}.${String(values['failedMethodId'])}`,
        failed,
      );
      if (channel === 0) client.send(0, 'connectionCloseOk', {});
      else {
        client.send(1, 'channelCloseOk', {});
        await client.openChannel(1);
        client.send(0, 'connectionClose', connectionClose);
      }
      await client.closed();
      // Nobody else notices.
      await other.openChannel(1);
      other.destroy();
    });
  }
});

describe('the handshake', { concurrency: 8 }, () => {
  const headers: ReadonlyArray<readonly [string, Buffer]> = [
    ['AMQP 1.0', Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0])],
    ['AMQP 0-10', Buffer.from([0x41, 0x4d, 0x51, 0x50, 1, 1, 0, 10])],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
  ];
  for (const [name, header] of headers) {
    test(`answers ${name} with what it speaks, and closes`, async () => {
      const client = await RawClient.connect(door.port, true);
      client.write(header);
      await client.closed();
      assert.ok(protocolHeader.equals(Buffer.concat(client.raw)));
    });
  }

  test('tells what it is and can', async () => {
    const client = await RawClient.connect(door.port);
    // A header of AMQP 0-9 is taken for one of 0-9-1; it may come in pieces.
    client.write(Buffer.from([0x41, 0x4d, 0x51]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.write(Buffer.from([0x50, 1, 1, 0, 9]));
    const start = await client.next('connectionStart');
    assert.deepEqual([start.versionMajor, start.versionMinor], [0, 9]);
    assert.equal(Buffer.from(start.mechanisms).toString(), 'PLAIN AMQPLAIN ANONYMOUS');
    const version = start.serverProperties.get('version');
    assert.ok(version?.type === 'S');
    assert.match(version.value, /^4\.\d+\.\d+$/);
    const capabilities = start.serverProperties.get('capabilities');
    assert.ok(capabilities?.type === 'F');
    assert.equal(capabilities.value.get('publisher_confirms')?.value, true);
    client.destroy();
  });

  test('takes everything at once from a client that does not wait', async () => {
    const client = await RawClient.connect(door.port);
    client.sendOpening();
    client.send(1, 'channelOpen', { outOfBand: '' });
    client.send(1, 'queueDeclare', declare);
    const declared = await client.next('queueDeclareOk');
    assert.match(declared.queue, /^amq\.gen-[\w-]{22}$/);
    client.destroy();
  });

  const logins: ReadonlyArray<readonly [string, string, string]> = [
    ['AMQPLAIN', 'AMQPLAIN', '\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest'],
    ['PLAIN with an identity to act as', 'PLAIN', 'guest\0guest\0guest'],
    ['ANONYMOUS from this machine', 'ANONYMOUS', ''],
  ];
  for (const [name, mechanism, response] of logins) {
    test(`logs in with ${name}`, async () => {
      const client = await RawClient.connect(door.port);
      client.write(protocolHeader);
      client.send(0, 'connectionStartOk', {
        clientProperties: emptyTable,
        mechanism,
        response: Buffer.from(response, 'latin1'),
        locale: 'en_US',
      });
      const tune = await client.next('connectionTune');
      assert.deepEqual({ ...tune }, { channelMax: 2047, frameMax: 131_072, heartbeat: 60 });
      client.destroy();
    });
  }

  test('tells a wrong password to whoever can hear it', async () => {
    const client = await RawClient.connect(door.port);
    client.sendOpening({ capabilities: everyCapability, password: 'wrong' });
    await client.next('connectionStart');
    const close = await client.take();
    assert.equal(close?.method, 'connectionClose');
    assert.equal(
      close.values?.['replyText'],
      'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.',
    );
    client.destroy();
  });

  const silent: ReadonlyArray<readonly [string, string, string]> = [
    ['a wrong password without that capability', 'PLAIN', '\0guest\0wrong'],
    ['an unknown mechanism', 'FOO', ''],
    ['a response that is none', 'PLAIN', 'xx'],
    ['a table that is none', 'AMQPLAIN', 'xx'],
    ['a certificate that nobody showed', 'EXTERNAL', ''],
  ];
  for (const [name, mechanism, response] of silent) {
    test(`hangs up on ${name}`, async () => {
      const client = await RawClient.connect(door.port);
      client.write(protocolHeader);
      client.send(0, 'connectionStartOk', {
        clientProperties: emptyTable,
        mechanism,
        response: Buffer.from(response),
        locale: 'en_US',
      });
      await client.closed();
      assert.deepEqual(
        client.received.map(({ method }) => method),
        ['connectionStart'],
      );
    });
  }

  const tunings: ReadonlyArray<readonly [Record<string, number>, string]> = [
    [
      { frameMax: 100 },
      'NOT_ALLOWED - negotiated frame_max = 100 is lower than the minimum allowed value (4096)',
    ],
    [
      { frameMax: 200_000 },
      'NOT_ALLOWED - negotiated frame_max = 200000 is higher than the maximum allowed value (131072)',
    ],
    [
      { channelMax: 0 },
      'NOT_ALLOWED - negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)',
    ],
  ];
  for (const [tuning, text] of tunings) {
    test(`refuses ${JSON.stringify(tuning)}`, async () => {
      const client = await logIn('guest', 'guest');
      client.send(0, 'connectionTuneOk', {
        channelMax: 2047,
        frameMax: 131_072,
        heartbeat: 0,
        ...tuning,
      });
      assert.equal((await client.take())?.values?.['replyText'], text);
      client.destroy();
    });
  }

  const vhosts: ReadonlyArray<readonly [string, string, string]> = [
    ['guest', 'nope', 'NOT_ALLOWED - vhost nope not found'],
    ['limited', 'small', "NOT_ALLOWED - access to vhost 'small' refused for user 'limited'"],
  ];
  for (const [user, vhost, text] of vhosts) {
    test(`refuses the vhost ${vhost} for ${user}`, async () => {
      const client = await RawClient.connect(door.port);
      client.sendOpening({ user, password: user === 'guest' ? 'guest' : 'pw', vhost });
      await client.next('connectionTune');
      assert.equal((await client.take())?.values?.['replyText'], text);
      client.destroy();
    });
  }

  test('counts the connections and queues of a vhost with limits', async () => {
    const first = await RawClient.open(door.port, { vhost: 'small' });
    const second = await RawClient.connect(door.port);
    second.sendOpening({ vhost: 'small' });
    await second.next('connectionTune');
    assert.equal(
      (await second.take())?.values?.['replyText'],
      "NOT_ALLOWED - access to vhost 'small' refused for user 'guest': connection limit (1) is reached",
    );
    second.destroy();
    await first.openChannel(1);
    first.send(1, 'queueDeclare', { ...declare, queue: 'a' });
    await first.next('queueDeclareOk');
    first.send(1, 'queueDeclare', { ...declare, queue: 'b' });
    assert.equal(
      (await first.take())?.values?.['replyText'],
      "PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost 'small' (1) is reached",
    );
    first.destroy();
  });

  test('takes no frame of a channel before it is done', async () => {
    const client = await logIn('guest', 'guest');
    client.send(0, 'connectionTuneOk', { channelMax: 1, frameMax: 4096, heartbeat: 0 });
    client.send(1, 'channelOpen', { outOfBand: '' });
    assert.equal(
      (await client.take())?.values?.['replyText'],
      'UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>>',
    );
    client.destroy();
  });
});

async function logIn(user: string, password: string): Promise<RawClient> {
  const client = await RawClient.connect(door.port);
  client.write(protocolHeader);
  client.send(0, 'connectionStartOk', {
    clientProperties: emptyTable,
    mechanism: 'PLAIN',
    response: Buffer.from(`\0${user}\0${password}`),
    locale: 'en_US',
  });
  await client.next('connectionTune');
  return client;
}

describe('a connection', { concurrency: 8 }, () => {
  test('is closed by the client when everything before is done', async () => {
    const client = await RawClient.open(door.port);
    await client.openChannel(1);
    client.send(1, 'queueDeclare', {
      ...declare,
      queue: 'own.late',
      exclusive: false,
      durable: true,
    });
    client.send(0, 'connectionClose', connectionClose);
    await client.next('queueDeclareOk');
    await client.next('connectionCloseOk');
    client.destroy();
    assert.ok(broker.queues.find('', 'own.late') !== undefined);
  });

  test('is left to the client to hang up behind close-ok, for a while', async () => {
    const clock = new SkippingClock(true);
    const other = await openDoor(clock);
    const client = await RawClient.open(other.port);
    client.send(0, 'connectionClose', connectionClose);
    await client.next('connectionCloseOk');
    // What still comes says nothing any more.
    client.frame(8, 0, Buffer.alloc(0));
    client.send(0, 'connectionClose', connectionClose);
    clock.skip(limits.closeMs - 1000);
    // Whoever comes later has been answered: what was to happen to the first one has happened.
    const later = await RawClient.open(other.port);
    later.send(0, 'connectionClose', connectionClose);
    await later.next('connectionCloseOk');
    later.socket.end();
    await later.closed();
    assert.ok(!client.isClosed);
    clock.skip(2000);
    await client.closed();
    assert.equal(await client.take(), undefined);
    await other.close(0);
  });

  test('that has said good-bye and not hung up does not keep the door from closing', async () => {
    const other = await openDoor(new SkippingClock(true));
    const client = await RawClient.open(other.port);
    client.send(0, 'connectionClose', connectionClose);
    await client.next('connectionCloseOk');
    await other.close(patienceMs);
    await client.closed();
  });

  test('takes its exclusive queues with it before it says good-bye', async () => {
    const client = await RawClient.open(door.port);
    await client.openChannel(1);
    client.send(1, 'queueDeclare', { ...declare, queue: 'own.mine' });
    await client.next('queueDeclareOk');
    assert.ok(broker.queues.find('', 'own.mine') !== undefined);
    client.send(0, 'connectionClose', connectionClose);
    await client.next('connectionCloseOk');
    assert.equal(broker.queues.find('', 'own.mine'), undefined);
  });

  test('opens as many channels as were agreed on, of any number', async () => {
    const client = await logIn('guest', 'guest');
    client.send(0, 'connectionTuneOk', { channelMax: 2, frameMax: 4096, heartbeat: 0 });
    client.send(0, 'connectionOpen', { virtualHost: '/', capabilities: '', insist: false });
    await client.next('connectionOpenOk');
    await client.openChannel(9);
    await client.openChannel(65_535);
    client.send(3, 'channelOpen', { outOfBand: '' });
    assert.equal(
      (await client.take())?.values?.['replyText'],
      'NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)',
    );
    client.destroy();
  });

  test('sends heartbeats, and is dropped when the client sends none', async () => {
    const endMs = Date.now() + patienceMs;
    for (;;) {
      const client = await RawClient.open(door.port, { heartbeat: 1 });
      await client.closed();
      // Where the machine stands still for two seconds, the first that is looked at is that the client is gone.
      if (client.received.some(({ type }) => type === 8)) return;
      assert.ok(Date.now() < endMs, 'no heartbeats were sent');
    }
  });

  test('is shown to tools, and closed by them', async () => {
    const client = await RawClient.open(door.port, { capabilities: everyCapability });
    await client.openChannel(5);
    const peer = broker.peers.list().find(({ peerPort }) => peerPort === client.socket.localPort);
    assert.equal(peer?.name, `127.0.0.1:${client.socket.localPort} -> 127.0.0.1:${door.port}`);
    const details = peer.details();
    assert.equal(details['state'], 'running');
    assert.equal(details['auth_mechanism'], 'PLAIN');
    assert.equal(details['channels'], 1);
    assert.deepEqual(
      Object.keys(Object(Object(details['client_properties'])['capabilities'])).length,
      3,
    );
    assert.deepEqual(
      peer.channels().map(({ number }) => number),
      [5],
    );
    peer.close('Closed via management plugin');
    const close = await client.take();
    assert.equal(close?.values?.['replyText'], 'CONNECTION_FORCED - Closed via management plugin');
    client.send(0, 'connectionCloseOk', {});
    await client.closed();
    assert.ok(!broker.peers.list().includes(peer));
  });

  test('takes any new secret: the password that it logged in with does not expire', async () => {
    const client = await RawClient.open(door.port);
    for (const secret of ['guest', 'another']) {
      client.send(0, 'connectionUpdateSecret', { newSecret: Buffer.from(secret), reason: 'r' });
      await client.next('connectionUpdateSecretOk');
    }
    await client.openChannel();
    client.destroy();
  });
});

describe('a channel', () => {
  test('that was closed with an error ignores what comes until its answer', async () => {
    const client = await RawClient.open(door.port);
    await client.openChannel(1);
    client.send(1, 'queueDeclare', { ...declare, queue: 'nope', passive: true });
    client.send(1, 'queueDeclare', declare);
    publish(client);
    client.header(1, 1);
    client.frame(3, 1, Buffer.from('x'));
    const close = await client.take();
    assert.equal(close?.values?.['replyText'], "NOT_FOUND - no queue 'nope' in vhost '/'");
    client.send(1, 'channelClose', connectionClose);
    await client.next('channelCloseOk');
    client.send(1, 'channelCloseOk', {});
    await client.openChannel(1);
    client.destroy();
  });

  test('answers in order while another goes on', async () => {
    const client = await RawClient.open(door.port);
    await client.openChannel(1);
    await client.openChannel(2);
    // A durable declaration waits for the disk, a passive one for nothing.
    client.send(1, 'queueDeclare', {
      ...declare,
      queue: 'own.order',
      exclusive: false,
      durable: true,
    });
    client.send(1, 'queueDeclare', {
      ...declare,
      queue: 'own.order',
      passive: true,
      exclusive: false,
    });
    client.send(1, 'exchangeDelete', {
      ticket: 0,
      exchange: 'none',
      ifUnused: false,
      nowait: false,
    });
    client.send(2, 'accessRequest', {
      realm: '/data',
      exclusive: false,
      passive: true,
      active: true,
      write: true,
      read: true,
    });
    const order: string[] = [];
    while (order.length < 4) {
      const frame = await client.take();
      assert.ok(frame !== undefined);
      order.push(`${frame.channel} ${frame.method}`);
    }
    assert.deepEqual(
      order.filter((line) => line.startsWith('1')),
      ['1 queueDeclareOk', '1 queueDeclareOk', '1 exchangeDeleteOk'],
    );
    client.destroy();
  });
});

describe('a door that closes', () => {
  test('tells its clients, and waits for what they still have to say', async () => {
    const other = await openDoor(new SystemClock());
    const client = await RawClient.open(other.port);
    const early = await RawClient.connect(other.port);
    await client.openChannel(1);
    client.send(1, 'confirmSelect', { nowait: true });
    client.send(1, 'queueDeclare', {
      ...declare,
      queue: 'own.closing',
      exclusive: false,
      durable: true,
    });
    await client.next('queueDeclareOk');
    const closing = other.close(patienceMs);
    const close = await client.take();
    assert.equal(
      close?.values?.['replyText'],
      "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
    );
    client.send(0, 'connectionCloseOk', {});
    await closing;
    await early.closed();
    await assert.rejects(RawClient.connect(other.port));
  });
});
