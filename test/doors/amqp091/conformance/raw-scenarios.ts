import {
  argument,
  binding,
  consume,
  declared,
  deletion,
  exchange,
  exchangeBinding,
  fetch,
  one,
  publication,
  queue,
  redeclared,
  redeclaredExchange,
  table,
  text,
  whole,
  yes,
  type RawScenario,
} from './raw-methods.ts';

const unframed =
  'frames cannot be told apart any more: here the connection is closed at once, there after close-ok';

const frames: readonly RawScenario[] = [
  {
    name: 'frame: an unknown type',
    run: ({ client }) => client.frame(9, 1, Buffer.from('abc')),
  },
  {
    name: 'frame: a wrong end',
    run: ({ client }) => client.frame(1, 1, Buffer.alloc(4), 65),
    differs: unframed,
  },
  {
    name: 'frame: longer than frame_max',
    run: ({ client }) => client.write(Buffer.from([1, 0, 1, 0x7f, 0, 0, 0])),
    differs: unframed,
  },
  {
    name: 'frame: a body without a method',
    run: ({ client }) => client.frame(3, 1, Buffer.from('x')),
  },
  { name: 'frame: a header without a method', run: ({ client }) => client.header(1, 3) },
  {
    name: 'frame: a header of another class',
    run: ({ client, send }) => {
      send('basicPublish', publication('', 'k'));
      client.header(1, 3, 50);
    },
  },
  {
    name: 'frame: a method where content is due',
    run: ({ send }) => {
      send('basicPublish', publication('', 'k'));
      send('queueDeclare', queue({}));
    },
  },
  {
    name: 'frame: an unknown class',
    run: ({ client }) => client.method(1, 99, 10),
    differs: 'RabbitMQ fails on it without a word; here it is an error with a code',
  },
  {
    name: 'frame: a channel that was not opened',
    run: ({ client }) => client.send(7, 'queueDeclare', queue({})),
  },
  {
    name: 'channel.open of an open one',
    run: ({ send }) => send('channelOpen', { outOfBand: '' }),
  },
  { name: 'channel.flow off', run: ({ send }) => send('channelFlow', { active: false }) },
  { name: 'channel.flow on', run: ({ send }) => send('channelFlow', { active: true }) },
  {
    name: 'queue.declare on channel 0',
    run: ({ client }) => client.send(0, 'queueDeclare', queue({})),
  },
];

const otherFirst = 'it is neither durable nor shared: here the one is named, there the other';

const queues: readonly RawScenario[] = [
  redeclared('the same', {}, {}),
  redeclared('durable', { durable: true, exclusive: false }, { durable: false, exclusive: false }),
  redeclared('auto-delete', {}, { autoDelete: true }),
  redeclared('exclusive', {}, { exclusive: false }),
  ...(
    [
      ['x-message-ttl', 1000],
      ['x-expires', 60_000],
      ['x-max-length', 5],
      ['x-max-length-bytes', 500],
      ['x-max-priority', 3],
    ] as const
  ).flatMap(([name, value]) => [
    redeclared(`with ${name}`, {}, { arguments: table({ [name]: whole(value) }) }),
    redeclared(
      `with another ${name}`,
      { arguments: table({ [name]: whole(value) }) },
      { arguments: table({ [name]: whole(value + 1) }) },
    ),
    argument(name, whole(-1)),
    argument(name, text('5')),
    argument(name, { type: 'd', value: 1.5 }),
  ]),
  redeclared('with x-overflow', {}, { arguments: table({ 'x-overflow': text('reject-publish') }) }),
  argument('x-max-priority', whole(256)),
  argument('x-expires', whole(0)),
  argument('x-dead-letter-exchange', whole(1)),
  argument('x-dead-letter-routing-key', text('k')),
  argument('x-overflow', text('what')),
  argument('x-queue-type', text('what')),
  argument('x-queue-mode', text('what')),
  argument('x-single-active-consumer', text('what')),
  { ...argument('x-queue-type', text('quorum')), differs: otherFirst },
  { ...argument('x-queue-type', text('stream')), differs: otherFirst },
  argument('x-unknown', text('what')),
  one('queue.declare, passive', 'queueDeclare', queue({ passive: true })),
  one('queue.declare, passive, none', 'queueDeclare', queue({ passive: true, queue: 'nope' })),
  one('queue.declare, reserved name', 'queueDeclare', queue({ queue: 'amq.mine' })),
  one('queue.declare, nowait', 'queueDeclare', queue({ nowait: true })),
  one('queue.declare of the last one', 'queueDeclare', queue({ queue: '', passive: true })),
  one('queue.delete', 'queueDelete', deletion),
  one('queue.delete, none', 'queueDelete', { ...deletion, queue: 'nope' }),
  one('queue.purge', 'queuePurge', { ticket: 0, queue: '', nowait: false }),
  one('queue.purge, none', 'queuePurge', { ticket: 0, queue: 'nope', nowait: false }),
  one('queue.bind', 'queueBind', { ...binding, exchange: 'amq.direct', nowait: false }),
  one('queue.bind, no exchange', 'queueBind', { ...binding, exchange: 'nope', nowait: false }),
  one('queue.bind, default exchange', 'queueBind', { ...binding, exchange: '', nowait: false }),
  one('queue.bind, no queue', 'queueBind', {
    ...binding,
    queue: 'nope',
    exchange: 'amq.direct',
    nowait: false,
  }),
  one('queue.unbind, not bound', 'queueUnbind', { ...binding, exchange: 'amq.direct' }),
  one('queue.unbind, no exchange', 'queueUnbind', { ...binding, exchange: 'nope' }),
  ...(['if unused', 'if empty'] as const).map(
    (condition): RawScenario => ({
      name: `queue.delete ${condition}, and it is not`,
      run: async (session) => {
        await declared(session);
        if (condition === 'if unused') session.send('basicConsume', consume({}));
        else session.publish('', 'conformance', 'x');
        await session.quiet();
        session.send('queueDelete', {
          ...deletion,
          ifUnused: condition === 'if unused',
          ifEmpty: condition === 'if empty',
        });
      },
    }),
  ),
  ...(
    [
      ['declared', 'queueDeclare', queue({})],
      ['passively declared', 'queueDeclare', queue({ passive: true })],
      ['deleted', 'queueDelete', deletion],
      ['purged', 'queuePurge', { ticket: 0, queue: 'conformance', nowait: false }],
      ['bound', 'queueBind', { ...binding, exchange: 'amq.direct', nowait: false }],
      ['consumed from', 'basicConsume', consume({})],
      ['read', 'basicGet', fetch],
    ] as const
  ).map(
    ([what, method, values]): RawScenario => ({
      name: `an exclusive queue is ${what} by another connection`,
      run: async (session) => {
        await declared(session);
        const other = await session.another();
        other.send(method, values);
        await other.quiet();
      },
    }),
  ),
];

const exchanges: readonly RawScenario[] = [
  redeclaredExchange('same', {}),
  redeclaredExchange('type', { type: 'fanout' }),
  redeclaredExchange('durable', { durable: true }),
  redeclaredExchange('auto-delete', { autoDelete: false }),
  redeclaredExchange('internal', { internal: true }),
  redeclaredExchange('alternate', { arguments: table({ 'alternate-exchange': text('a') }) }),
  one(
    'exchange.declare, unknown type',
    'exchangeDeclare',
    exchange({ type: 'what' }),
    'RabbitMQ 4 closes the channel with 406, 3.10 the connection with 503',
  ),
  one('exchange.declare, reserved', 'exchangeDeclare', exchange({ exchange: 'amq.mine' })),
  one('exchange.declare, default', 'exchangeDeclare', exchange({ exchange: '' })),
  one('exchange.declare, passive', 'exchangeDeclare', exchange({ passive: true })),
  one('exchange.delete, none', 'exchangeDelete', {
    ticket: 0,
    exchange: 'nope',
    ifUnused: true,
    nowait: false,
  }),
  one('exchange.delete, default', 'exchangeDelete', {
    ticket: 0,
    exchange: '',
    ifUnused: false,
    nowait: false,
  }),
  one('exchange.delete, reserved', 'exchangeDelete', {
    ticket: 0,
    exchange: 'amq.topic',
    ifUnused: false,
    nowait: false,
  }),
  one('exchange.bind, no source', 'exchangeBind', {
    ...exchangeBinding,
    destination: 'amq.fanout',
    source: 'nope',
  }),
  one('exchange.bind, no destination', 'exchangeBind', {
    ...exchangeBinding,
    destination: 'nope',
    source: 'amq.direct',
  }),
  one('exchange.bind, default', 'exchangeBind', {
    ...exchangeBinding,
    destination: '',
    source: 'amq.direct',
  }),
  one('exchange.unbind, not bound', 'exchangeUnbind', {
    ...exchangeBinding,
    destination: 'amq.fanout',
    source: 'amq.topic',
  }),
];

const messages: readonly RawScenario[] = [
  { name: 'basic.publish, no exchange', run: (session) => session.publish('nope', 'k', 'x') },
  {
    name: 'basic.publish, immediate',
    run: (session) => session.publish('', 'k', 'x', { immediate: true }),
  },
  {
    name: 'basic.publish, mandatory, unroutable, confirmed',
    run: async (session) => {
      session.send('confirmSelect', { nowait: false });
      await session.answer();
      session.publish('', 'nowhere', 'x', { mandatory: true });
    },
  },
  {
    name: 'basic.publish, internal exchange',
    run: async (session) => {
      session.send(
        'exchangeDeclare',
        exchange({ exchange: 'conformance.internal', internal: true }),
      );
      await session.answer();
      session.publish('conformance.internal', 'k', 'x');
      await session.quiet();
      await session.reopen();
      session.send('exchangeDelete', {
        ticket: 0,
        exchange: 'conformance.internal',
        ifUnused: false,
        nowait: false,
      });
    },
  },
  {
    name: 'a channel that was closed with confirms outstanding begins again at 1',
    run: async (session) => {
      session.send('confirmSelect', { nowait: false });
      session.publish('nope', 'k', 'x');
      await session.quiet();
      await session.reopen();
      session.send('confirmSelect', { nowait: false });
      session.publish('', 'nowhere', 'x');
    },
  },
  {
    name: 'basic.get: empty, full, read twice, acked twice',
    run: async (session) => {
      await declared(session);
      session.send('basicGet', fetch);
      session.publish('', 'conformance', 'one');
      await session.quiet();
      session.send('basicGet', fetch);
      session.send('basicGet', fetch);
      await session.quiet();
      session.send('basicAck', { deliveryTag: 1, multiple: false });
      session.send('basicAck', { deliveryTag: 1, multiple: false });
    },
  },
  one('basic.ack of an unknown tag', 'basicAck', { deliveryTag: 9, multiple: false }),
  one('basic.ack of all where there are none', 'basicAck', { deliveryTag: 0, multiple: true }),
  one('basic.nack of an unknown tag', 'basicNack', {
    deliveryTag: 9,
    multiple: false,
    requeue: true,
  }),
  one('basic.reject of an unknown tag', 'basicReject', { deliveryTag: 9, requeue: true }),
  one('basic.get, no queue', 'basicGet', { ...fetch, queue: 'nope' }),
  one('basic.consume, no queue', 'basicConsume', consume({ queue: 'nope' })),
  one('basic.cancel of an unknown tag', 'basicCancel', { consumerTag: 'nope', nowait: false }),
  one('basic.qos with a size', 'basicQos', { prefetchSize: 9, prefetchCount: 1, global: false }),
  one('basic.qos', 'basicQos', { prefetchSize: 0, prefetchCount: 1, global: true }),
  one('basic.recover without requeue', 'basicRecover', { requeue: false }),
  {
    name: 'basic.recover gives everything again',
    run: async (session) => {
      await declared(session);
      session.publish('', 'conformance', 'one');
      session.publish('', 'conformance', 'two');
      await session.quiet();
      session.send('basicConsume', consume({}));
      await session.quiet();
      session.send('basicRecover', { requeue: true });
    },
  },
  {
    name: 'basic.consume: a tag that is used',
    run: async (session) => {
      await declared(session);
      session.send('basicConsume', consume({}));
      await session.answer();
      session.send('basicConsume', consume({}));
    },
  },
  {
    name: 'basic.consume: exclusive where somebody consumes',
    run: async (session) => {
      await declared(session);
      session.send('basicConsume', consume({}));
      await session.answer();
      session.send('basicConsume', consume({ consumerTag: 'other', exclusive: true }));
    },
  },
  {
    name: 'basic.consume: where somebody consumes exclusively',
    run: async (session) => {
      await declared(session);
      session.send('basicConsume', consume({ exclusive: true }));
      await session.answer();
      session.send('basicConsume', consume({ consumerTag: 'other' }));
    },
  },
  {
    name: 'basic.consume: cancelled with its queue',
    run: async (session) => {
      await declared(session);
      session.send('basicConsume', consume({}));
      await session.answer();
      session.send('queueDelete', deletion);
    },
  },
  {
    name: 'basic.cancel: sent behind publishes that its consumer would get',
    run: async (session) => {
      await declared(session);
      session.send('basicConsume', consume({}));
      await session.answer();
      for (const body of ['a', 'b', 'c']) session.publish('', 'conformance', body);
      session.send('basicCancel', { consumerTag: 'tag', nowait: false });
      await session.quiet();
      session.send('queueDeclare', queue({ passive: true }));
    },
  },
  {
    name: 'basic.cancel: sent behind acks that make room for its consumer',
    run: async (session) => {
      await declared(session);
      for (const body of ['a', 'b', 'c', 'd', 'e']) session.publish('', 'conformance', body);
      await session.quiet();
      session.send('basicQos', { prefetchSize: 0, prefetchCount: 2, global: false });
      session.send('basicConsume', consume({}));
      await session.quiet();
      session.send('basicAck', { deliveryTag: 1, multiple: false });
      session.send('basicAck', { deliveryTag: 2, multiple: false });
      session.send('basicCancel', { consumerTag: 'tag', nowait: false });
    },
  },
  {
    name: 'prefetch 2: two, and two more after an ack of both',
    run: async (session) => {
      await declared(session);
      for (const body of ['a', 'b', 'c', 'd', 'e']) session.publish('', 'conformance', body);
      await session.quiet();
      session.send('basicQos', { prefetchSize: 0, prefetchCount: 2, global: false });
      session.send('basicConsume', consume({}));
      await session.quiet();
      session.send('basicAck', { deliveryTag: 2, multiple: true });
    },
  },
  {
    name: 'direct reply-to without no-ack',
    run: (session) => session.send('basicConsume', consume({ queue: 'amq.rabbitmq.reply-to' })),
  },
  {
    name: 'direct reply-to: used before anybody consumes',
    run: (session) => session.publish('', 'amq.rabbitmq.reply-to.nobody', 'x'),
  },
  one('tx.commit without tx.select', 'txCommit', {}),
  one('tx.rollback without tx.select', 'txRollback', {}),
  {
    name: 'tx.select after confirm.select',
    run: ({ send }) => {
      send('confirmSelect', { nowait: false });
      send('txSelect', {});
    },
  },
  {
    name: 'confirm.select after tx.select',
    run: ({ send }) => {
      send('txSelect', {});
      send('confirmSelect', { nowait: false });
    },
  },
  {
    name: 'tx: acks and publishes, rolled back and committed',
    run: async (session) => {
      await declared(session);
      session.publish('', 'conformance', 'one');
      await session.quiet();
      session.send('txSelect', {});
      session.send('basicGet', fetch);
      await session.quiet();
      session.publish('', 'conformance', 'two');
      session.send('basicAck', { deliveryTag: 1, multiple: false });
      session.send('txRollback', {});
      await session.quiet();
      session.send('basicAck', { deliveryTag: 1, multiple: false });
      session.send('txCommit', {});
      session.send('queueDeclare', queue({ passive: true }));
      session.send('basicRecover', { requeue: true });
      session.send('basicGet', fetch);
    },
  },
  {
    name: 'single active consumer: basic.get',
    run: async (session) => {
      await declared(session, { arguments: table({ 'x-single-active-consumer': yes }) });
      session.send('basicGet', fetch);
    },
    differs: 'RabbitMQ 4 refuses basic.get of a queue with a single active consumer (405)',
  },
];

export const rawScenarios: readonly RawScenario[] = [
  ...frames,
  ...queues,
  ...exchanges,
  ...messages,
];
