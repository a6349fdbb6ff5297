import assert from 'node:assert/strict';
import test from 'node:test';
import type { QueueForm, QueueSettings } from '../../../src/shard/index.ts';
import { QueueBed, type Sent, TestConsumer } from './queue-bed.ts';
import { Transacting } from './transacting.ts';

function sent(text: string, headers: Record<string, string | number>): Sent {
  const entries = Object.entries(headers).map(([name, value]) => [`pabal.${name}`, `${value}`]);
  return { text, headers: Object.fromEntries(entries) };
}

/** What comes of the same messages with the queue made before or behind them, through a crash or not. */
const ways = [
  { name: 'made before', isBehind: false, crashes: 0 },
  { name: 'made behind', isBehind: true, crashes: 0 },
  { name: 'made behind, and crashed', isBehind: true, crashes: 2 },
] as const;

interface Case {
  name: string;
  form?: Partial<QueueForm>;
  settings?: Partial<QueueSettings>;
  messages: (nowMs: number) => Sent[];
  /** What a consumer has soon, and then in a second. */
  soon: string[];
  later: string[];
}

const cases: Case[] = [
  {
    name: 'delays',
    messages: (nowMs) => [
      sent('late', { 'deliver-at': nowMs + 1500 }),
      sent('a', {}),
      sent('past', { 'deliver-at': nowMs - 1000 }),
      sent('later', { 'deliver-at': nowMs + 1600 }),
      sent('b', {}),
    ],
    soon: ['a', 'past', 'b'],
    later: ['late', 'later'],
  },
  {
    name: 'expiries',
    messages: (nowMs) => [
      sent('gone', { 'expires-at': nowMs - 10 }),
      sent('a', { 'expires-at': nowMs + 100_000 }),
      sent('never', { 'deliver-at': nowMs + 1500, 'expires-at': nowMs + 1400 }),
      sent('b', {}),
    ],
    soon: ['a', 'b'],
    later: [],
  },
  {
    name: 'priorities',
    form: { priorityMax: 9, priorityDefault: 4 },
    messages: (nowMs) => [
      sent('1', { priority: 1 }),
      sent('none', {}),
      sent('9', { priority: 9 }),
      sent('late 9', { priority: 9, 'deliver-at': nowMs + 1500 }),
      sent('late 1', { priority: 1, 'deliver-at': nowMs + 1500 }),
      sent('5', { priority: 5 }),
    ],
    soon: ['9', '5', 'none', '1'],
    later: ['late 9', 'late 1'],
  },
  {
    name: 'groups',
    form: { isGrouped: true },
    messages: (nowMs) => [
      sent('g1', { group: 'g' }),
      sent('g2', { group: 'g', 'deliver-at': nowMs + 1500 }),
      sent('h1', { group: 'h' }),
    ],
    soon: ['g1', 'h1'],
    later: ['g2'],
  },
];

for (const { name, form, settings, messages, soon, later } of cases) {
  for (const { name: way, isBehind, crashes } of ways) {
    test(`${name} are kept (queue ${way})`, async () => {
      const bed = await QueueBed.open();
      if (!isBehind) bed.openQueue(settings, form);
      await bed.send(...messages(bed.clock.nowMs()));
      let queue = isBehind ? bed.openQueue(settings, form) : bed.findQueue(settings);
      await bed.settle();
      for (let times = 0; times < crashes; times++) {
        await bed.crash();
        queue = bed.findQueue(settings);
        await bed.settle();
      }
      const consumer = new TestConsumer({ isAutoSettled: true });
      queue.attach(consumer);
      await bed.settle();
      assert.deepEqual(consumer.drain(), soon);
      assert.equal(queue.counts().ready, 0);
      if (crashes > 0) {
        await bed.crash();
        queue = bed.findQueue(settings);
        queue.attach(consumer);
      }
      await bed.clock.runFor(1700);
      assert.deepEqual(consumer.drain(), later);
      const { ready, readyBytes, delayed } = queue.counts();
      assert.deepEqual([ready, readyBytes, delayed], [0, 0, 0]);
    });
  }
}

test('what expires before the queue is made dies though nobody consumes', async () => {
  const bed = await QueueBed.open();
  const nowMs = bed.clock.nowMs();
  await bed.send(
    sent('a', { 'expires-at': nowMs + 500 }),
    sent('b', { 'expires-at': nowMs + 900 }),
    sent('c', {}),
  );
  const queue = bed.openQueue({ deadLetter: { exchange: '', key: 'dead' } });
  await bed.settle();
  assert.equal(queue.counts().ready, 3);
  await bed.clock.runFor(1000);
  assert.deepEqual(
    bed.deaths.map(({ text, reason }) => `${text} ${reason}`),
    ['a expired', 'b expired'],
  );
  assert.equal(queue.counts().ready, 1);
});

test('what was being written when the queue was made is history too', async () => {
  const bed = await QueueBed.open({ latencyMsMax: 5 });
  const dueMs = bed.clock.nowMs() + 2000;
  const writing = bed.append([sent('late', { 'deliver-at': dueMs }), sent('1', { priority: 1 })]);
  // Its chunk is on the way to the disk.
  await bed.clock.runFor(0.5);
  const waiting = bed.append([sent('9', { priority: 9 })]);
  const queue = bed.openQueue({}, { priorityMax: 9 });
  const consumer = new TestConsumer({ isAutoSettled: true });
  queue.attach(consumer);
  await bed.clock.runUntil(Promise.all([writing, waiting]));
  await bed.settle();
  assert.deepEqual(consumer.drain(), ['9', '1']);
  await bed.clock.runFor(3000);
  assert.deepEqual(consumer.drain(), ['late']);
});

test('a purge and a transaction that was open take what was there along as what comes later', async () => {
  const bed = await QueueBed.open();
  const dueMs = bed.clock.nowMs() + 500;
  const producer = new Transacting(bed, 7);
  await bed.send(sent('purged', { 'deliver-at': dueMs }), sent('too', {}));
  await producer.write(sent('late', { 'deliver-at': dueMs }), sent('now', { priority: 3 }));
  const queue = bed.openQueue({}, { priorityMax: 3 });
  await bed.settle();
  assert.equal(await bed.clock.runUntil(queue.purge()), 2);
  await producer.end('commit');
  const consumer = new TestConsumer({ isAutoSettled: true });
  queue.attach(consumer);
  await bed.settle();
  assert.deepEqual(consumer.drain(), ['now']);
  await bed.clock.runFor(1000);
  assert.deepEqual(consumer.drain(), ['late']);
});
