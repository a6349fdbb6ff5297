import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../../src/testing/index.ts';
import { QueueBed, type Sent, TestConsumer, textOf } from './queue-bed.ts';

const directories = ['/data/shard-0/journal', '/data/shard-0/segments'];
const batchSize = 3;
const entryHeaderBytes = 12;
const batchHeaderBytes = 61;

const nameOf = (number: number): string => `<message ${number}>`;

async function readFile(bed: QueueBed, path: string): Promise<Buffer> {
  const file = await bed.clock.runUntil(bed.disk.open(path, {}));
  const bytes = Buffer.alloc(await bed.clock.runUntil(file.size()));
  await bed.clock.runUntil(file.read(bytes, 0));
  await bed.clock.runUntil(file.close());
  return bytes;
}

interface Place {
  path: string;
  bytes: Buffer;
  position: number;
}

/** The newest file that holds a message, and where the message's text stands in it; undefined when it is deleted. */
async function findText(bed: QueueBed, text: string): Promise<Place | undefined> {
  for (const directory of directories.toReversed()) {
    for (const name of await bed.clock.runUntil(bed.disk.list(directory))) {
      const path = `${directory}/${name}`;
      const bytes = await readFile(bed, path);
      const position = bytes.indexOf(text);
      if (position >= 0) return { path, bytes, position };
    }
  }
  return undefined;
}

/**
 * Flips a bit of the batch that holds a message, at a place counted from the start of its entry, or in the message's text;
 * a second time, it is as it was. False when the message is on no disk any more.
 */
async function flip(bed: QueueBed, number: number, at?: number): Promise<boolean> {
  const place = await findText(bed, nameOf(number));
  if (place === undefined) return false;
  const { path, bytes, position } = place;
  // Its batch is the last before it whose length is told twice.
  let entry = position - batchHeaderBytes - entryHeaderBytes;
  while (bytes[entry] !== 1 || bytes.readUInt32BE(entry + 8) !== bytes.readInt32BE(entry + 20) + 12)
    assert.ok(--entry >= 0, 'the message has a batch');
  const target = at === undefined ? position + nameOf(number).length : entry + at;
  assert.ok(bed.disk.flipBit(path, target, 2));
  return true;
}

/** Sends batches of three; texts are long, so that few of them are in memory. */
async function fill(bed: QueueBed, count: number, headers?: (n: number) => Sent['headers']) {
  for (let number = 0; number < count; number += batchSize) {
    const batch = Array.from({ length: batchSize }, (_, index): Sent => {
      const text = `${nameOf(number + index)}${'.'.repeat(700)}`;
      const own = headers?.(number + index);
      return own === undefined ? { text } : { text, headers: own };
    });
    await bed.send(...batch);
  }
}

const numberOf = (text: string): number => Number(/<message (\d+)>/.exec(text)?.[1]);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const without = (count: number, ...gone: number[]): number[] =>
  upTo(count).filter((number) => !gone.includes(number));

/** Takes and settles what comes until nothing comes any more. */
async function drain(bed: QueueBed, queue = bed.table.find(bed.log, '')): Promise<number[]> {
  assert.ok(queue !== undefined);
  const consumer = new TestConsumer();
  queue.attach(consumer);
  await bed.clock.runFor(10_000);
  const numbers = consumer.kept.map(({ text }) => numberOf(text));
  for (const { lease } of consumer.kept) queue.accept(lease);
  queue.detach(consumer, 'return');
  await bed.settle();
  return numbers;
}

const smallFiles = { journalFileBytes: 16 * 1024, tailCacheBytes: 4096 };
const oneFile = { journalFileBytes: 1024 * 1024, tailCacheBytes: 4096 };

describe('messages that cannot be read', () => {
  for (const [where, options] of [
    ['a sealed file', smallFiles],
    ['the active file', oneFile],
  ] as const) {
    test(`in ${where} are kept as damaged, and all others are delivered`, async () => {
      const bed = await QueueBed.open(options);
      const queue = bed.openQueue();
      await fill(bed, 60);
      await flip(bed, 13);
      assert.deepEqual(await drain(bed), without(60, 12, 13, 14));
      const { ready, leased, damaged, readyBytes } = queue.counts();
      assert.deepEqual([ready, leased, damaged, readyBytes], [0, 0, 3, 0]);
      assert.equal(queue.settledOffset, 12);
      assert.deepEqual(bed.damages, [[12, 15]]);
      assert.deepEqual([...bed.table.listDamaged()], [queue]);
    });
  }

  const places: ReadonlyArray<readonly [string, number]> = [
    ['kind of its entry', 0],
    ['partition of its entry', 7],
    ['length of its entry', 10],
    ['base offset', 12 + 7],
    ['length', 12 + 9],
    ['leader epoch', 12 + 14],
    ['magic', 12 + 16],
    ['checksum', 12 + 18],
    ['last offset delta', 12 + 26],
    ['number of records', 12 + 60],
    ['first record', 12 + 63],
  ];
  for (const [what, at] of places) {
    test(`are those of one batch where its ${what} is damaged`, async () => {
      const bed = await QueueBed.open(smallFiles);
      const queue = bed.openQueue();
      await fill(bed, 60);
      await flip(bed, 19, at);
      assert.deepEqual(await drain(bed), without(60, 18, 19, 20));
      assert.equal(queue.counts().damaged, 3);
    });
  }

  test('stay damaged over a restart and a crash, until a purge', async () => {
    const bed = await QueueBed.open(smallFiles);
    bed.openQueue();
    await fill(bed, 60);
    await flip(bed, 4);
    await flip(bed, 30);
    await drain(bed);
    for (const again of ['restart', 'crash', 'restart'] as const) {
      await bed[again]();
      const queue = bed.findQueue();
      assert.deepEqual([queue.counts().ready, queue.counts().damaged], [0, 6], again);
      assert.equal(queue.settledOffset, 3);
      assert.deepEqual(await drain(bed), []);
      assert.equal([...bed.table.listDamaged()].length, 1);
    }
    const queue = bed.findQueue();
    assert.equal(await bed.clock.runUntil(queue.purge()), 6);
    assert.deepEqual([queue.counts().damaged, queue.settledOffset], [0, 60]);
    assert.deepEqual([...bed.table.listDamaged()], []);
    await bed.crash();
    assert.deepEqual([bed.findQueue().counts().damaged, bed.findQueue().settledOffset], [0, 60]);
  });

  test('are given out after a rewind, when they were repaired', async () => {
    const bed = await QueueBed.open(smallFiles);
    const queue = bed.openQueue({ keepSettledMs: 3_600_000 });
    await fill(bed, 60);
    await flip(bed, 4);
    await flip(bed, 30);
    await drain(bed);
    await flip(bed, 4);
    await bed.clock.runUntil(queue.rewind(0));
    assert.deepEqual(await drain(bed), without(60, 30, 31, 32));
    assert.equal(queue.counts().damaged, 3);
    await flip(bed, 30);
    await bed.clock.runUntil(queue.rewind(20));
    assert.deepEqual(
      await drain(bed),
      upTo(60).filter((number) => number >= 20),
    );
    assert.deepEqual([queue.counts().damaged, queue.settledOffset], [0, 60]);
  });

  for (const form of [{}, { priorityMax: 3 }]) {
    test(`are given out again when they are tried again, through a crash: ${JSON.stringify(form)}`, async () => {
      const bed = await QueueBed.open(smallFiles);
      bed.openQueue({}, form);
      await fill(bed, 60);
      await flip(bed, 4);
      await flip(bed, 30);
      await drain(bed);
      await flip(bed, 4);
      assert.equal(await bed.clock.runUntil(bed.findQueue().retryDamaged()), 6);
      const { ready, damaged } = bed.findQueue().counts();
      assert.deepEqual([ready, damaged], [6, 0]);
      await bed.crash();
      assert.deepEqual(await drain(bed, bed.findQueue()), [3, 4, 5]);
      await flip(bed, 30);
      assert.equal(await bed.clock.runUntil(bed.findQueue().retryDamaged()), 3);
      assert.deepEqual(await drain(bed, bed.findQueue()), [30, 31, 32]);
      assert.deepEqual([bed.findQueue().counts().damaged, bed.findQueue().settledOffset], [0, 60]);
      assert.equal(await bed.clock.runUntil(bed.findQueue().retryDamaged()), 0);
    });
  }

  test('block nothing that was given back, waits for its time, has a priority or a group', async () => {
    for (const form of [{}, { priorityMax: 3 }, { isGrouped: true }, { isFair: true }]) {
      const bed = await QueueBed.open(smallFiles);
      const queue = bed.openQueue({}, form);
      await fill(bed, 60, (number) => ({
        'pabal.priority': String(number % 4),
        'pabal.group': `group ${number % 7}`,
        ...(number % 10 === 0 ? { 'pabal.deliver-at': String(bed.clock.nowMs() + 3000) } : {}),
      }));
      const consumer = new TestConsumer({ credit: 9 });
      queue.attach(consumer);
      await bed.settle();
      const first = consumer.kept.map(({ text }) => numberOf(text));
      const victims = [first[1] ?? -1, 33, 50];
      for (const number of victims) await flip(bed, number);
      queue.detach(consumer, 'return-failed');
      const gone = new Set(
        victims.flatMap((number) => [0, 1, 2].map((at) => number - (number % 3) + at)),
      );
      const got: number[] = [];
      for (let round = 0; round < 12; round++) got.push(...(await drain(bed, queue)));
      const expected = upTo(60).filter((number) => !gone.has(number));
      assert.deepEqual(
        got.toSorted((a, b) => a - b),
        expected,
        JSON.stringify(form),
      );
      assert.deepEqual([queue.counts().damaged, queue.counts().ready], [gone.size, 0]);
      await bed.crash();
      assert.deepEqual(
        [bed.findQueue().counts().damaged, bed.findQueue().counts().ready],
        [gone.size, 0],
      );
    }
  });

  test('do not keep dead messages from being sent on', async () => {
    const bed = await QueueBed.open(smallFiles);
    const queue = bed.openQueue({ deadLetter: { exchange: '', key: 'dead' } });
    await fill(bed, 60);
    const consumer = new TestConsumer();
    queue.attach(consumer);
    await bed.settle();
    await flip(bed, 7);
    for (const { lease } of consumer.kept) queue.reject(lease, 'rejected');
    await bed.clock.runFor(5000);
    assert.deepEqual(
      bed.deaths.map(({ text }) => numberOf(text)).toSorted((a, b) => a - b),
      without(60, 6, 7, 8),
    );
    const { ready, leased, damaged } = queue.counts();
    assert.deepEqual([ready, leased, damaged], [0, 0, 3]);
  });

  test('in the hands of a consumer are settled as any other', async () => {
    const bed = await QueueBed.open(smallFiles);
    const queue = bed.openQueue();
    await fill(bed, 30);
    const consumer = new TestConsumer();
    queue.attach(consumer);
    await bed.settle();
    await flip(bed, 7);
    for (const { lease } of consumer.kept) assert.ok(queue.accept(lease));
    assert.deepEqual([queue.counts().damaged, queue.settledOffset], [0, 30]);
  });

  test('of a file that is missing are all damaged; those of other files come', async () => {
    const bed = await QueueBed.open(smallFiles);
    bed.openQueue();
    await fill(bed, 90);
    const place = await findText(bed, nameOf(30));
    assert.ok(place !== undefined);
    await bed.clock.runUntil(bed.disk.remove(place.path));
    await bed.restart();
    const lost = [...place.bytes.toString('latin1').matchAll(/<message (\d+)>/g)].map(
      ([, number]) => Number(number),
    );
    assert.ok(lost.length > 3 && lost.length < 80);
    assert.deepEqual(await drain(bed, bed.findQueue()), without(90, ...lost));
    assert.equal(bed.findQueue().counts().damaged, lost.length);
  });

  test('are not those that only cannot be read now', async () => {
    const bed = await QueueBed.open(smallFiles);
    const queue = bed.openQueue();
    await fill(bed, 60);
    const consumer = new TestConsumer();
    bed.disk.faults.readErrorRate = 1;
    queue.attach(consumer);
    await bed.clock.runFor(30_000);
    assert.deepEqual([consumer.kept.length, queue.counts().damaged], [0, 0]);
    bed.disk.faults.readErrorRate = 0.3;
    await bed.clock.runFor(600_000);
    bed.disk.faults.readErrorRate = 0;
    await bed.clock.runFor(10_000);
    assert.deepEqual(
      consumer.kept.map(({ text }) => numberOf(text)),
      upTo(60),
    );
    assert.equal(queue.counts().damaged, 0);
  });

  test('are passed over by who looks without taking', async () => {
    const bed = await QueueBed.open(smallFiles);
    const queue = bed.openQueue();
    await fill(bed, 30);
    await flip(bed, 4);
    const seen = await bed.clock.runUntil(queue.peek(0, 30, 1_000_000));
    assert.deepEqual(
      seen.map((message) => numberOf(textOf(message))),
      without(30, 3, 4, 5),
    );
    assert.equal(queue.counts().damaged, 0);
  });

  for (let seed = 1; seed <= 8; seed++) {
    test(`are none but those of damaged batches, whatever happens: seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const bed = await QueueBed.open({ ...smallFiles, seed });
      bed.openQueue({}, { priorityMax: random.pick([0, 3]) });
      const count = 150;
      await fill(bed, count, (number) => ({ 'pabal.priority': String(number % 4) }));
      const damaged = new Set<number>();
      const got = new Map<number, number>();
      const sealed = bed.log.extents.slice(0, -1).at(-1)?.endOffset ?? 0;
      for (let step = 0; step < 40; step++) {
        const queue = bed.findQueue();
        const kind = random.nextInt(6);
        if (kind === 0) {
          const number = random.nextInt(sealed);
          const batch = number - (number % batchSize);
          if (!damaged.has(batch) && (await flip(bed, number))) damaged.add(batch);
        } else if (kind === 1) await (random.chance(0.5) ? bed.crash() : bed.restart());
        else {
          const consumer = new TestConsumer({ credit: random.nextInt(20) });
          queue.attach(consumer);
          await bed.clock.runFor(3000);
          for (const { text, lease } of consumer.kept) {
            if (random.chance(0.3)) continue;
            queue.accept(lease);
            got.set(numberOf(text), (got.get(numberOf(text)) ?? 0) + 1);
          }
          queue.detach(consumer, 'return');
          await bed.clock.runUntil(queue.settled());
        }
      }
      for (const number of await drain(bed, bed.findQueue()))
        got.set(number, (got.get(number) ?? 0) + 1);
      const counts = bed.findQueue().counts();
      assert.deepEqual([counts.ready, counts.leased], [0, 0]);
      assert.equal(counts.damaged + got.size, count);
      for (const number of upTo(count)) {
        const isDamaged = damaged.has(number - (number % batchSize));
        assert.ok(isDamaged || got.get(number) === 1, `message ${number}: ${got.get(number)}`);
        assert.ok((got.get(number) ?? 0) <= 1);
      }
    });
  }
});

test('a reader of the log gets what lies before and behind a damaged batch, and an error for itself', async () => {
  const bed = await QueueBed.open(smallFiles);
  await fill(bed, 60);
  await flip(bed, 13);
  const read = async (offset: number): Promise<number[]> => {
    const options = { maxBytes: 100_000, minOneBatch: true };
    const { slices } = await bed.clock.runUntil(
      Promise.resolve().then(() => bed.log.read(offset, options)),
    );
    return slices.flatMap((slice) =>
      [
        ...Buffer.from(slice)
          .toString('latin1')
          .matchAll(/<message (\d+)>/g),
      ].map(([, number]) => Number(number)),
    );
  };
  assert.deepEqual(await read(0), upTo(12));
  for (const offset of [12, 13, 14])
    await assert.rejects(read(offset), { code: 'storage-damaged' }, `offset ${offset}`);
  assert.equal((await read(15))[0], 15);
});
