import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AmqpDoor } from '../../../src/doors/amqp091/index.ts';
import { mergeOptions } from '../../../src/doors/amqp091/policies.ts';
import { type QueueOptions, readAge } from '../../../src/doors/amqp091/queue-arguments.ts';
import type { Field } from '../../../src/doors/amqp091/wire/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { RawClient } from './raw-client.ts';
import { until } from '../../support/until.ts';

describe('options of several sources', () => {
  const cases: ReadonlyArray<readonly [string, QueueOptions, QueueOptions, QueueOptions]> = [
    ['of two limits the smaller counts', { maxLength: 5 }, { maxLength: 3 }, { maxLength: 3 }],
    ['whoever gave it', { maxLength: 3 }, { maxLength: 5 }, { maxLength: 3 }],
    ['no limit is the greatest', { deliveryLimit: -1 }, { deliveryLimit: 7 }, { deliveryLimit: 7 }],
    [
      'what is no limit is said by the first',
      { overflow: 'drop-head' },
      { overflow: 'reject-publish', deadLetterExchange: 'd' },
      { overflow: 'drop-head', deadLetterExchange: 'd' },
    ],
    ['0 is a limit', { messageTtl: 0 }, { messageTtl: 9 }, { messageTtl: 0 }],
  ];
  for (const [name, first, second, merged] of cases) {
    test(name, () => assert.deepEqual(mergeOptions(first, second), merged));
  }

  for (const [text, ms] of [
    ['7D', 604_800_000],
    ['30s', 30_000],
    ['2h', 7_200_000],
    ['1Y', 31_536_000_000],
    ['', undefined],
    ['5', undefined],
    ['5d', undefined],
    ['-1s', undefined],
  ] as const) {
    test(`an age of "${text}"`, () => assert.equal(readAge(text), ms));
  }
});

test('policies hold at the declaration, when they change and when they go', async (t) => {
  const broker = await Broker.open({ store: 'memory' });
  const door = await AmqpDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    version: '0.0.0',
    host: '127.0.0.1',
    port: 0,
  });
  t.after(async () => {
    await door.close(0);
    await broker.close();
  });
  const put = (name: string, definition: object, more: object = {}): Promise<void> =>
    broker.access.putPolicy({
      namespace: '',
      name,
      pattern: '^p\\.',
      applyTo: 'queues',
      priority: 0,
      definition: JSON.stringify(definition),
      isOperator: false,
      ...more,
    });
  await put('first', { 'message-ttl': 5000, 'dead-letter-exchange': 'dlx', expires: 90_000 });
  await put('second', { 'max-length': 50, overflow: 'reject-publish' }, { priority: -1 });

  const client = await RawClient.open(door.port);
  await client.openChannel(1);
  const declare = async (queue: string, entries: Record<string, Field>): Promise<void> => {
    client.send(1, 'queueDeclare', {
      ticket: 0,
      queue,
      passive: false,
      durable: true,
      exclusive: false,
      autoDelete: false,
      nowait: false,
      arguments: new Map(Object.entries(entries)),
    });
    await client.next('queueDeclareOk');
  };
  await declare('p.a', { 'x-message-ttl': { type: 'I', value: 9000 } });
  await declare('other', { 'x-max-length': { type: 'I', value: 100 } });
  const a = broker.queues.find('', 'p.a')!;
  const other = broker.queues.find('', 'other')!;
  assert.equal(a.settings.messageTtlMs, 5000);
  assert.equal(a.settings.deadLetter?.exchange, 'dlx');
  assert.equal(a.idleExpiryMs, 90_000);
  assert.equal(a.settings.readyMax, -1);
  assert.equal(other.settings.messageTtlMs, -1);

  await broker.access.deletePolicy('', 'first', false);
  await put('limits', { 'max-length': 20, expires: 60_000 }, { isOperator: true });
  await until(() => a.settings.readyMax === 20);
  // The operator's limit, the other policy's overflow, and the queue's own time to live.
  assert.equal(a.settings.overflow, 'reject');
  assert.equal(a.settings.messageTtlMs, 9000);
  assert.equal(a.settings.deadLetter, undefined);
  assert.equal(a.idleExpiryMs, 60_000);
  assert.equal(a.attributes['amqp.policy'], 'second');
  assert.equal(a.attributes['amqp.operator-policy'], 'limits');

  await broker.access.deletePolicy('', 'second', false);
  await broker.access.deletePolicy('', 'limits', true);
  await until(() => a.settings.readyMax === -1);
  assert.equal(a.settings.overflow, 'drop-head');
  assert.equal(a.idleExpiryMs, -1);
  assert.equal(other.settings.readyMax, 100);

  // A declaration is compared with what was declared, not with what is in force.
  await declare('p.a', { 'x-message-ttl': { type: 'I', value: 9000 } });
  client.destroy();
});
