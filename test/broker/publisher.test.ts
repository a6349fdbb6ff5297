import assert from 'node:assert/strict';
import test from 'node:test';
import { BrokerError } from '../../src/base/index.ts';
import { splitBatches } from '../../src/bytes/index.ts';
import type { IncomingRecord, OutgoingMessage, PublishGroup } from '../../src/broker/index.ts';
import { HeaderWriter, property } from '../../src/message/index.ts';
import { BrokerBed } from './broker-bed.ts';

const noHeaders = new Uint8Array(0);

function message(text: string, overrides: Partial<OutgoingMessage> = {}): OutgoingMessage {
  const body = Buffer.from(text);
  return {
    key: null,
    body: [body],
    bodyBytes: body.length,
    headers: noHeaders,
    headerCount: 0,
    timestampMs: 1_767_225_600_000,
    priority: undefined,
    expiresAtMs: undefined,
    deliverAtMs: undefined,
    groupId: undefined,
    dedupId: undefined,
    ...overrides,
  };
}

interface Publishing {
  group: PublishGroup;
  done: Promise<BrokerError | undefined>;
}

function open(bed: BrokerBed): Publishing {
  let finish: (error: BrokerError | undefined) => void;
  const done = new Promise<BrokerError | undefined>((resolve) => {
    finish = resolve;
  });
  return { group: bed.broker.publisher.open((_group, error) => finish(error)), done };
}

async function readAll(bed: BrokerBed, topic: string, partition = 0): Promise<IncomingRecord[]> {
  return bed.run(bed.broker.read(topic, partition, 0, 64 * 1024 * 1024));
}

test('what is added is stored as it was, in order', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t'));
  const { publisher } = bed.broker;
  const { group, done } = open(bed);
  const parts = [Buffer.from('three'), Buffer.from(''), Buffer.from(' parts')];
  publisher.add(group, topic, message('first', { key: Buffer.from('k') }));
  publisher.add(group, topic, message('', { body: [], bodyBytes: 0 }));
  publisher.add(group, topic, message('', { body: parts, bodyBytes: 11, timestampMs: 1 }));
  publisher.add(group, topic, message('', { body: [], bodyBytes: -1 }));
  // One header: a name and a value of one byte each, their lengths zigzag coded.
  const headers = Uint8Array.of(2, 0x61, 2, 0x62);
  publisher.add(group, topic, message('last', { headers, headerCount: 1 }));
  publisher.close(group);
  assert.equal(await bed.run(done), undefined);
  const records = await readAll(bed, 't');
  assert.deepEqual(
    records.map(({ value }) => value?.toString()),
    ['first', '', 'three parts', undefined, 'last'],
  );
  assert.equal(records[0]?.key?.toString(), 'k');
  assert.equal(records[2]?.timestampMs, 1);
  assert.deepEqual(
    records[4]?.headers.map(([name, value]) => [name, value?.toString()]),
    [['a', 'b']],
  );
});

test('what gathers until a chunk is built is one batch, and large ones are divided', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t'));
  const { publisher } = bed.broker;
  let batches = 0;
  const [partition] = topic.partitions;
  assert.ok(partition !== undefined);
  const append = partition.append.bind(partition);
  partition.append = (bytes, traits) => {
    batches++;
    return append(bytes, traits);
  };
  const small = open(bed);
  for (let index = 0; index < 1000; index++)
    publisher.add(small.group, topic, message(`m${index}`));
  publisher.close(small.group);
  await bed.run(small.done);
  assert.equal(batches, 1);
  const large = open(bed);
  for (let index = 0; index < 100; index++)
    publisher.add(large.group, topic, message('x'.repeat(10_000)));
  publisher.close(large.group);
  await bed.run(large.done);
  assert.equal(batches, 1 + 4);
  assert.equal((await readAll(bed, 't')).length, 1100);
});

test('a group is done when all its batches are durable, and never inside `close`', async () => {
  const bed = await BrokerBed.open({ shards: 3 });
  const topics = await bed.run(
    Promise.all(['a', 'b', 'c', 'd'].map((name) => bed.broker.createTopic(name))),
  );
  const { publisher } = bed.broker;
  const first = open(bed);
  const second = open(bed);
  for (const topic of topics) publisher.add(first.group, topic, message('1'));
  publisher.add(second.group, topics[0] as (typeof topics)[0], message('2'));
  let isDone = false;
  void first.done.then(() => (isDone = true));
  publisher.close(second.group);
  await bed.run(second.done);
  assert.equal(isDone, false);
  publisher.close(first.group);
  assert.equal(isDone, false);
  await bed.run(first.done);
  for (const { name } of topics) {
    const records = await readAll(bed, name);
    assert.equal(records[0]?.value?.toString(), '1');
  }
  const empty = open(bed);
  publisher.close(empty.group);
  assert.equal(await bed.run(empty.done), undefined);
});

test('a failure of one batch is the failure of its groups', async () => {
  const bed = await BrokerBed.open();
  const good = await bed.run(bed.broker.createTopic('good'));
  const bad = await bed.run(bed.broker.createTopic('bad', { options: { batchBytesMax: 1000 } }));
  const { publisher } = bed.broker;
  const mixed = open(bed);
  const well = open(bed);
  publisher.add(mixed.group, good, message('m'));
  publisher.add(well.group, good, message('m'));
  publisher.add(mixed.group, bad, message('x'.repeat(2000)));
  publisher.close(mixed.group);
  publisher.close(well.group);
  assert.equal((await bed.run(mixed.done))?.code, 'batch-too-large');
  assert.equal(await bed.run(well.done), undefined);
});

test('small limits of a topic divide batches', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t', { options: { batchBytesMax: 2000 } }));
  const { publisher } = bed.broker;
  const { group, done } = open(bed);
  for (let index = 0; index < 50; index++) publisher.add(group, topic, message('x'.repeat(300)));
  publisher.close(group);
  assert.equal(await bed.run(done), undefined);
  assert.equal((await readAll(bed, 't')).length, 50);
});

test('keys choose the partition as everywhere, and without one they take turns', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t', { partitions: 4 }));
  const { publisher } = bed.broker;
  const keys = Array.from({ length: 40 }, (_, index) => `key${index}`);
  const places = await bed.run(
    Promise.all(keys.map((key) => bed.broker.send('t', { key, value: 'sent' }))),
  );
  const { group, done } = open(bed);
  for (const key of keys)
    publisher.add(group, topic, message('published', { key: Buffer.from(key) }));
  publisher.close(group);
  await bed.run(done);
  const without = open(bed);
  for (let index = 0; index < 400; index++)
    publisher.add(without.group, topic, message('x'.repeat(1000)));
  publisher.close(without.group);
  await bed.run(without.done);
  for (let partition = 0; partition < 4; partition++) {
    const records = await readAll(bed, 't', partition);
    const published = records.filter(({ value }) => value?.toString() === 'published');
    assert.deepEqual(
      published.map(({ key }) => key?.toString()),
      keys.filter((_, index) => places[index]?.partition === partition),
    );
    assert.ok(records.some(({ key }) => key === null));
  }
});

test('nothing is published to a topic that was deleted', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t'));
  await bed.run(bed.broker.deleteTopic('t'));
  const { group, done } = open(bed);
  bed.broker.publisher.add(group, topic, message('m'));
  bed.broker.publisher.close(group);
  assert.equal((await bed.run(done))?.code, 'topic-not-found');
});

test('a full queue refuses, and a repeated message is stored once', async () => {
  const bed = await BrokerBed.open();
  const full = await bed.run(
    bed.broker.createQueue('full', { settings: { readyMax: 2, overflow: 'reject' } }),
  );
  await bed.run(full.send('one'));
  await bed.run(full.send('two'));
  await assert.rejects(bed.run(full.send('three')), { code: 'queue-full' });
  assert.deepEqual(await bed.drain(full), ['one', 'two']);
  await bed.run(full.send('four'));
  const once = await bed.run(
    bed.broker.createQueue('once', { settings: { dedupWindowMs: 60_000 } }),
  );
  assert.equal(await bed.run(once.send('m', { dedupId: 'a' })), 'stored');
  assert.equal(await bed.run(once.send('m', { dedupId: 'a' })), 'duplicate');
  assert.equal(await bed.run(once.send('m', { dedupId: 'b' })), 'stored');
  assert.equal(once.counts().ready, 2);
});

test('a repetition is told of no sooner than the first message is durable, and fails with it', async (t) => {
  const bed = await BrokerBed.open();
  await bed.run(bed.broker.createQueue('once', { settings: { dedupWindowMs: 60_000 } }));
  const topic = bed.broker.queues.find('', 'once')?.topic;
  assert.ok(topic !== undefined);
  const partition = topic.partitions[0];
  assert.ok(partition !== undefined);
  const { publisher } = bed.broker;
  const send = (dedupId: string): Publishing => {
    const publishing = open(bed);
    const writer = new HeaderWriter();
    writer.text(property.dedupId, dedupId);
    const headers = writer.finish();
    publisher.add(publishing.group, topic, message('m', { headers, headerCount: 1, dedupId }));
    publisher.close(publishing.group);
    return publishing;
  };
  for (const isFlushed of [false, true]) {
    const id = `a${isFlushed}`;
    send(id);
    // Its batch is open still, or on its way.
    if (isFlushed) publisher.flush();
    const before = partition.highWatermark;
    const { done } = send(id);
    let isTold = false;
    const told = done.then((error) => {
      isTold = true;
      assert.equal(error, undefined);
      assert.equal(partition.highWatermark, before + 1);
    });
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    assert.equal(isTold, false);
    await bed.run(told);
  }
  const refusal = new BrokerError('overloaded');
  t.mock.method(partition, 'append', () => Promise.reject(refusal));
  const first = send('b');
  const second = send('b');
  assert.equal((await bed.run(first.done))?.code, 'overloaded');
  assert.equal((await bed.run(second.done))?.code, 'overloaded');
});

test('what one queue took and another refused is no duplicate when it comes again', async () => {
  const bed = await BrokerBed.open();
  const settings = { dedupWindowMs: 60_000 };
  const first = await bed.run(bed.broker.createQueue('q', { settings }));
  const second = await bed.run(
    bed.broker.createQueue('q', {
      subscription: 's',
      settings: { ...settings, readyMax: 0, overflow: 'reject' },
    }),
  );
  await assert.rejects(bed.run(first.send('m', { dedupId: 'a' })), { code: 'queue-full' });
  await bed.run(second.configure({ readyMax: -1 }));
  assert.equal(await bed.run(first.send('m', { dedupId: 'a' })), 'stored');
  assert.deepEqual([first.counts().ready, second.counts().ready], [1, 1]);
});

test('what was not stored is no duplicate when it comes again', async (t) => {
  const bed = await BrokerBed.open();
  const settings = { dedupWindowMs: 60_000 };
  const once = await bed.run(bed.broker.createQueue('once', { settings }));
  const full = await bed.run(
    bed.broker.createQueue('full', { settings: { readyMax: 0, overflow: 'reject' } }),
  );
  const partition = bed.broker.queues.find('', 'once')?.topic.partitions[0];
  assert.ok(partition !== undefined);
  const refusal = new BrokerError('overloaded');
  const refusing = t.mock.method(partition, 'append', () => Promise.reject(refusal));
  await assert.rejects(bed.run(once.send('m', { dedupId: 'a' })), { code: 'overloaded' });
  refusing.mock.restore();
  assert.equal(await bed.run(once.send('m', { dedupId: 'a' })), 'stored');
  // A transaction that is refused for another queue.
  const send = (names: readonly string[]): Promise<void> => {
    const transaction = bed.broker.transactions.begin();
    const writer = new HeaderWriter();
    writer.text(property.dedupId, 'b');
    const headers = writer.finish();
    const sent = { headers, headerCount: 1, dedupId: 'b', timestampMs: bed.clock.nowMs() };
    for (const name of names) {
      const target = bed.broker.queues.find('', name)?.topic;
      assert.ok(target !== undefined);
      transaction.publish(target, message('t', sent));
    }
    return bed.run(transaction.commit());
  };
  await assert.rejects(send(['once', 'full']), { code: 'queue-full' });
  assert.deepEqual([once.counts().ready, full.counts().ready], [1, 0]);
  await send(['once']);
  assert.equal(once.counts().ready, 2);
  await send(['once']);
  assert.equal(once.counts().ready, 2);
});

test('memory of batches is not used again before they are stored', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t'));
  const { publisher } = bed.broker;
  const waiting: Array<Promise<unknown>> = [];
  const expected: string[] = [];
  for (let turn = 0; turn < 60; turn++) {
    const { group, done } = open(bed);
    for (let index = 0; index < (turn % 7) * 30 + 1; index++) {
      const text = `${turn}/${index}/${'y'.repeat((turn * 37) % 500)}`;
      expected.push(text);
      publisher.add(group, topic, message(text));
    }
    publisher.close(group);
    waiting.push(done);
    if (turn % 3 === 0) await bed.clock.runNext();
    else await Promise.resolve();
  }
  await bed.run(Promise.all(waiting));
  const records: IncomingRecord[] = [];
  while (records.length < expected.length) {
    const more = await bed.run(bed.broker.read('t', 0, records.length, 64 * 1024 * 1024));
    assert.ok(more.length > 0);
    records.push(...more);
  }
  assert.deepEqual(
    records.map(({ value }) => value?.toString()),
    expected,
  );
});

test('while a chunk is written the next batch grows, over any number of turns', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t'));
  const { publisher } = bed.broker;
  const all: Array<Promise<unknown>> = [];
  const publish = (text: string): void => {
    const { group, done } = open(bed);
    publisher.add(group, topic, message(text));
    publisher.close(group);
    all.push(done);
  };
  publish('first');
  await bed.clock.runNext();
  const expected = ['first'];
  for (let turn = 0; turn < 10; turn++) {
    publish(`later ${turn}`);
    expected.push(`later ${turn}`);
    await Promise.resolve();
  }
  await bed.run(Promise.all(all));
  const { slices } = (await bed.run(
    Promise.resolve(topic.partitions[0]?.read(0, { maxBytes: 100_000, minOneBatch: true })),
  )) ?? { slices: [] };
  assert.equal(slices.flatMap((slice) => splitBatches(slice)).length, 2);
  const records = await readAll(bed, 't');
  assert.deepEqual(
    records.map(({ value }) => value?.toString()),
    expected,
  );
});

test('while the storage fails publishing fails at once, and works again when it does', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t'));
  const { publisher } = bed.broker;
  const publish = (text: string): Promise<BrokerError | undefined> => {
    const { group, done } = open(bed);
    publisher.add(group, topic, message(text));
    publisher.close(group);
    return done;
  };
  bed.disk.capacityBytes = bed.disk.usedBytes;
  const inFlight = publish('x'.repeat(50_000));
  const behind = publish('behind');
  assert.equal((await bed.run(inFlight))?.code, 'storage-full');
  assert.equal((await bed.run(behind))?.code, 'storage-full');
  const startMs = bed.clock.nowMs();
  assert.equal((await bed.run(publish('refused')))?.code, 'storage-full');
  assert.equal(bed.clock.nowMs(), startMs);
  bed.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await bed.clock.runFor(5000);
  assert.equal(await bed.run(publish('stored')), undefined);
  const records = await readAll(bed, 't');
  assert.deepEqual(
    records.map(({ value }) => value?.toString()),
    ['stored'],
  );
});

test('what was added before the broker closes is stored; later it is refused', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t'));
  const { publisher } = bed.broker;
  const before = open(bed);
  publisher.add(before.group, topic, message('before'));
  publisher.close(before.group);
  const closing = bed.broker.close();
  assert.equal(await bed.run(before.done), undefined);
  await bed.run(closing);
  const after = open(bed);
  publisher.add(after.group, topic, message('after'));
  publisher.close(after.group);
  assert.equal((await bed.run(after.done))?.code, 'closed');
});

test('a message of a transaction stands behind what was published before it', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q'));
  const first = queue.send('first');
  const second = bed.broker.transaction((tx) => {
    tx.send('q', { value: 'second' });
  });
  await bed.run(Promise.all([first, second]));
  assert.deepEqual(await bed.drain(queue), ['first', 'second']);
});

test('a group that asks is told where each of its messages is, whatever stands between them', async () => {
  const bed = await BrokerBed.open();
  const topic = await bed.run(bed.broker.createTopic('t'));
  const { publisher } = bed.broker;
  const first = open(bed);
  const second = open(bed);
  first.group.places = [];
  publisher.add(first.group, topic, message('a'));
  publisher.add(second.group, topic, message('b'));
  publisher.add(first.group, topic, message('c'));
  // More than a batch takes.
  publisher.add(first.group, topic, message('d'.repeat(300_000)));
  publisher.close(first.group);
  publisher.close(second.group);
  await bed.run(Promise.all([first.done, second.done]));
  assert.deepEqual(first.group.places, [0, 0, 0, 2, 0, 3]);
  assert.equal(second.group.places, undefined);
});
