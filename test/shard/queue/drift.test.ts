import assert from 'node:assert/strict';
import test from 'node:test';
import { QueueBed, TestConsumer, textOf } from './queue-bed.ts';
import { Transacting } from './transacting.ts';

const dead = { exchange: '', key: 'dead' };

test('a queue over records that were there is empty to the last byte, after a crash too', async () => {
  const bed = await QueueBed.open();
  await bed.send('a', 'b', 'c');
  const queue = bed.openQueue();
  queue.attach(new TestConsumer({ isAutoSettled: true }));
  await bed.settle();
  assert.deepEqual([queue.counts().ready, queue.counts().readyBytes], [0, 0]);
  await bed.crash();
  const again = bed.findQueue();
  await bed.settle();
  assert.deepEqual([again.counts().ready, again.counts().readyBytes], [0, 0]);
  await bed.send('xyz');
  assert.deepEqual([again.counts().ready, again.counts().readyBytes], [1, 3]);
});

test('the bytes of what was aborted do not stay with the messages behind it', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const producer = new Transacting(bed, 7);
  await producer.write('aborted', 'as well');
  const dueMs = `${bed.clock.nowMs() + 100}`;
  await producer.write({ text: 'delayed', headers: { 'pabal.deliver-at': dueMs } });
  await producer.end('abort');
  await bed.send('kept');
  await bed.clock.runFor(500);
  const consumer = new TestConsumer({ credit: 0 });
  queue.attach(consumer);
  await bed.settle();
  assert.deepEqual([queue.counts().ready, queue.counts().readyBytes], [1, 4]);
  consumer.credit = 1;
  queue.resume();
  await bed.settle();
  assert.deepEqual(consumer.texts, ['kept']);
});

test('a dead message that nobody takes up counts no deliveries, after a crash either', async () => {
  const bed = await QueueBed.open();
  const settings = { messageTtlMs: 50, deadLetter: dead };
  bed.openQueue(settings);
  const seen: number[] = [];
  const failures: number[] = [];
  let isFull = true;
  bed.onDeath = (part, message, lease) => {
    seen.push(message.deliveries);
    failures.push(message.failures);
    if (isFull) part.release(lease, { delayMs: 1000, isFailure: false });
    else part.accept(lease);
  };
  await bed.send('a');
  await bed.clock.runFor(3500);
  assert.ok(seen.length >= 3, `${seen.length} deaths`);
  await bed.crash();
  bed.findQueue(settings);
  isFull = false;
  await bed.clock.runFor(3000);
  assert.deepEqual([...new Set(seen)], [0]);
  assert.deepEqual([...new Set(failures)], [0]);
});

test('what goes with the start of the log takes only its own bytes along', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  await bed.send('aaaa', 'bbbb', 'cccc', 'dddd');
  const consumer = new TestConsumer({ credit: 2 });
  queue.attach(consumer);
  await bed.settle();
  await bed.clock.runUntil(bed.log.deleteBefore(2));
  await bed.settle();
  const { ready, readyBytes, leased } = queue.counts();
  assert.deepEqual([ready, readyBytes, leased], [2, 8, 0]);
});

test('a crash that comes before the trim is noted takes its bytes away once', async () => {
  const bed = await QueueBed.open();
  bed.openQueue();
  await bed.send('aaaa', 'bbbb', 'cccc', 'dddd');
  const deleting = bed.log.deleteBefore(2);
  await bed.clock.runUntil(deleting);
  for (let times = 0; times < 3; times++) {
    await bed.crash();
    const queue = bed.findQueue();
    await bed.settle();
    assert.deepEqual([queue.counts().ready, queue.counts().readyBytes], [2, 8]);
  }
});

test('what waited for a leased message goes when that is gone with the start of the log', async () => {
  for (const form of [{}, { isGrouped: true }]) {
    const bed = await QueueBed.open();
    const queue = bed.openQueue({ leasedMax: form.isGrouped ? -1 : 1 }, form);
    const headers = { 'pabal.group': 'g' };
    await bed.send({ text: 'a', headers }, { text: 'b', headers });
    const consumer = new TestConsumer();
    queue.attach(consumer);
    await bed.settle();
    assert.deepEqual(consumer.drain(), ['a']);
    await bed.clock.runUntil(bed.log.deleteBefore(1));
    await bed.settle();
    assert.deepEqual(consumer.drain(), ['b']);
  }
});

test('a group that is looked up after a restart may be gone by then', async () => {
  const bed = await QueueBed.open({ tailCacheBytes: 4096, latencyMsMax: 3 });
  const settings = { leaseMs: 60_000 };
  const queue = bed.openQueue(settings, { isGrouped: true });
  // Each is read by itself.
  const body = 'x'.repeat(40_000);
  for (const group of ['g', 'h']) await bed.send({ text: body, headers: { 'pabal.group': group } });
  queue.attach(new TestConsumer());
  await bed.settle();
  await bed.clock.runUntil(queue.settled());
  await bed.restart();
  const again = bed.findQueue(settings);
  const consumer = new TestConsumer();
  again.attach(consumer);
  // The first group is being read from the disk.
  await bed.clock.runFor(1);
  await bed.clock.runUntil(bed.log.deleteBefore(2));
  await bed.send({ text: 'g2', headers: { 'pabal.group': 'g' } });
  await bed.clock.runFor(5000);
  assert.deepEqual(consumer.texts, ['g2']);
});

/** A consumer of texts that begin so. */
function wanting(letter: string, credit: number): TestConsumer {
  return new TestConsumer({ credit, filter: (message) => textOf(message).startsWith(letter) });
}

test('what was set aside comes when what was set aside before it is gone', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  const a = wanting('a', 0);
  queue.attach(a);
  queue.attach(wanting('b', 1));
  await bed.send(...Array.from({ length: 100 }, (_, index) => `a${index}`));
  await bed.clock.runUntil(bed.log.deleteBefore(100));
  await bed.send('a100');
  a.credit = 1;
  queue.resume();
  await bed.settle();
  assert.deepEqual(a.texts, ['a100']);
});

test('no time is too long, too short or too fine', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ leaseMs: Number.MAX_SAFE_INTEGER });
  await bed.send('a', 'b', 'c');
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.settle();
  const [a, b, c] = consumer.kept.map(({ lease }) => lease);
  assert.equal(queue.release(a ?? -1, { isFailure: false, delayMs: 10.25 }), true);
  assert.equal(
    queue.release(b ?? -1, { isFailure: false, delayMs: Number.POSITIVE_INFINITY }),
    true,
  );
  assert.equal(queue.extend(c ?? -1, 1000.5), true);
  await bed.clock.runUntil(queue.settled());
  const { delayed, leased, ready } = queue.counts();
  assert.deepEqual([delayed, leased, ready], [2, 1, 0]);
  await bed.clock.runFor(100);
  assert.deepEqual(consumer.texts, ['a', 'b', 'c', 'a']);
  await bed.crash();
  const again = bed.findQueue();
  assert.deepEqual([again.counts().delayed, again.counts().leased], [1, 2]);
});

test('a message that a transaction holds has no time that could end', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue();
  await bed.send('a');
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.settle();
  const lease = consumer.kept[0]?.lease ?? -1;
  assert.equal(queue.hold(lease), 0);
  assert.equal(queue.extend(lease, 10), false);
  assert.equal(queue.extend(lease, 0), false);
  await bed.clock.runFor(1000);
  assert.equal(queue.accept(lease), true);
});

test('deduplication ends after a restart though nothing comes', async () => {
  const bed = await QueueBed.open();
  const settings = { dedupWindowMs: 1000 };
  bed.openQueue(settings);
  await bed.send({ text: 'a', headers: { 'pabal.dedup-id': 'one' } });
  await bed.crash();
  const again = bed.findQueue(settings);
  assert.equal(again.findDuplicate('one'), 0);
  await bed.clock.runFor(3000);
  assert.equal(again.findDuplicate('one'), undefined);
});
