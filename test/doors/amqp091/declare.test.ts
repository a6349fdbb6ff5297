import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Field, MethodArguments } from '../../../src/doors/amqp091/wire/index.ts';
import { answerOf, int, locked, queue, RawBed, table, text } from './raw-bed.ts';

type Declared = Partial<MethodArguments<'queueDeclare'>>;

let bed: RawBed;

before(async () => {
  bed = await RawBed.open();
});

after(() => bed.close());

const withArguments = (entries: Record<string, Field>): Declared => ({
  durable: true,
  arguments: table(entries),
});

const differs = (argument: string, received: string, current: string): string =>
  `PRECONDITION_FAILED - inequivalent arg '${argument}' for queue 'Q' in vhost '/': received ${received} but current is ${current}`;

const wrong = (argument: string, fault: string): string =>
  `PRECONDITION_FAILED - invalid arg '${argument}' for queue 'Q' in vhost '/'${fault}`;

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
      'exclusive, and no longer durable',
      { ...durable, exclusive: true },
      { exclusive: true },
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
      bed.withChannel(async (client) => {
        const named = bed.freshName();
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
    [{ 'x-queue-leader-locator': text('client-local') }, 'queueDeclareOk'],
    [{ ...quorum, 'x-queue-leader-locator': text('balanced') }, 'queueDeclareOk'],
    [
      { 'x-queue-leader-locator': text('upstairs') },
      wrong('x-queue-leader-locator', ': invalid_queue_locator_arg'),
    ],
    [{ 'x-anything': text('else') }, 'queueDeclareOk'],
  ];
  for (const [entries, answer, more] of cases) {
    const shown = JSON.stringify([...table(entries)].map(([name, field]) => [name, field.value]));
    test(`${shown}${JSON.stringify(more ?? {})}`, () =>
      bed.withChannel(async (client) => {
        const named = bed.freshName();
        client.send(
          1,
          'queueDeclare',
          queue({ queue: named, durable: true, arguments: table(entries), ...more }),
        );
        assert.equal(await answerOf(client), answer.replace("'Q'", `'${named}'`));
      }));
  }

  test('become the settings of the neutral queue', () =>
    bed.withChannel(async (client) => {
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
      const found = bed.broker.queues.find('', 'settings');
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
    bed.withChannel(async (client) => {
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
        assert.equal(bed.broker.queues.find('', named)?.settings.failuresMax, failuresMax);
      }
    }));

  test('a stream is a log with limits of its own', () =>
    bed.withChannel(async (client) => {
      const entries = { ...stream, 'x-max-age': text('2h'), 'x-max-length-bytes': int(5000) };
      client.send(
        1,
        'queueDeclare',
        queue({ queue: 'log', durable: true, arguments: table(entries) }),
      );
      await client.next('queueDeclareOk');
      const topic = bed.broker.topics.find('log');
      assert.equal(topic?.retention, 'by-limits');
      assert.equal(topic.options.retentionMs, 7_200_000);
      assert.equal(topic.options.retentionBytes, 5000);
    }));
});
