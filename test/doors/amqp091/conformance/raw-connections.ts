import { type Field, frameType } from '../../../../src/doors/amqp091/wire/index.ts';
import {
  body,
  expirationFlag,
  header,
  headersFlag,
  publishWith,
  short,
  userFlag,
} from './raw-content.ts';
import {
  declared,
  deletion,
  fetch,
  publication,
  queue,
  type RawScenario,
  table,
  yes,
} from './raw-methods.ts';
import type { RawSession } from './raw-session.ts';

const ending = { replyCode: 200, replyText: '', failedClassId: 0, failedMethodId: 0 };
const tuned = { channelMax: 2047, frameMax: 131_072, heartbeat: 0 };
const opened = { virtualHost: '/', capabilities: '', insist: false };
const smallFrame = 4096;
const frameOverhead = 8;

const contents: readonly RawScenario[] = [
  {
    name: 'content: connection.close in the middle of it',
    run: (session) => {
      session.send('basicPublish', publication('', 'k'));
      header(session, 10n);
      body(session, 'abc');
      session.client.send(0, 'connectionClose', ending);
    },
  },
  {
    name: 'content: channel.close in the middle of it',
    run: (session) => {
      session.send('basicPublish', publication('', 'k'));
      header(session, 10n);
      body(session, 'abc');
      session.send('channelClose', ending);
    },
  },
  {
    name: 'content: another header in the middle of it',
    run: (session) => {
      session.send('basicPublish', publication('', 'k'));
      header(session, 10n);
      header(session, 10n);
    },
  },
  {
    name: 'content: none, and yet a body',
    run: async (session) => {
      await declared(session);
      session.send('basicPublish', publication('', 'conformance'));
      header(session, 0n);
      await session.quiet();
      body(session, '');
    },
  },
  {
    name: 'content: in empty pieces and others',
    run: async (session) => {
      await declared(session);
      session.send('basicPublish', publication('', 'conformance'));
      header(session, 3n);
      for (const piece of ['', 'a', '', 'bc']) body(session, piece);
      session.send('basicGet', fetch);
    },
  },
  {
    name: 'content: a weight',
    run: async (session) => {
      await declared(session);
      session.send('basicPublish', publication('', 'conformance'));
      header(session, 1n, { weight: 7 });
      body(session, 'x');
      session.send('basicGet', fetch);
    },
  },
  {
    name: 'content: longer than anything',
    run: (session) => {
      session.send('basicPublish', publication('', 'k'));
      header(session, 2n ** 63n);
    },
    differs: 'RabbitMQ waits for it; here its header is refused',
  },
  {
    name: 'content: a channel error in front of it, and the rest of it ignored',
    run: async (session) => {
      await declared(session);
      session.publish('nope', 'k', 'x');
      session.publish('', 'conformance', 'ignored');
      session.send('queueDelete', deletion);
      await session.quiet();
      await session.reopen();
      session.publish('', 'conformance', 'taken');
      session.send('basicGet', fetch);
      session.send('queueDeclare', queue({ passive: true }));
    },
  },
  {
    name: 'content: headers whose table is cut off',
    run: async (session) => {
      await declared(session);
      publishWith(session, headersFlag, Buffer.from('000000ff0161', 'hex'));
      session.send('basicGet', fetch);
    },
    differs: 'RabbitMQ stores what it cannot read, or fails on it',
  },
  ...[
    '',
    '-1',
    '1.5',
    'abc',
    ' 5',
    '5 ',
    '+5',
    '4294967296',
    '315360000000',
    '315360000001',
    '1e3',
    '0x10',
  ].map(
    (expiration): RawScenario => ({
      name: `content: expiration "${expiration}"`,
      run: async (session) => {
        await declared(session);
        publishWith(session, expirationFlag, short(expiration));
        await session.quiet();
      },
    }),
  ),
  ...['guest', 'nobody', ''].map(
    (user): RawScenario => ({
      name: `content: user-id "${user}"`,
      run: async (session) => {
        await declared(session);
        publishWith(session, userFlag, short(user));
        await session.quiet();
      },
    }),
  ),
  ...(
    [
      ['a text', Buffer.concat([short('CC'), Buffer.from('S\0\0\0\x01k')])],
      ['a number', Buffer.concat([short('CC'), Buffer.from('I\0\0\0\x01')])],
      ['an array of numbers', Buffer.concat([short('CC'), Buffer.from('A\0\0\0\x05I\0\0\0\x01')])],
      ['an empty array', Buffer.concat([short('CC'), Buffer.from('A\0\0\0\0')])],
      ['BCC, a text', Buffer.concat([short('BCC'), Buffer.from('S\0\0\0\x01k')])],
    ] as const
  ).map(
    ([what, fields]): RawScenario => ({
      name: `content: CC is ${what}`,
      run: async (session) => {
        await declared(session);
        const length = Buffer.alloc(4);
        length.writeUInt32BE(fields.length);
        publishWith(session, headersFlag, Buffer.concat([length, fields]));
        await session.quiet();
        session.send('basicGet', { ...fetch, noAck: true });
      },
    }),
  ),
];

const channels: readonly RawScenario[] = [
  {
    name: 'channel.open on channel 0',
    run: ({ client }) => client.send(0, 'channelOpen', { outOfBand: '' }),
  },
  {
    name: 'channel.open beyond channel_max',
    run: ({ client }) => client.send(2048, 'channelOpen', { outOfBand: '' }),
  },
  {
    name: 'channel.close-ok that nobody asked for',
    run: async (session) => {
      session.send('channelCloseOk', {});
      await session.quiet();
      session.send('queueDeclare', queue({}));
    },
  },
  {
    name: 'channel.close crossing one of the server',
    run: async (session) => {
      session.send('queueDeclare', queue({ queue: 'nope', passive: true }));
      session.send('channelClose', ending);
      await session.quiet();
      session.send('channelCloseOk', {});
      session.send('channelOpen', { outOfBand: '' });
      session.send('queueDeclare', queue({}));
    },
  },
  {
    name: 'channel.open again in front of close-ok',
    run: async (session) => {
      session.send('queueDeclare', queue({ queue: 'nope', passive: true }));
      await session.quiet();
      session.send('channelOpen', { outOfBand: '' });
    },
  },
  {
    name: 'a closed channel is used',
    run: async (session) => {
      session.send('channelClose', ending);
      await session.quiet();
      session.send('queueDeclare', queue({}));
    },
  },
  {
    name: 'a method that only a server sends: basic.deliver',
    run: (session) => {
      session.send('basicDeliver', {
        consumerTag: 'tag',
        deliveryTag: 1,
        redelivered: false,
        exchange: '',
        routingKey: 'k',
      });
    },
    differs: 'RabbitMQ waits for its content before it refuses it',
  },
  {
    name: 'a method that only a server sends: queue.declare-ok',
    run: (session) => {
      session.send('queueDeclareOk', { queue: 'conformance', messageCount: 0, consumerCount: 0 });
    },
  },
  {
    name: 'a method that only a server sends: basic.get-empty',
    run: (session) => session.send('basicGetEmpty', { clusterId: '' }),
  },
  {
    name: 'basic.cancel-ok that nobody asked for',
    run: async (session) => {
      session.send('basicCancelOk', { consumerTag: 'tag' });
      await session.quiet();
      session.send('queueDeclare', queue({}));
    },
    differs:
      'the specification has clients answer a cancel; RabbitMQ closes the connection of one that does',
  },
  {
    name: 'channel.flow-ok that nobody asked for',
    run: async (session) => {
      session.send('channelFlowOk', { active: true });
      await session.quiet();
      session.send('queueDeclare', queue({}));
    },
  },
  {
    name: 'connection.open once more',
    run: ({ client }) => client.send(0, 'connectionOpen', opened),
  },
  {
    name: 'connection.tune-ok once more',
    run: ({ client }) => client.send(0, 'connectionTuneOk', tuned),
  },
  {
    name: 'connection.open on channel 1',
    run: (session) => session.send('connectionOpen', opened),
  },
  {
    name: 'connection.close on channel 1',
    run: (session) => session.send('connectionClose', ending),
  },
  {
    name: 'connection.update-secret',
    run: ({ client }) =>
      client.send(0, 'connectionUpdateSecret', { newSecret: Buffer.from('s'), reason: 'r' }),
  },
  {
    name: 'a heartbeat on a channel',
    run: async (session) => {
      session.client.frame(frameType.heartbeat, 1, Buffer.alloc(0));
      await session.quiet();
      session.send('queueDeclare', queue({}));
    },
  },
  {
    name: 'a heartbeat with something in it',
    run: async (session) => {
      session.client.frame(frameType.heartbeat, 0, Buffer.from('x'));
      await session.quiet();
      session.send('queueDeclare', queue({}));
    },
  },
  {
    name: 'a method frame with nothing in it',
    run: (session) => session.client.frame(frameType.method, 1, Buffer.alloc(0)),
  },
  {
    name: 'a client that closes its half',
    run: async (session) => {
      const other = await session.another();
      other.client.socket.end();
      await other.client.closed(10_000);
      session.note('closed');
    },
  },
];

/** As far as connection.start, which tells of the product. */
async function started(session: RawSession): Promise<RawSession> {
  const stranger = await session.stranger();
  stranger.client.write(Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]));
  await stranger.client.next('connectionStart');
  return stranger;
}

async function login(
  session: RawSession,
  mechanism: string,
  response: Buffer,
): Promise<RawSession> {
  const stranger = await started(session);
  const authentication: Field = { type: 'F', value: table({ authentication_failure_close: yes }) };
  stranger.client.send(0, 'connectionStartOk', {
    clientProperties: table({ capabilities: authentication }),
    mechanism,
    response,
    locale: 'en_US',
  });
  return stranger;
}

const plain = Buffer.from('\0guest\0guest');

/** The connection is tuned so, opened, and a channel opened on it. */
function tuning(what: string, tune: Partial<typeof tuned>, differs?: string): RawScenario {
  return {
    name: `tune-ok: ${what}`,
    run: async (session) => {
      const stranger = await login(session, 'PLAIN', plain);
      await stranger.client.next('connectionTune');
      stranger.client.send(0, 'connectionTuneOk', { ...tuned, ...tune });
      stranger.client.send(0, 'connectionOpen', opened);
      await stranger.quiet();
    },
    ...(differs === undefined ? {} : { differs }),
  };
}

/** A connection whose frames have at most 4096 bytes, with channel 1. */
async function openedSmall(session: RawSession): Promise<RawSession> {
  const stranger = await login(session, 'PLAIN', plain);
  await stranger.client.next('connectionTune');
  stranger.client.send(0, 'connectionTuneOk', { ...tuned, frameMax: smallFrame });
  stranger.client.send(0, 'connectionOpen', opened);
  await stranger.client.next('connectionOpenOk');
  await stranger.client.openChannel(1);
  return stranger;
}

const told = 'here the reason is told with connection.close, as RabbitMQ 4 does it';

const handshakes: readonly RawScenario[] = [
  tuning('as offered', {}),
  tuning('channel_max 1', { channelMax: 1 }),
  tuning('channel_max above what was offered', { channelMax: 2048 }, told),
  tuning('channel_max 0', { channelMax: 0 }, told),
  tuning('frame_max above what was offered', { frameMax: 131_073 }, told),
  tuning('frame_max 4095', { frameMax: 4095 }, told),
  tuning('frame_max 0', { frameMax: 0 }, told),
  tuning('heartbeat above what was offered', { heartbeat: 600 }),
  ...(
    [
      ['a wrong password', 'PLAIN', Buffer.from('\0guest\0wrong')],
      ['an unknown user', 'PLAIN', Buffer.from('\0nobody\0guest')],
      ['nothing', 'PLAIN', Buffer.alloc(0)],
      ['no password', 'PLAIN', Buffer.from('\0guest')],
      ['an unknown mechanism', 'WHAT', plain],
      ['a mechanism in small letters', 'plain', plain],
      ['AMQPLAIN without a table', 'AMQPLAIN', Buffer.from('x')],
    ] as const
  ).map(
    ([what, mechanism, response]): RawScenario => ({
      name: `login: ${what}`,
      run: async (session) => {
        const stranger = await login(session, mechanism, response);
        // Both let the unknown wait.
        const frame = await stranger.client.take(10_000);
        if (frame !== undefined)
          session.note(`${String(frame.method)} ${String(frame.values?.['replyText'])}`);
        await stranger.quiet();
      },
    }),
  ),
  ...['nope', '', '/ '].map(
    (virtualHost): RawScenario => ({
      name: `connection.open: virtual host "${virtualHost}"`,
      run: async (session) => {
        const stranger = await login(session, 'PLAIN', plain);
        await stranger.client.next('connectionTune');
        stranger.client.send(0, 'connectionTuneOk', tuned);
        stranger.client.send(0, 'connectionOpen', { ...opened, virtualHost });
        await stranger.quiet();
      },
    }),
  ),
  {
    name: 'frame_max 4096: a message that fills its frame, and one of a byte more, are delivered in pieces',
    run: async (session) => {
      const small = await openedSmall(session);
      small.send('queueDeclare', queue({}));
      await small.answer();
      for (const bytes of [smallFrame - frameOverhead, smallFrame - frameOverhead + 1]) {
        small.send('basicPublish', publication('', 'conformance'));
        small.client.header(1, bytes);
        let left = bytes;
        while (left > 0) {
          const piece = Math.min(left, smallFrame - frameOverhead);
          small.client.frame(frameType.body, 1, Buffer.alloc(piece, 'x'));
          left -= piece;
        }
        small.send('basicGet', { ...fetch, noAck: true });
        await small.quiet();
      }
      small.send('queueDelete', deletion);
      await small.quiet();
    },
  },
  {
    name: 'frame_max 4096: a frame of a byte more',
    run: async (session) => {
      const small = await openedSmall(session);
      small.send('basicPublish', publication('', 'nowhere'));
      small.client.header(1, 9000);
      small.client.frame(frameType.body, 1, Buffer.alloc(smallFrame - frameOverhead + 1, 'x'));
      await small.answer();
    },
  },
];

export const rawConnections: readonly RawScenario[] = [...contents, ...channels, ...handshakes];
