import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from 'amqplib';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AmqpDoor } from '../../../src/doors/amqp091/index.ts';
import {
  emptyTable,
  type Field,
  type FieldTable,
  type MethodArguments,
} from '../../../src/doors/amqp091/wire/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { RawClient } from './raw-client.ts';

const table = (entries: Record<string, Field> = {}): FieldTable => new Map(Object.entries(entries));
const text = (value: string): Field => ({ type: 'S', value });
const int = (value: number): Field => ({ type: 'I', value });

let broker: Broker;
let door: AmqpDoor;
/** Somebody who makes and deletes things beside the channel that is looked at. */
let helper: RawClient;

before(async () => {
  broker = await Broker.open({ store: 'memory' });
  door = await AmqpDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    version: '0.0.0',
    host: '127.0.0.1',
    port: 0,
  });
  helper = await RawClient.open(door.port);
  await helper.openChannel(1);
});

after(async () => {
  helper.destroy();
  await door.close(0);
  await broker.close();
});

function queue(
  values: Partial<MethodArguments<'queueDeclare'>> = {},
): MethodArguments<'queueDeclare'> {
  return {
    ticket: 0,
    queue: '',
    passive: false,
    durable: false,
    exclusive: false,
    autoDelete: false,
    nowait: false,
    arguments: emptyTable,
    ...values,
  };
}

function exchange(
  values: Partial<MethodArguments<'exchangeDeclare'>> = {},
): MethodArguments<'exchangeDeclare'> {
  return {
    ticket: 0,
    exchange: '',
    type: 'direct',
    passive: false,
    durable: false,
    autoDelete: false,
    internal: false,
    nowait: false,
    arguments: emptyTable,
    ...values,
  };
}

type Declared = Partial<MethodArguments<'queueDeclare'>>;

let names = 0;
function freshName(): string {
  names += 1;
  return `t${names}`;
}

/** The next method as `queue.declare_ok`, or the text with which channel or connection close. */
async function answerOf(client: RawClient): Promise<string> {
  const frame = await client.take();
  const reply = frame?.values?.['replyText'];
  return typeof reply === 'string' ? reply : String(frame?.method);
}

async function withChannel(act: (client: RawClient) => Promise<void>, vhost = '/'): Promise<void> {
  const client = await RawClient.open(door.port, { vhost });
  try {
    await client.openChannel(1);
    await act(client);
  } finally {
    client.destroy();
  }
}

async function answerTo(act: (client: RawClient) => void): Promise<string> {
  let answer = '';
  await withChannel(async (client) => {
    act(client);
    answer = await answerOf(client);
  });
  return answer;
}

const withArguments = (entries: Record<string, Field>): Declared => ({
  durable: true,
  arguments: table(entries),
});

const differs = (argument: string, received: string, current: string): string =>
  `PRECONDITION_FAILED - inequivalent arg '${argument}' for queue 'Q' in vhost '/': received ${received} but current is ${current}`;

const wrong = (argument: string, fault: string): string =>
  `PRECONDITION_FAILED - invalid arg '${argument}' for queue 'Q' in vhost '/'${fault}`;

const locked =
  "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'Q' in vhost '/'. It could be originally declared on " +
  'another connection or the exclusive property value does not match that of the original declaration.';

describe('a queue that is declared again', { concurrency: 4 }, () => {
  const durable = { durable: true };
  const cases: ReadonlyArray<readonly [string, Declared, Declared, string]> = [
    ['the same', durable, durable, 'queueDeclareOk'],
    ['durable', durable, {}, differs('durable', "'false'", "'true'")],
    [
      'auto-delete',
      durable,
      { ...durable, autoDelete: true },
      differs('auto_delete', "'true'", "'false'"),
    ],
    ['no longer exclusive', { exclusive: true }, {}, locked],
    ['now exclusive', durable, { ...durable, exclusive: true }, locked],
    [
      'exclusive and durable',
      { ...durable, exclusive: true },
      { ...durable, exclusive: true },
      'queueDeclareOk',
    ],
    [
      'a new argument',
      durable,
      withArguments({ 'x-max-length': int(10) }),
      differs('x-max-length', "the value '10' of type 'signedint'", 'none'),
    ],
    [
      'an argument that is gone',
      withArguments({ 'x-max-length': { type: 'l', value: 10 } }),
      durable,
      differs('x-max-length', 'none', "the value '10' of type 'long'"),
    ],
    [
      'another value',
      withArguments({ 'x-dead-letter-exchange': text('a') }),
      withArguments({ 'x-dead-letter-exchange': text('b') }),
      differs('x-dead-letter-exchange', "'b'", "'a'"),
    ],
    [
      'the same number in more bits',
      withArguments({ 'x-max-length': int(10) }),
      withArguments({ 'x-max-length': { type: 'l', value: 10 } }),
      'queueDeclareOk',
    ],
    [
      'a number of another kind',
      withArguments({ 'x-message-ttl': int(1000) }),
      withArguments({ 'x-message-ttl': { type: 'd', value: 5.5 } }),
      differs('x-message-ttl', "'5.5'", "'1000'"),
    ],
    [
      'an argument that means nothing',
      withArguments({ 'x-foo': int(1) }),
      withArguments({ 'x-foo': int(2) }),
      'queueDeclareOk',
    ],
    [
      'the type that is meant anyway',
      durable,
      withArguments({ 'x-queue-type': text('classic') }),
      'queueDeclareOk',
    ],
    [
      'another type',
      durable,
      withArguments({ 'x-queue-type': text('quorum') }),
      differs('x-queue-type', "the value 'quorum' of type 'longstr'", 'none'),
    ],
    [
      'a type that is gone',
      withArguments({ 'x-queue-type': text('quorum') }),
      durable,
      differs('x-queue-type', 'none', "the value 'quorum' of type 'longstr'"),
    ],
    [
      'a truth that is not',
      withArguments({ 'x-single-active-consumer': { type: 't', value: true } }),
      withArguments({ 'x-single-active-consumer': { type: 't', value: false } }),
      differs('x-single-active-consumer', "'false'", "'true'"),
    ],
  ];
  for (const [name, first, second, answer] of cases) {
    test(name, () =>
      withChannel(async (client) => {
        const named = freshName();
        client.send(1, 'queueDeclare', queue({ queue: named, ...first }));
        assert.equal(await answerOf(client), 'queueDeclareOk');
        client.send(1, 'queueDeclare', queue({ queue: named, ...second }));
        assert.equal(await answerOf(client), answer.replace("'Q'", `'${named}'`));
      }),
    );
  }
});

describe('the arguments of a queue', { concurrency: 4 }, () => {
  const quorum = { 'x-queue-type': text('quorum') };
  const stream = { 'x-queue-type': text('stream') };
  const cases: ReadonlyArray<
    readonly [Record<string, Field>, string, Partial<MethodArguments<'queueDeclare'>>?]
  > = [
    [{ 'x-message-ttl': int(0) }, 'queueDeclareOk'],
    [{ 'x-message-ttl': int(-1) }, wrong('x-message-ttl', ': {value_negative,-1}')],
    [{ 'x-message-ttl': text('10') }, wrong('x-message-ttl', ': "expected integer, got longstr"')],
    [
      { 'x-message-ttl': { type: 'l', value: 100_000_000_000_000 } },
      wrong('x-message-ttl', ': {value_too_large,100000000000000}'),
    ],
    [{ 'x-expires': int(0) }, wrong('x-expires', ': {value_zero,0}')],
    [
      { 'x-max-length': { type: 'd', value: 1.5 } },
      wrong('x-max-length', ': "expected integer, got double"'),
    ],
    [{ 'x-max-priority': int(255) }, 'queueDeclareOk'],
    [{ 'x-max-priority': int(256) }, wrong('x-max-priority', ': {max_value_exceeded,256}')],
    [{ 'x-overflow': text('foo') }, wrong('x-overflow', ': invalid_overflow')],
    [{ 'x-overflow': int(1) }, wrong('x-overflow', ': {unacceptable_type,signedint}')],
    [{ 'x-queue-mode': text('foo') }, wrong('x-queue-mode', `: "unsupported queue mode 'foo'"`)],
    [{ 'x-queue-type': text('foo') }, wrong('x-queue-type', `: "unsupported queue type 'foo'"`)],
    [
      { 'x-dead-letter-exchange': int(1) },
      "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'Q' in vhost '/'",
    ],
    [
      { 'x-dead-letter-routing-key': text('k') },
      wrong('x-dead-letter-routing-key', ': routing_key_but_no_dlx_defined'),
    ],
    [
      { 'x-delivery-limit': int(3) },
      wrong('x-delivery-limit', ' of queue type rabbit_classic_queue'),
    ],
    [
      { ...quorum, 'x-max-priority': int(5) },
      wrong('x-max-priority', ' of queue type rabbit_quorum_queue'),
    ],
    [
      { ...quorum, 'x-dead-letter-strategy': text('nope') },
      wrong('x-dead-letter-strategy', ': invalid_dlx_strategy'),
    ],
    [
      quorum,
      "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'Q' in vhost '/'",
      { durable: false },
    ],
    [
      stream,
      "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'Q' in vhost '/'",
      { exclusive: true },
    ],
    [
      { ...stream, 'x-message-ttl': int(5) },
      wrong('x-message-ttl', ' of queue type rabbit_stream_queue'),
    ],
    [{ ...stream, 'x-max-age': text('1X') }, wrong('x-max-age', ': invalid_max_age')],
    [{ ...stream, 'x-max-age': text('7D'), 'x-max-length-bytes': int(1000) }, 'queueDeclareOk'],
    [{ 'x-anything': text('else') }, 'queueDeclareOk'],
  ];
  for (const [entries, answer, more] of cases) {
    const shown = JSON.stringify([...table(entries)].map(([name, field]) => [name, field.value]));
    test(`${shown}${JSON.stringify(more ?? {})}`, () =>
      withChannel(async (client) => {
        const named = freshName();
        client.send(
          1,
          'queueDeclare',
          queue({ queue: named, durable: true, arguments: table(entries), ...more }),
        );
        assert.equal(await answerOf(client), answer.replace("'Q'", `'${named}'`));
      }));
  }

  test('become the settings of the neutral queue', () =>
    withChannel(async (client) => {
      client.send(
        1,
        'queueDeclare',
        queue({
          queue: 'settings',
          durable: true,
          arguments: table({
            'x-message-ttl': int(1000),
            'x-expires': int(60_000),
            'x-max-length': int(7),
            'x-max-length-bytes': int(700),
            'x-overflow': text('reject-publish-dlx'),
            'x-dead-letter-exchange': text(''),
            'x-dead-letter-routing-key': text('dead'),
            'x-max-priority': int(9),
            'x-single-active-consumer': { type: 't', value: true },
            'x-consumer-timeout': int(5000),
            'x-delayed-retry-min': int(100),
            'x-delayed-retry-max': int(900),
          }),
        }),
      );
      await client.next('queueDeclareOk');
      const found = broker.queues.find('', 'settings');
      assert.ok(found !== undefined);
      assert.equal(found.idleExpiryMs, 60_000);
      assert.equal(found.form.priorityMax, 9);
      const { settings } = found;
      assert.equal(settings.messageTtlMs, 1000);
      assert.equal(settings.readyMax, 7);
      assert.equal(settings.readyBytesMax, 700);
      assert.equal(settings.overflow, 'reject-dead-letter');
      assert.deepEqual({ ...settings.deadLetter }, { exchange: '', key: 'dead' });
      assert.equal(settings.isSingleActive, true);
      assert.equal(settings.leaseMs, 5000);
      assert.equal(settings.failuresMax, -1);
      assert.deepEqual(
        [settings.retryDelayMs, settings.retryDelayMaxMs, settings.retryDelayFactor],
        [100, 900, 2],
      );
    }));

  test('a quorum queue has the delivery limit of quorum queues, unless it is said otherwise', () =>
    withChannel(async (client) => {
      for (const [named, more, failuresMax] of [
        ['limit-default', {}, 20],
        ['limit-own', { 'x-delivery-limit': int(3) }, 3],
        ['limit-none', { 'x-delivery-limit': int(-1) }, -1],
      ] as const) {
        const declared = queue({
          queue: named,
          durable: true,
          arguments: table({ ...quorum, ...more }),
        });
        client.send(1, 'queueDeclare', declared);
        await client.next('queueDeclareOk');
        assert.equal(broker.queues.find('', named)?.settings.failuresMax, failuresMax);
      }
    }));

  test('a stream is a log with limits of its own', () =>
    withChannel(async (client) => {
      const entries = { ...stream, 'x-max-age': text('2h'), 'x-max-length-bytes': int(5000) };
      client.send(
        1,
        'queueDeclare',
        queue({ queue: 'log', durable: true, arguments: table(entries) }),
      );
      await client.next('queueDeclareOk');
      const topic = broker.topics.find('log');
      assert.equal(topic?.retention, 'by-limits');
      assert.equal(topic.options.retentionMs, 7_200_000);
      assert.equal(topic.options.retentionBytes, 5000);
    }));
});

describe('queues', { concurrency: 4 }, () => {
  const bind = { ticket: 0, nowait: false, arguments: emptyTable };
  const refusals: ReadonlyArray<readonly [string, (client: RawClient) => void, string]> = [
    [
      'a reserved name',
      (client) => client.send(1, 'queueDeclare', queue({ queue: 'amq.foo' })),
      "ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'",
    ],
    [
      'looking at what is not there',
      (client) => client.send(1, 'queueDeclare', queue({ queue: 'nope', passive: true })),
      "NOT_FOUND - no queue 'nope' in vhost '/'",
    ],
    [
      'the last queue of a channel that has declared none',
      (client) => client.send(1, 'queuePurge', { ticket: 0, queue: '', nowait: false }),
      'NOT_FOUND - no previously declared queue',
    ],
    [
      'purging what is not there',
      (client) => client.send(1, 'queuePurge', { ticket: 0, queue: 'nope', nowait: false }),
      "NOT_FOUND - no queue 'nope' in vhost '/'",
    ],
    [
      'deleting what is not there, which succeeds',
      (client) =>
        client.send(1, 'queueDelete', {
          ticket: 0,
          queue: 'nope',
          ifUnused: true,
          ifEmpty: true,
          nowait: false,
        }),
      'queueDeleteOk',
    ],
    [
      'binding what is not there',
      (client) =>
        client.send(1, 'queueBind', {
          ...bind,
          queue: 'nope',
          exchange: 'amq.direct',
          routingKey: 'a',
        }),
      "NOT_FOUND - no queue 'nope' in vhost '/'",
    ],
    [
      'unbinding what is not there, which succeeds',
      (client) =>
        client.send(1, 'queueUnbind', {
          ticket: 0,
          queue: 'nope',
          exchange: 'nope',
          routingKey: 'a',
          arguments: emptyTable,
        }),
      'queueUnbindOk',
    ],
  ];
  for (const [name, act, answer] of refusals) {
    test(name, async () => assert.equal(await answerTo(act), answer));
  }

  const bindings: ReadonlyArray<readonly [string, string, FieldTable, string]> = [
    [
      'to an exchange that is not there',
      'nope',
      emptyTable,
      "NOT_FOUND - no exchange 'nope' in vhost '/'",
    ],
    [
      'to the default exchange',
      '',
      emptyTable,
      'ACCESS_REFUSED - operation not permitted on the default exchange',
    ],
    [
      'with an x-match that is none',
      'amq.headers',
      table({ 'x-match': text('foo') }),
      'PRECONDITION_FAILED - Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x',
    ],
    [
      'with an x-match of another type',
      'amq.headers',
      table({ 'x-match': int(1) }),
      'PRECONDITION_FAILED - Invalid x-match field type signedint (value 1); expected longstr',
    ],
    ['with an empty name and key', 'amq.direct', emptyTable, 'queueBindOk'],
  ];
  for (const [name, source, fields, answer] of bindings) {
    test(`are bound ${name}`, () =>
      withChannel(async (client) => {
        client.send(1, 'queueDeclare', queue({ exclusive: true }));
        const declared = await client.next('queueDeclareOk');
        const values = { ...bind, queue: '', exchange: source, routingKey: '', arguments: fields };
        client.send(1, 'queueBind', values);
        assert.equal(await answerOf(client), answer);
        if (answer !== 'queueBindOk') return;
        const [binding] = broker.exchanges.listBindings({
          namespace: '',
          source,
          destination: { kind: 'queue', name: declared.queue },
        });
        assert.equal(binding?.key, declared.queue);
      }));
  }

  test('are not deleted while they hold messages, or are consumed from', () =>
    withChannel(async (client) => {
      const named = freshName();
      client.send(1, 'queueDeclare', queue({ queue: named }));
      await client.next('queueDeclareOk');
      client.send(1, 'basicPublish', {
        ticket: 0,
        exchange: '',
        routingKey: named,
        mandatory: false,
        immediate: false,
      });
      client.header(1, 1);
      client.frame(3, 1, Buffer.from('x'));
      client.send(1, 'confirmSelect', { nowait: false });
      await client.next('confirmSelectOk');
      const remove = { ticket: 0, queue: named, ifUnused: false, ifEmpty: true, nowait: false };
      client.send(1, 'queueDelete', remove);
      assert.equal(
        await answerOf(client),
        `PRECONDITION_FAILED - queue '${named}' in vhost '/' not empty`,
      );
      client.send(1, 'channelCloseOk', {});
      await client.openChannel(1);
      client.send(1, 'basicConsume', {
        ticket: 0,
        queue: named,
        consumerTag: 'c',
        noLocal: false,
        noAck: true,
        exclusive: false,
        nowait: false,
        arguments: emptyTable,
      });
      await client.next('basicConsumeOk');
      helper.send(1, 'queueDelete', { ...remove, ifUnused: true, ifEmpty: false });
      assert.equal(
        await answerOf(helper),
        `PRECONDITION_FAILED - queue '${named}' in vhost '/' in use`,
      );
      helper.send(1, 'channelCloseOk', {});
      await helper.openChannel(1);
    }));

  test('that are exclusive are locked for others, whatever they want', () =>
    withChannel(async (owner) => {
      const named = freshName();
      owner.send(1, 'queueDeclare', queue({ queue: named, exclusive: true }));
      await owner.next('queueDeclareOk');
      const tries: ReadonlyArray<(client: RawClient) => void> = [
        (client) => client.send(1, 'queueDeclare', queue({ queue: named, exclusive: true })),
        (client) => client.send(1, 'queueDeclare', queue({ queue: named, passive: true })),
        (client) => client.send(1, 'queuePurge', { ticket: 0, queue: named, nowait: false }),
        (client) =>
          client.send(1, 'queueDelete', {
            ticket: 0,
            queue: named,
            ifUnused: false,
            ifEmpty: false,
            nowait: false,
          }),
        (client) =>
          client.send(1, 'queueBind', {
            ...bind,
            queue: named,
            exchange: 'amq.direct',
            routingKey: 'a',
          }),
      ];
      for (const act of tries) {
        assert.equal(await answerTo(act), locked.replace("'Q'", `'${named}'`));
      }
    }));

  test('say nothing when they are asked not to', () =>
    withChannel(async (client) => {
      const named = freshName();
      client.send(1, 'queueDeclare', queue({ queue: named, nowait: true }));
      client.send(1, 'queueBind', {
        ...bind,
        queue: named,
        exchange: 'amq.direct',
        routingKey: 'a',
        nowait: true,
      });
      client.send(1, 'queuePurge', { ticket: 0, queue: named, nowait: true });
      client.send(1, 'queueDelete', {
        ticket: 0,
        queue: named,
        ifUnused: false,
        ifEmpty: false,
        nowait: true,
      });
      client.send(1, 'exchangeDeclare', exchange({ exchange: 'amq.direct', passive: true }));
      assert.equal(await answerOf(client), 'exchangeDeclareOk');
      assert.equal(broker.queues.find('', named), undefined);
    }));
});

describe('exchanges', { concurrency: 4 }, () => {
  const cases: ReadonlyArray<
    readonly [string, Partial<MethodArguments<'exchangeDeclare'>>, string]
  > = [
    ['of an unknown type', { type: 'foo' }, "COMMAND_INVALID - unknown exchange type 'foo'"],
    [
      'with a reserved name',
      { exchange: 'amq.foo' },
      "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'",
    ],
    [
      'that are there from the beginning',
      { exchange: 'amq.topic', type: 'topic', durable: true },
      'exchangeDeclareOk',
    ],
    [
      'that are there and otherwise',
      { exchange: 'amq.direct' },
      "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'amq.direct' in vhost '/': received 'false' but current is 'true'",
    ],
    [
      'that are not there, passively',
      { exchange: 'nope', passive: true },
      "NOT_FOUND - no exchange 'nope' in vhost '/'",
    ],
    [
      'without a name',
      { exchange: '' },
      'ACCESS_REFUSED - operation not permitted on the default exchange',
    ],
    [
      'that are delayed, of no type',
      { type: 'x-delayed-message' },
      "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type",
    ],
    [
      'that are delayed',
      { type: 'x-delayed-message', arguments: table({ 'x-delayed-type': text('topic') }) },
      'exchangeDeclareOk',
    ],
    ['that hash', { type: 'x-consistent-hash' }, 'exchangeDeclareOk'],
    ['that choose by chance', { type: 'x-random' }, 'exchangeDeclareOk'],
    [
      'with an alternate exchange of another type',
      { arguments: table({ 'alternate-exchange': int(1) }) },
      "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'X' in vhost '/'",
    ],
    [
      'with an alternate exchange that is not there',
      { arguments: table({ 'alternate-exchange': text('nope') }) },
      'exchangeDeclareOk',
    ],
  ];
  for (const [name, values, answer] of cases) {
    test(`are declared ${name}`, async () => {
      const named = freshName();
      const given = exchange({ exchange: named, ...values });
      assert.equal(
        await answerTo((client) => client.send(1, 'exchangeDeclare', given)),
        answer.replace("'X'", `'${named}'`),
      );
    });
  }

  const again: ReadonlyArray<readonly [Partial<MethodArguments<'exchangeDeclare'>>, string]> = [
    [
      { type: 'fanout' },
      "'type' for exchange 'X' in vhost '/': received 'fanout' but current is 'direct'",
    ],
    [
      { autoDelete: true },
      "'auto_delete' for exchange 'X' in vhost '/': received 'true' but current is 'false'",
    ],
    [
      { internal: true },
      "'internal' for exchange 'X' in vhost '/': received 'true' but current is 'false'",
    ],
    [
      { arguments: table({ 'alternate-exchange': text('b') }) },
      "'alternate-exchange' for exchange 'X' in vhost '/': received the value 'b' of type 'longstr' but current is none",
    ],
  ];
  for (const [values, difference] of again) {
    test(`that differ are refused: ${difference}`, () =>
      withChannel(async (client) => {
        const named = freshName();
        client.send(1, 'exchangeDeclare', exchange({ exchange: named }));
        await client.next('exchangeDeclareOk');
        client.send(1, 'exchangeDeclare', exchange({ exchange: named, ...values }));
        assert.equal(
          await answerOf(client),
          `PRECONDITION_FAILED - inequivalent arg ${difference.replace("'X'", `'${named}'`)}`,
        );
      }));
  }

  const deletions: ReadonlyArray<readonly [string, string]> = [
    ['nope', 'exchangeDeleteOk'],
    ['', 'ACCESS_REFUSED - operation not permitted on the default exchange'],
    [
      'amq.direct',
      "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
    ],
  ];
  for (const [named, answer] of deletions) {
    test(`deleting '${named}'`, async () =>
      assert.equal(
        await answerTo((client) =>
          client.send(1, 'exchangeDelete', {
            ticket: 0,
            exchange: named,
            ifUnused: false,
            nowait: false,
          }),
        ),
        answer,
      ));
  }

  const link = { ticket: 0, routingKey: 'k', nowait: false, arguments: emptyTable };
  const links: ReadonlyArray<readonly [string, string, string]> = [
    ['amq.fanout', 'amq.direct', 'exchangeBindOk'],
    ['amq.fanout', 'nope', "NOT_FOUND - no exchange 'nope' in vhost '/'"],
    ['nope', 'amq.direct', "NOT_FOUND - no exchange 'nope' in vhost '/'"],
    ['', 'amq.direct', 'ACCESS_REFUSED - operation not permitted on the default exchange'],
  ];
  for (const [destination, source, answer] of links) {
    test(`'${destination}' bound to '${source}'`, async () =>
      assert.equal(
        await answerTo((client) =>
          client.send(1, 'exchangeBind', { ...link, destination, source }),
        ),
        answer,
      ));
  }

  test('go with their last binding when they delete themselves', () =>
    withChannel(async (client) => {
      const named = freshName();
      client.send(1, 'exchangeDeclare', exchange({ exchange: named, autoDelete: true }));
      await client.next('exchangeDeclareOk');
      client.send(1, 'queueDeclare', queue({ exclusive: true }));
      await client.next('queueDeclareOk');
      const binding = {
        ticket: 0,
        queue: '',
        exchange: named,
        routingKey: 'a',
        arguments: emptyTable,
      };
      client.send(1, 'queueBind', { ...binding, nowait: false });
      await client.next('queueBindOk');
      client.send(1, 'queueUnbind', binding);
      await client.next('queueUnbindOk');
      client.send(1, 'exchangeDeclare', exchange({ exchange: named, passive: true }));
      assert.equal(await answerOf(client), `NOT_FOUND - no exchange '${named}' in vhost '/'`);
    }));
});

describe('permissions', () => {
  before(async () => {
    await broker.access.putUser({ name: 'narrow', tags: [], password: 'pw' });
    await broker.access.putPermission({
      user: 'narrow',
      namespace: '',
      configure: '^mine',
      write: '^mine',
      read: '^mine',
    });
  });

  const bind = { ticket: 0, nowait: false, arguments: emptyTable, routingKey: '' };
  const cases: ReadonlyArray<readonly [string, (client: RawClient) => void, string]> = [
    [
      'declaring',
      (client) => client.send(1, 'queueDeclare', queue({ queue: 'yours' })),
      "configure access to queue 'yours' in vhost '/' refused for user 'narrow'",
    ],
    [
      'binding',
      (client) => client.send(1, 'queueBind', { ...bind, queue: 'yours', exchange: 'amq.direct' }),
      "write access to queue 'yours' in vhost '/' refused for user 'narrow'",
    ],
    [
      'binding to a foreign exchange',
      (client) => client.send(1, 'queueBind', { ...bind, queue: 'mine', exchange: 'amq.direct' }),
      "read access to exchange 'amq.direct' in vhost '/' refused for user 'narrow'",
    ],
    [
      'dead letters to a foreign exchange',
      (client) =>
        client.send(
          1,
          'queueDeclare',
          queue({
            queue: 'mine',
            arguments: table({ 'x-dead-letter-exchange': text('amq.direct') }),
          }),
        ),
      "write access to exchange 'amq.direct' in vhost '/' refused for user 'narrow'",
    ],
  ];
  for (const [name, act, refusal] of cases) {
    test(`${name} is refused`, async () => {
      const client = await RawClient.open(door.port, { user: 'narrow', password: 'pw' });
      await client.openChannel(1);
      act(client);
      assert.equal(await answerOf(client), `ACCESS_REFUSED - ${refusal}`);
      client.destroy();
    });
  }
});

describe('vhosts', () => {
  test('keep names apart', async () => {
    await broker.access.putNamespace({
      name: 'other',
      description: '',
      tags: [],
      attributes: {},
      limits: {},
    });
    await broker.access.putPermission({
      user: 'guest',
      namespace: 'other',
      configure: '.*',
      write: '.*',
      read: '.*',
    });
    await withChannel(async (client) => {
      client.send(1, 'queueDeclare', queue({ queue: 'apart', durable: true }));
      await client.next('queueDeclareOk');
    }, 'other');
    assert.ok(broker.queues.find('other', 'apart') !== undefined);
    assert.equal(
      await answerTo((client) =>
        client.send(1, 'queueDeclare', queue({ queue: 'apart', passive: true })),
      ),
      "NOT_FOUND - no queue 'apart' in vhost '/'",
    );
  });
});

describe('amqplib', () => {
  test('declares, binds, unbinds and deletes', async () => {
    const client = await connect(`amqp://guest:guest@127.0.0.1:${door.port}`);
    const channel = await client.createChannel();
    await channel.assertExchange('lib.x', 'topic', { durable: true, alternateExchange: 'lib.ae' });
    await channel.assertExchange('lib.y', 'fanout', { durable: false });
    const named = await channel.assertQueue('lib.q', {
      maxLength: 5,
      messageTtl: 60_000,
      maxPriority: 3,
    });
    assert.deepEqual({ ...named }, { queue: 'lib.q', messageCount: 0, consumerCount: 0 });
    const server = await channel.assertQueue('', { exclusive: true });
    assert.match(server.queue, /^amq\.gen-/);
    await channel.bindQueue('lib.q', 'lib.x', 'a.#');
    await channel.bindExchange('lib.y', 'lib.x', '#');
    assert.equal(broker.exchanges.listBindings({ namespace: '', source: 'lib.x' }).length, 2);
    await channel.unbindExchange('lib.y', 'lib.x', '#');
    await channel.unbindQueue('lib.q', 'lib.x', 'a.#');
    assert.deepEqual({ ...(await channel.purgeQueue('lib.q')) }, { messageCount: 0 });
    assert.deepEqual({ ...(await channel.deleteQueue('lib.q')) }, { messageCount: 0 });
    await channel.deleteExchange('lib.x');
    await channel.deleteExchange('lib.y');
    await client.close();
    assert.equal(broker.queues.find('', server.queue), undefined);
  });
});
