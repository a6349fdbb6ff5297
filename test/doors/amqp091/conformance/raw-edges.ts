import { type Field } from '../../../../src/doors/amqp091/wire/index.ts';
import { publishWith, replyToFlag, short } from './raw-content.ts';
import {
  binding,
  consume,
  declared,
  deletion,
  exchange,
  exchangeBinding,
  fetch,
  one,
  queue,
  type RawScenario,
  table,
  text,
  whole,
  yes,
} from './raw-methods.ts';
import type { RawSession } from './raw-session.ts';

const replyTo = 'amq.rabbitmq.reply-to';

const replies: readonly RawScenario[] = [
  {
    name: 'direct reply-to: consumed twice on a channel',
    run: async (session) => {
      session.send('basicConsume', consume({ queue: replyTo, noAck: true }));
      await session.answer();
      session.send('basicConsume', consume({ queue: replyTo, noAck: true, consumerTag: 'other' }));
    },
  },
  {
    name: 'direct reply-to: a request before anybody consumes',
    run: async (session) => {
      await declared(session);
      publishWith(session, replyToFlag, short(replyTo));
    },
  },
  {
    name: 'direct reply-to: asked for, its name',
    run: async (session) => {
      await declared(session);
      session.send('basicConsume', consume({ queue: replyTo, noAck: true }));
      await session.answer();
      publishWith(session, replyToFlag, short(replyTo));
      session.send('basicGet', { ...fetch, noAck: true });
      await session.quiet();
      session.send('basicCancel', { consumerTag: 'tag', nowait: false });
      await session.quiet();
      session.send('basicConsume', consume({ queue: replyTo, noAck: true, exclusive: true }));
    },
  },
  one('direct reply-to: declared', 'queueDeclare', queue({ queue: replyTo })),
  one(
    'direct reply-to: declared passively',
    'queueDeclare',
    queue({ queue: replyTo, passive: true }),
  ),
  one('direct reply-to: purged', 'queuePurge', { ticket: 0, queue: replyTo, nowait: false }),
  one('direct reply-to: deleted', 'queueDelete', { ...deletion, queue: replyTo }),
  one('direct reply-to: bound', 'queueBind', {
    ...binding,
    queue: replyTo,
    exchange: 'amq.direct',
    nowait: false,
  }),
  one('direct reply-to: fetched from', 'basicGet', { ...fetch, queue: replyTo }),
  one(
    'direct reply-to: declared, a name of nobody',
    'queueDeclare',
    queue({ queue: `${replyTo}.x`, passive: true }),
  ),
  {
    name: 'direct reply-to: published to, mandatory, the name of nobody',
    run: (session) => session.publish('', `${replyTo}.nobody`, 'x', { mandatory: true }),
  },
  {
    name: 'direct reply-to: published to, mandatory, without a name',
    run: (session) => session.publish('', replyTo, 'x', { mandatory: true }),
  },
];

const transactions: readonly RawScenario[] = [
  {
    name: 'tx: a publish to an exchange that is not there',
    run: async (session) => {
      session.send('txSelect', {});
      await session.answer();
      session.publish('nope', 'k', 'x');
      await session.quiet();
      await session.reopen();
      session.send('txCommit', {});
    },
  },
  {
    name: 'tx: mandatory, returned with the commit',
    run: async (session) => {
      session.send('txSelect', {});
      await session.answer();
      session.publish('', 'nowhere', 'x', { mandatory: true });
      await session.quiet();
      session.send('txCommit', {});
    },
  },
  {
    name: 'tx: mandatory, rolled back',
    run: async (session) => {
      session.send('txSelect', {});
      await session.answer();
      session.publish('', 'nowhere', 'x', { mandatory: true });
      session.send('txRollback', {});
      await session.quiet();
      session.send('txCommit', {});
    },
  },
  {
    name: 'tx: immediate',
    run: (session) => {
      session.send('txSelect', {});
      session.publish('', 'nowhere', 'x', { immediate: true });
    },
  },
  {
    name: 'tx: an ack of an unknown tag',
    run: async (session) => {
      session.send('txSelect', {});
      await session.answer();
      session.send('basicAck', { deliveryTag: 7, multiple: false });
      await session.quiet();
    },
  },
  {
    name: 'tx: selected twice, committed twice, rolled back twice',
    run: (session) => {
      session.send('txSelect', {});
      session.send('txSelect', {});
      session.send('txCommit', {});
      session.send('txCommit', {});
      session.send('txRollback', {});
      session.send('txRollback', {});
    },
  },
  {
    name: 'tx: a channel that is closed, and what it published',
    run: async (session) => {
      await declared(session);
      session.send('txSelect', {});
      session.publish('', 'conformance', 'x');
      await session.quiet();
      await session.reopen();
      session.send('queueDeclare', queue({ passive: true }));
    },
  },
  {
    name: 'tx: a reject that is committed',
    run: async (session) => {
      await declared(session);
      session.publish('', 'conformance', 'x');
      await session.quiet();
      session.send('txSelect', {});
      session.send('basicGet', fetch);
      await session.quiet();
      session.send('basicReject', { deliveryTag: 1, requeue: true });
      session.send('queueDeclare', queue({ passive: true }));
      await session.quiet();
      session.send('txCommit', {});
      await session.quiet();
      session.send('queueDeclare', queue({ passive: true }));
      session.send('basicGet', fetch);
    },
  },
];

/** Three messages, all of them taken with basic.get. */
async function taken(session: RawSession): Promise<void> {
  await declared(session);
  for (const each of ['one', 'two', 'three']) session.publish('', 'conformance', each);
  for (let count = 0; count < 3; count += 1) session.send('basicGet', fetch);
  await session.quiet();
}

const settling: readonly RawScenario[] = [
  {
    name: 'basic.reject of tag 0',
    run: async (session) => {
      await taken(session);
      session.send('basicReject', { deliveryTag: 0, requeue: true });
    },
  },
  {
    name: 'basic.ack of tag 0, one',
    run: async (session) => {
      await taken(session);
      session.send('basicAck', { deliveryTag: 0, multiple: false });
    },
  },
  {
    name: 'basic.ack up to a tag that is too great',
    run: async (session) => {
      await taken(session);
      session.send('basicAck', { deliveryTag: 9, multiple: true });
    },
  },
  {
    name: 'basic.ack up to a tag that is settled',
    run: async (session) => {
      await taken(session);
      session.send('basicAck', { deliveryTag: 2, multiple: false });
      session.send('basicAck', { deliveryTag: 2, multiple: true });
      await session.quiet();
      session.send('queueDeclare', queue({ passive: true }));
    },
  },
  {
    name: 'basic.ack of all, twice',
    run: async (session) => {
      await taken(session);
      session.send('basicAck', { deliveryTag: 0, multiple: true });
      session.send('basicAck', { deliveryTag: 0, multiple: true });
    },
  },
  {
    name: 'basic.nack up to the second, back into the queue',
    run: async (session) => {
      await taken(session);
      session.send('basicNack', { deliveryTag: 2, multiple: true, requeue: true });
      for (let count = 0; count < 3; count += 1) session.send('basicGet', fetch);
    },
  },
  {
    name: 'basic.nack of all, tag 0',
    run: async (session) => {
      await taken(session);
      session.send('basicNack', { deliveryTag: 0, multiple: true, requeue: false });
      await session.quiet();
      session.send('queueDeclare', queue({ passive: true }));
    },
  },
  {
    name: 'basic.ack of what came without need of it',
    run: async (session) => {
      await declared(session);
      session.publish('', 'conformance', 'x');
      session.send('basicGet', { ...fetch, noAck: true });
      await session.quiet();
      session.send('basicAck', { deliveryTag: 1, multiple: false });
    },
  },
  {
    name: 'basic.recover-async',
    run: async (session) => {
      await taken(session);
      session.send('basicRecoverAsync', { requeue: true });
      await session.quiet();
      for (let count = 0; count < 3; count += 1) session.send('basicGet', fetch);
    },
  },
  one('basic.recover-async without requeue', 'basicRecoverAsync', { requeue: false }),
  {
    name: 'basic.recover: a consumer and one that was cancelled',
    run: async (session) => {
      await taken(session);
      session.send('basicConsume', consume({}));
      await session.quiet();
      session.send('basicRecover', { requeue: true });
      await session.quiet();
      session.send('basicCancel', { consumerTag: 'tag', nowait: false });
      await session.quiet();
      session.send('basicRecover', { requeue: true });
      await session.quiet();
      session.send('queueDeclare', queue({ passive: true }));
    },
  },
  {
    name: 'a closed channel gives back all it has',
    run: async (session) => {
      await taken(session);
      await session.reopen();
      for (let count = 0; count < 4; count += 1) session.send('basicGet', fetch);
    },
  },
  {
    name: 'queue.purge and queue.delete leave what is taken',
    run: async (session) => {
      await taken(session);
      session.publish('', 'conformance', 'four');
      session.send('queuePurge', { ticket: 0, queue: 'conformance', nowait: false });
      session.send('queueDelete', deletion);
      await session.quiet();
      session.send('basicAck', { deliveryTag: 1, multiple: false });
      session.send('basicNack', { deliveryTag: 0, multiple: true, requeue: true });
      await session.quiet();
      await declared(session);
    },
  },
  {
    name: 'queue.delete if-empty with messages that are taken',
    run: async (session) => {
      await taken(session);
      session.send('queueDelete', { ...deletion, ifEmpty: true });
    },
  },
];

const consumers: readonly RawScenario[] = [
  {
    name: 'basic.consume without a queue where none was declared',
    run: (session) => session.send('basicConsume', consume({ queue: '' })),
  },
  {
    name: 'basic.get without a queue where none was declared',
    run: (session) => session.send('basicGet', { ...fetch, queue: '' }),
  },
  {
    name: 'queue.bind without a queue where none was declared',
    run: (session) =>
      session.send('queueBind', { ...binding, queue: '', exchange: 'amq.direct', nowait: false }),
  },
  {
    name: 'queue.declare passive without a queue where none was declared',
    run: (session) => session.send('queueDeclare', queue({ queue: '', passive: true })),
  },
  {
    name: 'queue.delete without a queue where none was declared',
    run: (session) => session.send('queueDelete', { ...deletion, queue: '' }),
  },
  {
    name: 'queue.bind without a queue and without a key: both are the last declared',
    run: async (session) => {
      await declared(session);
      session.send('queueBind', {
        ...binding,
        queue: '',
        routingKey: '',
        exchange: 'amq.direct',
        nowait: false,
      });
      await session.answer();
      session.publish('amq.direct', 'conformance', 'x', { mandatory: true });
      session.publish('amq.direct', '', 'y', { mandatory: true });
    },
  },
  {
    name: 'the last declared queue, deleted',
    run: async (session) => {
      await declared(session);
      session.send('queueDelete', { ...deletion, queue: '' });
      await session.answer();
      session.send('queueDeclare', queue({ queue: '', passive: true }));
    },
  },
  {
    name: 'basic.consume with nowait; a used tag with nowait',
    run: async (session) => {
      await declared(session);
      session.publish('', 'conformance', 'x');
      session.send('basicConsume', consume({ nowait: true }));
      await session.quiet();
      session.send('basicConsume', consume({ nowait: true }));
    },
  },
  {
    name: 'basic.consume with nowait and without a tag',
    run: async (session) => {
      await declared(session);
      session.publish('', 'conformance', 'x');
      session.send('basicConsume', consume({ nowait: true, consumerTag: '' }));
      await session.quiet();
    },
  },
  {
    name: 'basic.cancel with nowait, twice',
    run: async (session) => {
      await declared(session);
      session.send('basicConsume', consume({}));
      await session.answer();
      session.send('basicCancel', { consumerTag: 'tag', nowait: true });
      await session.quiet();
      session.send('basicCancel', { consumerTag: 'tag', nowait: true });
      await session.quiet();
      session.publish('', 'conformance', 'x');
      await session.quiet();
      session.send('queueDeclare', queue({ passive: true }));
    },
  },
  {
    name: 'an exclusive consumer gives its place back when it is cancelled',
    run: async (session) => {
      await declared(session);
      session.send('basicConsume', consume({ exclusive: true }));
      await session.answer();
      session.send('basicCancel', { consumerTag: 'tag', nowait: false });
      await session.answer();
      session.send('basicConsume', consume({ consumerTag: 'other' }));
    },
  },
  ...(
    [
      ['x-priority', text('high')],
      ['x-priority', { type: 'd', value: 1.5 }],
      ['x-priority', whole(-3)],
      ['x-cancel-on-ha-failover', yes],
      ['x-cancel-on-ha-failover', text('what')],
      ['x-unknown', text('what')],
    ] as ReadonlyArray<readonly [string, Field]>
  ).map(([name, field]) =>
    one(
      `basic.consume with ${name} = ${JSON.stringify(field)}`,
      'basicConsume',
      consume({ arguments: table({ [name]: field }) }),
    ),
  ),
  {
    name: 'a queue that deletes itself goes with its last consumer',
    run: async (session) => {
      await declared(session, { autoDelete: true });
      await session.answer();
      session.send('queueDeclare', queue({ passive: true }));
      await session.answer();
      session.send('basicConsume', consume({}));
      await session.answer();
      session.send('basicConsume', consume({ consumerTag: 'other' }));
      await session.answer();
      session.send('basicCancel', { consumerTag: 'tag', nowait: false });
      await session.answer();
      session.send('queueDeclare', queue({ passive: true }));
      await session.answer();
      session.send('basicCancel', { consumerTag: 'other', nowait: false });
      await session.quiet();
      session.send('queueDeclare', queue({ passive: true }));
    },
  },
  {
    name: 'prefetch of the channel: greater, and none',
    run: async (session) => {
      await declared(session);
      for (const each of ['a', 'b', 'c', 'd', 'e']) session.publish('', 'conformance', each);
      await session.quiet();
      session.send('basicQos', { prefetchSize: 0, prefetchCount: 1, global: true });
      session.send('basicConsume', consume({}));
      await session.quiet();
      session.send('basicAck', { deliveryTag: 1, multiple: false });
      await session.quiet();
      session.send('basicQos', { prefetchSize: 0, prefetchCount: 3, global: true });
      await session.quiet();
      session.send('basicQos', { prefetchSize: 0, prefetchCount: 0, global: true });
    },
  },
  {
    name: 'an exclusive queue goes with the connection that dies',
    run: async (session) => {
      const other = await session.another();
      await declared(other, { durable: true });
      other.client.destroy();
      await other.client.closed();
      // Refused as long as it is there; then somebody else's declaration makes it.
      for (let tries = 0; tries < 100; tries += 1) {
        session.send('queueDeclare', queue({}));
        const frame = await session.client.take(10_000);
        if (frame?.method === 'queueDeclareOk') break;
        await session.reopen();
      }
      session.note('declared anew');
    },
  },
  {
    name: 'a consumer of another connection is told that its queue went',
    run: async (session) => {
      const other = await session.another();
      await declared(session, { exclusive: false, autoDelete: false });
      other.send('basicConsume', consume({}));
      await other.answer();
      session.send('queueDelete', deletion);
      await session.quiet();
      await other.quiet();
    },
  },
];

function headersBinding(what: string, field: Field): RawScenario {
  return one(`queue.bind to headers, x-match = ${what}`, 'queueBind', {
    ...binding,
    exchange: 'amq.headers',
    nowait: false,
    arguments: table({ 'x-match': field }),
  });
}

const long = 'k'.repeat(255);

const topologies: readonly RawScenario[] = [
  headersBinding('what', text('what')),
  headersBinding('a number', whole(1)),
  headersBinding('ALL', text('ALL')),
  headersBinding('any-with-x', text('any-with-x')),
  one('a queue with the longest name', 'queueDeclare', queue({ queue: long })),
  one('a queue whose name is no UTF-8', 'queueDeclare', queue({ queue: '\u0000\u0001' })),
  one('a key as long as can be', 'queueBind', {
    ...binding,
    exchange: 'amq.topic',
    routingKey: long,
    nowait: false,
  }),
  one(
    'exchange.declare with an alternate that is a number',
    'exchangeDeclare',
    exchange({ exchange: 'conformance.a', arguments: table({ 'alternate-exchange': whole(1) }) }),
  ),
  {
    name: 'exchange.declare with an unknown argument, with nowait, and once more without it',
    run: (session) => {
      const named = { exchange: 'conformance.args' };
      const args = table({ 'x-what': text('nope') });
      session.send('exchangeDeclare', exchange({ ...named, arguments: args, nowait: true }));
      session.send('exchangeDeclare', exchange(named));
      session.send('exchangeDelete', { ticket: 0, ...named, ifUnused: false, nowait: false });
    },
  },
  one(
    'exchange.declare, passive, one that is there and of another type',
    'exchangeDeclare',
    exchange({ exchange: 'amq.fanout', passive: true }),
  ),
  one(
    'exchange.declare, a reserved one as it is',
    'exchangeDeclare',
    exchange({ exchange: 'amq.fanout', type: 'fanout', durable: true, autoDelete: false }),
  ),
  one(
    'exchange.declare, a reserved one as another',
    'exchangeDeclare',
    exchange({ exchange: 'amq.fanout', type: 'topic', durable: true, autoDelete: false }),
  ),
  {
    name: 'exchange.declare: an alternate that is itself, mandatory',
    run: async (session) => {
      const mine = { 'alternate-exchange': text('conformance.loop') };
      session.send(
        'exchangeDeclare',
        exchange({ exchange: 'conformance.loop', autoDelete: false, arguments: table(mine) }),
      );
      session.send('confirmSelect', { nowait: true });
      session.publish('conformance.loop', 'k', 'x', { mandatory: true });
      await session.quiet();
      session.send('exchangeDelete', {
        ticket: 0,
        exchange: 'conformance.loop',
        ifUnused: false,
        nowait: false,
      });
    },
  },
  {
    name: 'exchange.declare: an alternate that is not there, mandatory',
    run: async (session) => {
      const gone = { 'alternate-exchange': text('nope') };
      session.send(
        'exchangeDeclare',
        exchange({ exchange: 'conformance.lost', autoDelete: false, arguments: table(gone) }),
      );
      session.send('confirmSelect', { nowait: true });
      session.publish('conformance.lost', 'k', 'x', { mandatory: true });
      await session.quiet();
      session.send('exchangeDelete', {
        ticket: 0,
        exchange: 'conformance.lost',
        ifUnused: false,
        nowait: false,
      });
    },
  },
  {
    name: 'exchange.delete if-unused: one with a binding',
    run: async (session) => {
      await declared(session);
      const used = { exchange: 'conformance.used' };
      session.send('exchangeDeclare', exchange(used));
      session.send('queueBind', { ...binding, ...used, nowait: false });
      session.send('exchangeDelete', { ticket: 0, ...used, ifUnused: true, nowait: false });
      await session.quiet();
      await session.reopen();
      session.send('exchangeDelete', { ticket: 0, ...used, ifUnused: false, nowait: false });
    },
  },
  {
    name: 'queue.unbind: a queue and an exchange that are not there',
    run: async (session) => {
      await declared(session);
      session.send('queueUnbind', { ...binding, exchange: 'nope' });
      await session.quiet();
      await session.reopen();
      session.send('queueUnbind', { ...binding, queue: 'nope', exchange: 'amq.direct' });
    },
  },
  one('queue.unbind: the default exchange', 'queueUnbind', { ...binding, exchange: '' }),
  one('exchange.bind: an exchange to itself', 'exchangeBind', {
    ...exchangeBinding,
    destination: 'amq.topic',
    source: 'amq.topic',
  }),
  one('exchange.unbind: the default exchange', 'exchangeUnbind', {
    ...exchangeBinding,
    destination: '',
    source: 'amq.topic',
  }),
  one('access.request', 'accessRequest', {
    realm: '/data',
    exclusive: false,
    passive: true,
    active: true,
    write: true,
    read: true,
  }),
  {
    name: 'confirm.select twice, and with nowait',
    run: async (session) => {
      session.send('confirmSelect', { nowait: false });
      session.publish('', 'nowhere', 'x');
      await session.quiet();
      session.send('confirmSelect', { nowait: false });
      session.send('confirmSelect', { nowait: true });
      session.publish('', 'nowhere', 'x');
    },
  },
  {
    name: 'confirms: a publish to an exchange that is not there after others',
    run: async (session) => {
      session.send('confirmSelect', { nowait: false });
      await session.answer();
      session.publish('', 'a', 'x');
      await session.quiet();
      session.publish('nope', 'c', 'x');
    },
  },
  {
    name: 'mandatory to an exclusive queue of another connection',
    run: async (session) => {
      await declared(session);
      const other = await session.another();
      other.publish('', 'conformance', 'x', { mandatory: true });
      await other.quiet();
      session.send('basicGet', fetch);
    },
  },
];

export const rawEdges: readonly RawScenario[] = [
  ...replies,
  ...transactions,
  ...settling,
  ...consumers,
  ...topologies,
];
