import assert from 'node:assert/strict';
import test from 'node:test';
import type {
  AcquiredMessage,
  AcquireRequest,
  PartitionQueue,
  QueueForm,
  QueueSettings,
} from '../../../src/shard/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { QueueBed, type Sent, TestConsumer, textOf } from './queue-bed.ts';

const asking: AcquireRequest = {
  count: 10,
  bytesMax: 1000,
  leaseMs: undefined,
  isAutoSettled: false,
  waitMs: 0,
};

async function acquire(
  bed: QueueBed,
  queue: PartitionQueue,
  request: Partial<AcquireRequest> = {},
): Promise<AcquiredMessage[]> {
  return bed.clock.runUntil(queue.acquire({ ...asking, ...request }));
}

/** Ends this life with all that was changed durable, and finds the queue in the next. */
async function restart(
  bed: QueueBed,
  queue: PartitionQueue,
  settings: Partial<QueueSettings>,
): Promise<PartitionQueue> {
  await bed.clock.runUntil(queue.settled());
  await bed.crash();
  return bed.findQueue(settings);
}

test('a message whose delivery ended is settled by the one who had it', async () => {
  const bed = await QueueBed.open();
  const settings = { leaseMs: 1000 };
  const queue = bed.openQueue(settings);
  await bed.send('a', 'b');
  assert.equal((await acquire(bed, queue)).length, 2);
  await bed.clock.runFor(2000);
  assert.equal(queue.counts().ready, 2);
  assert.equal(queue.findLease(0), undefined);
  assert.equal(queue.has(0), true);
  assert.equal(queue.acceptLate(0), true);
  assert.equal(queue.acceptLate(0), false);
  assert.equal(queue.has(0), false);
  assert.deepEqual((await acquire(bed, queue)).map(textOf), ['b']);
  const again = await restart(bed, queue, settings);
  assert.equal(again.settledOffset, 1);
  assert.equal(again.counts().leased, 1);
});

test('a message that somebody else has is settled by the one who had it before', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ leaseMs: 1000 });
  await bed.send('a');
  await acquire(bed, queue);
  await bed.clock.runFor(2000);
  const [later] = await acquire(bed, queue);
  assert.ok(later !== undefined);
  assert.equal(queue.findLease(0, 1), undefined);
  assert.equal(queue.findLease(0, 2), later.lease);
  assert.equal(queue.findLease(0), later.lease);
  assert.equal(queue.acceptLate(0), true);
  assert.equal(queue.accept(later.lease), false);
  const { ready, leased, accepted } = queue.counts();
  assert.deepEqual([ready, leased, accepted], [0, 0, 1]);
});

test('what is settled late is found wherever it waits', async () => {
  const cases: ReadonlyArray<{
    name: string;
    form?: Partial<QueueForm>;
    settings?: Partial<QueueSettings>;
    headers?: Record<string, string>;
    /** Leaves the message with nobody. */
    prepare?: (bed: QueueBed, queue: PartitionQueue) => Promise<void>;
    isFound?: boolean;
  }> = [
    { name: 'where nobody looked' },
    { name: 'among priorities', form: { priorityMax: 2 } },
    {
      name: 'set aside for others',
      prepare: async (bed, queue) => {
        queue.attach(new TestConsumer({ filter: () => false }));
        await bed.settle();
      },
    },
    {
      name: 'behind others of its group',
      form: { isGrouped: true },
      headers: { 'pabal.group': 'g' },
      prepare: async (bed, queue) => {
        await acquire(bed, queue, { takesRuns: true, count: 1 });
        await acquire(bed, queue, { takesRuns: true, count: 1 });
      },
    },
    {
      name: 'given back within its group',
      form: { isGrouped: true },
      headers: { 'pabal.group': 'g' },
      prepare: async (bed, queue) => {
        for (const { lease } of await acquire(bed, queue, { takesRuns: true }))
          queue.release(lease, { isFailure: true });
      },
    },
    {
      name: 'waiting for its time',
      prepare: async (bed, queue) => {
        for (const { lease } of await acquire(bed, queue))
          queue.release(lease, { isFailure: true, delayMs: 60_000 });
      },
      isFound: false,
    },
    {
      name: 'held by a transaction',
      prepare: async (bed, queue) => {
        for (const { lease } of await acquire(bed, queue)) queue.hold(lease);
      },
      isFound: false,
    },
  ];
  for (const { name, form, settings = {}, headers = {}, prepare, isFound = true } of cases) {
    const bed = await QueueBed.open();
    const queue = bed.openQueue(settings, form);
    await bed.send({ text: 'a', headers }, { text: 'b', headers }, { text: 'c', headers });
    await prepare?.(bed, queue);
    assert.equal(queue.has(1), true, name);
    assert.equal(queue.acceptLate(1), isFound, name);
    assert.equal(queue.has(1), !isFound, name);
    assert.equal(queue.acceptLate(3), false, name);
    const again = await restart(bed, queue, settings);
    assert.equal(again.has(1), !isFound, name);
    const consumer = new TestConsumer();
    again.attach(consumer);
    for (let round = 0; round < 10; round++) {
      await bed.clock.runFor(10_000);
      for (const { lease } of consumer.kept) again.accept(lease);
    }
    assert.deepEqual(consumer.texts.toSorted(), isFound ? ['a', 'c'] : ['a', 'b', 'c'], name);
  }
});

test('the next of a group may go when the one before it is settled late', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue({ leaseMs: 1000 }, { isGrouped: true });
  const headers = { 'pabal.group': 'g' };
  await bed.send({ text: 'a', headers }, { text: 'b', headers });
  assert.deepEqual((await acquire(bed, queue)).map(textOf), ['a']);
  const waiting = queue.acquire({ ...asking, waitMs: 500 });
  assert.equal(queue.acceptLate(0), true);
  assert.deepEqual((await bed.clock.runUntil(waiting)).map(textOf), ['b']);
});

test('a message that is kept when it has failed too often dies when it would be given out next', async () => {
  const bed = await QueueBed.open();
  const settings = {
    leaseMs: 1000,
    failuresMax: 1,
    keepsFailed: true,
    messageTtlMs: 100_000,
    deadLetter: { exchange: '', key: 'dead' },
  };
  let queue = bed.openQueue(settings);
  await bed.send('a', 'b', 'c');
  for (let round = 0; round < 2; round++) {
    assert.equal((await acquire(bed, queue, { count: 2 })).length, 2);
    await bed.clock.runFor(2000);
  }
  assert.equal(queue.counts().ready, 3);
  assert.deepEqual(bed.deaths, []);
  // It is as alive as before a restart, and whoever had it may still settle it.
  queue = await restart(bed, queue, settings);
  await bed.settle();
  assert.equal(queue.counts().ready, 3);
  assert.equal(queue.acceptLate(0), true);
  assert.deepEqual((await acquire(bed, queue)).map(textOf), ['c']);
  assert.deepEqual(
    bed.deaths.map(({ text, reason }) => [text, reason]),
    [['b', 'delivery-limit']],
  );
  assert.equal(queue.counts().dead, 1);
});

test('in a group, what dies when it would be given out next makes way for the others', async () => {
  const bed = await QueueBed.open();
  const queue = bed.openQueue(
    { leaseMs: 1000, failuresMax: 0, keepsFailed: true, deadLetter: { exchange: '', key: 'dead' } },
    { isGrouped: true },
  );
  const headers = { 'pabal.group': 'g' };
  await bed.send({ text: 'a', headers }, { text: 'b', headers }, { text: 'c', headers });
  assert.deepEqual((await acquire(bed, queue, { count: 1 })).map(textOf), ['a']);
  await bed.clock.runFor(2000);
  const next = await acquire(bed, queue, { takesRuns: true });
  assert.deepEqual(next.map(textOf), ['b', 'c']);
  assert.deepEqual(
    bed.deaths.map(({ text }) => text),
    ['a'],
  );
});

test('whoever settles late, and when: what was settled never comes again, and all else does', async () => {
  const forms: ReadonlyArray<Partial<QueueForm>> = [
    {},
    { isFair: true },
    { isGrouped: true },
    { priorityMax: 2 },
    { priorityMax: 2, isGrouped: true },
  ];
  for (let seed = 1; seed <= 15; seed++) {
    const form = forms[seed % forms.length] ?? {};
    const random = new SeededRandom(seed);
    const settings = { leaseMs: 50 };
    const bed = await QueueBed.open({ seed, latencyMsMax: 2 });
    let queue = bed.openQueue(settings, form);
    await bed.clock.runUntil(bed.shard.barrier());
    const gone = new Set<number>();
    let count = 0;
    for (let step = 0; step < 80; step++) {
      switch (random.nextInt(6)) {
        case 0: {
          const messages: Sent[] = [];
          for (let more = 1 + random.nextInt(5); more > 0; more--) {
            const group = `g${random.nextInt(3)}`;
            const headers = { 'pabal.group': group, 'pabal.priority': `${random.nextInt(3)}` };
            messages.push({ text: `${count++}`, headers });
          }
          await bed.send(...messages);
          break;
        }
        case 1:
          for (const message of await acquire(bed, queue, { count: 1 + random.nextInt(4) })) {
            assert.ok(!gone.has(message.offset), `seed ${seed}: ${message.offset} came again`);
            if (random.nextInt(3) > 0) continue;
            queue.accept(message.lease);
            gone.add(message.offset);
          }
          break;
        case 2:
        case 3: {
          const offset = random.nextInt(count + 1);
          const isThere = offset < count && !gone.has(offset);
          assert.equal(queue.has(offset), isThere, `seed ${seed}: ${offset}`);
          assert.equal(queue.acceptLate(offset), isThere, `seed ${seed}: ${offset}`);
          if (isThere) gone.add(offset);
          break;
        }
        case 4:
          await bed.clock.runFor(random.nextInt(80));
          break;
        default:
          if (random.nextInt(4) > 0) break;
          queue = await restart(bed, queue, settings);
      }
      const { ready, leased } = queue.counts();
      assert.equal(ready + leased, count - gone.size, `seed ${seed}`);
    }
    queue = await restart(bed, queue, settings);
    await bed.clock.runFor(200);
    const seen = new Set<number>();
    for (let idle = 0; idle < 20; idle++) {
      for (const { offset, lease } of await acquire(bed, queue)) {
        assert.ok(!gone.has(offset) && !seen.has(offset), `seed ${seed}: ${offset}`);
        seen.add(offset);
        queue.accept(lease);
        idle = 0;
      }
      await bed.clock.runFor(20);
    }
    assert.equal(seen.size + gone.size, count, `seed ${seed}`);
  }
});
