import assert from 'node:assert/strict';
import test from 'node:test';
import { limits } from '../../../src/base/index.ts';
import type { DeclareQueueRequest, Queue } from '../../../src/broker/index.ts';
import { SharedValues } from '../../../src/broker/shared-values.ts';
import type { QueueConsumer } from '../../../src/shard/index.ts';
import { BrokerBed } from '../broker-bed.ts';

async function declare(
  bed: BrokerBed,
  name: string,
  request: Partial<DeclareQueueRequest> = {},
): Promise<Queue> {
  const { queue } = await bed.run(bed.broker.queues.declare({ namespace: '', ...request, name }));
  return queue;
}

function consumer(overrides: Partial<QueueConsumer> = {}): QueueConsumer {
  return {
    priority: 0,
    isAutoSettled: false,
    leaseMs: -1,
    wants: () => true,
    take: () => undefined,
    detached: () => undefined,
    ...overrides,
  };
}

const namesOf = (queues: readonly Queue[]): string[] =>
  queues.map(({ namespace, name, subscription }) => `${namespace}/${name}/${subscription}`);

test('a queue is there after a crash, with everything that was said of it', async () => {
  const bed = await BrokerBed.open();
  const deadLetter = { exchange: 'x', key: 'k' };
  await declare(bed, 'mails', {
    partitions: 2,
    settings: { failuresMax: 3, deadLetter },
    form: { priorityMax: 5 },
    isAutoDelete: true,
    idleExpiryMs: 60_000,
    attributes: { kind: 'special' },
  });
  await bed.crash();
  const queue = bed.broker.queues.find('', 'mails');
  assert.ok(queue !== undefined);
  assert.equal(queue.parts.length, 2);
  assert.equal(queue.settings.failuresMax, 3);
  assert.deepEqual(queue.settings.deadLetter, deadLetter);
  assert.equal(queue.settings.overflow, 'drop-head');
  assert.equal(queue.form.priorityMax, 5);
  assert.equal(queue.isAutoDelete, true);
  assert.equal(queue.idleExpiryMs, 60_000);
  assert.deepEqual(queue.attributes, { kind: 'special' });
  assert.equal(queue.topic.retention, 'until-settled');
});

test('declaring again answers the queue as it is; several at once make it once', async () => {
  const bed = await BrokerBed.open();
  const { queues } = bed.broker;
  const request = { namespace: '', name: 'q', settings: { readyMax: 5 } };
  const all = await bed.run(
    Promise.all([
      queues.declare(request),
      queues.declare({ ...request, settings: { readyMax: 7 } }),
      queues.declare(request),
    ]),
  );
  assert.deepEqual(
    all.map(({ isNew }) => isNew),
    [true, false, false],
  );
  assert.equal(new Set(all.map(({ queue }) => queue)).size, 1);
  assert.equal(all[1]?.queue.settings.readyMax, 5);
});

test('a declaration waits for one durable write', async () => {
  let commits = 0;
  const observed = await BrokerBed.open({ observer: { committed: () => commits++ } });
  commits = 0;
  await declare(observed, 'q');
  assert.equal(commits, 1);
});

test('nobody finds a queue before it is durable', async () => {
  const bed = await BrokerBed.open();
  const declaring = bed.broker.queues.declare({ namespace: '', name: 'q' });
  assert.equal(bed.broker.queues.find('', 'q'), undefined);
  assert.deepEqual(bed.broker.queues.list(), []);
  assert.equal(bed.broker.findTopic('q'), undefined);
  await bed.run(declaring);
  assert.ok(bed.broker.queues.find('', 'q') !== undefined);
  assert.ok(bed.broker.findTopic('q') !== undefined);
});

test('namespaces keep names apart, and lists are in order', async () => {
  const bed = await BrokerBed.open();
  await declare(bed, 'b');
  await declare(bed, 'a');
  await declare(bed, 'a', { namespace: 'östlich/1' });
  await declare(bed, 'a', { subscription: 's' });
  const { queues, topics } = bed.broker;
  assert.deepEqual(namesOf(queues.list()), ['/a/', '/a/s', '/b/', 'östlich/1/a/']);
  assert.deepEqual(namesOf(queues.list('östlich/1')), ['östlich/1/a/']);
  assert.deepEqual(
    topics.list().map(({ name }) => name),
    ['a', 'b'],
  );
  assert.notEqual(topics.find('a'), topics.find('a', 'östlich/1'));
});

test('names are text of 1 to 255 bytes', async () => {
  const bed = await BrokerBed.open();
  const rejected = { code: 'topic-name-invalid' };
  await declare(bed, 'with space / and ümlaut');
  await declare(bed, 'ü'.repeat(127));
  await assert.rejects(declare(bed, ''), rejected);
  await assert.rejects(declare(bed, 'ü'.repeat(128)), rejected);
  await assert.rejects(declare(bed, '\ud800'), rejected);
  await assert.rejects(declare(bed, 'q', { namespace: 'n'.repeat(256) }), rejected);
});

for (const [settings, form] of [
  [{ failuresMax: -2 }, {}],
  [{ retryDelayFactor: 0.5 }, {}],
  [{ readyMax: 1.5 }, {}],
  [{ overflow: 'drop-tail' as 'reject' }, {}],
  [{}, { priorityMax: -1 }],
  [{}, { priorityMax: 65_536 }],
  [{}, { priorityDefault: 3 }],
  [{}, { isGrouped: true, isFair: true }],
] as const) {
  test(`${JSON.stringify({ ...settings, ...form })} is refused`, async () => {
    const bed = await BrokerBed.open();
    await assert.rejects(declare(bed, 'q', { settings, form }), { code: 'config-invalid' });
    assert.equal(bed.broker.findTopic('q'), undefined);
  });
}

test('a queue over a log begins at its start or at its end, and leaves its retention alone', async () => {
  const bed = await BrokerBed.open();
  const { broker } = bed;
  await bed.run(broker.createTopic('log', { partitions: 2 }));
  await bed.run(broker.send('log', { value: 'old', partition: 1 }));
  const all = await declare(bed, 'log');
  const late = await declare(bed, 'log', { subscription: 'late', from: 'latest' });
  await bed.run(broker.send('log', { value: 'new', partition: 0 }));
  assert.equal(all.topic.retention, 'by-limits');
  assert.equal(all.counts().ready, 2);
  assert.equal(late.counts().ready, 1);
  await bed.run(broker.queues.delete(all));
  await bed.run(broker.queues.delete(late));
  assert.ok(broker.findTopic('log') !== undefined);
  assert.deepEqual(namesOf(broker.queues.list()), []);
});

test('subscriptions of one topic are independent; the topic goes with the last', async () => {
  const bed = await BrokerBed.open();
  const first = await declare(bed, 'q');
  const second = await declare(bed, 'q', { subscription: 'audit' });
  await bed.run(bed.broker.queue('q').send('m'));
  const audit = bed.broker.queue('q', { subscription: 'audit' });
  assert.deepEqual(await bed.drain(audit), ['m']);
  assert.equal(first.counts().ready, 1);
  assert.equal(await bed.run(bed.broker.queues.delete(first)), 1);
  assert.ok(bed.broker.findTopic('q') !== undefined);
  await bed.crash();
  assert.deepEqual(namesOf(bed.broker.queues.list()), ['/q/audit']);
  const again = bed.broker.queues.find('', 'q', 'audit');
  assert.ok(again !== undefined && !second.isDropped);
  await bed.run(bed.broker.queues.delete(again));
  assert.equal(bed.broker.findTopic('q'), undefined);
});

test('deleting tells consumers, keeps its conditions, and is for good', async () => {
  const bed = await BrokerBed.open();
  const { queues } = bed.broker;
  const queue = await declare(bed, 'q');
  const reasons: string[] = [];
  const used = consumer({ wants: () => false, detached: (reason) => reasons.push(reason) });
  queue.attach(used);
  await assert.rejects(queues.delete(queue, { ifUnused: true }), { code: 'queue-in-use' });
  await bed.run(bed.broker.queue('q').send('m'));
  await assert.rejects(queues.delete(queue, { ifEmpty: true }), { code: 'queue-not-empty' });
  assert.equal(await bed.run(queues.delete(queue)), 1);
  assert.deepEqual(reasons, ['deleted']);
  assert.equal(queue.isDropped, true);
  await assert.rejects(queues.delete(queue), { code: 'queue-not-found' });
  await bed.crash();
  assert.equal(bed.broker.queues.find('', 'q'), undefined);
  assert.equal(bed.broker.findTopic('q'), undefined);
});

test('deleting the topic deletes its queues', async () => {
  const bed = await BrokerBed.open();
  const queue = await declare(bed, 'q', { partitions: 3 });
  const reasons: string[] = [];
  queue.attach(consumer({ detached: (reason) => reasons.push(reason) }));
  await bed.run(bed.broker.deleteTopic('q'));
  assert.equal(queue.isDropped, true);
  assert.deepEqual(reasons, ['deleted']);
  assert.deepEqual(bed.broker.queues.list(), []);
});

test('new partitions become part of the queue, and its consumers get their messages', async () => {
  const bed = await BrokerBed.open();
  const queue = await declare(bed, 'q');
  const taken: number[] = [];
  const reader = consumer({
    take: (_message, _lease, part) => void taken.push(part.partition.index),
  });
  queue.attach(reader);
  await bed.run(bed.broker.topics.setPartitionCount('q', 3));
  assert.equal(queue.parts.length, 3);
  for (let partition = 0; partition < 3; partition++)
    await bed.run(bed.broker.send('q', { value: 'm', partition }));
  await bed.clock.runFor(10);
  assert.deepEqual(
    taken.toSorted((a, b) => a - b),
    [0, 1, 2],
  );
  queue.detach(reader, 'return');
  assert.equal(queue.counts().ready, 3);
  assert.equal(queue.counts().consumers, 0);
});

test('temporary and exclusive queues are gone after a restart', async () => {
  const bed = await BrokerBed.open();
  await declare(bed, 'kept');
  await declare(bed, 'temporary', { lifetime: 'temporary' });
  await declare(bed, 'exclusive', { exclusiveOwner: {} });
  await bed.run(bed.broker.createTopic('log'));
  await declare(bed, 'log', { subscription: 'temporary', lifetime: 'temporary' });
  await bed.run(bed.broker.queue('temporary').send('m'));
  await bed.crash();
  assert.deepEqual(namesOf(bed.broker.queues.list()), ['/kept/']);
  assert.deepEqual(
    bed.broker.listTopics().map(({ name }) => name),
    ['kept', 'log'],
  );
});

test('exclusive queues go with their owner', async () => {
  const bed = await BrokerBed.open();
  const owner = {};
  const queue = await declare(bed, 'mine', { exclusiveOwner: owner, lifetime: 'temporary' });
  await declare(bed, 'other', { exclusiveOwner: {} });
  assert.equal(queue.exclusiveOwner, owner);
  await bed.run(bed.broker.queues.releaseExclusive(owner));
  assert.deepEqual(namesOf(bed.broker.queues.list()), ['/other/']);
});

test('an auto-delete queue goes with its last consumer', async () => {
  const bed = await BrokerBed.open();
  const queue = await declare(bed, 'q', { isAutoDelete: true });
  const first = consumer();
  const second = consumer();
  queue.attach(first);
  queue.attach(second);
  queue.detach(first, 'return');
  await bed.clock.runFor(10);
  assert.equal(queue.isDropped, false);
  queue.detach(second, 'return');
  await bed.clock.runFor(10);
  assert.equal(queue.isDropped, true);
  assert.equal(bed.broker.findTopic('q'), undefined);
});

test('a consumer of one part alone gets nothing of the others, and counts as one of the queue', async () => {
  const bed = await BrokerBed.open();
  const queue = await declare(bed, 'q', { partitions: 2, isAutoDelete: true });
  const [first, second] = queue.parts;
  assert.ok(first !== undefined && second !== undefined);
  const from: number[] = [];
  const one = consumer({ take: (_message, _lease, part) => from.push(part.partition.index) });
  queue.attach(one, second);
  for (const value of ['a', 'b', 'c', 'd'])
    for (const partition of [0, 1]) await bed.run(bed.broker.send('q', { value, partition }));
  await bed.clock.runFor(10);
  assert.deepEqual(from, [1, 1, 1, 1]);
  assert.equal(queue.counts().consumers, 1);
  assert.deepEqual([first.counts().ready, second.counts().leased], [4, 4]);
  queue.detach(one, 'return');
  await bed.clock.runFor(10);
  assert.equal(queue.isDropped, true);
});

test('an idle queue expires; consumers, pulls and declarations keep it', async () => {
  const bed = await BrokerBed.open();
  const queue = await declare(bed, 'q', { idleExpiryMs: 1000 });
  await declare(bed, 'other', { idleExpiryMs: 1500 });
  await bed.clock.runFor(900);
  await declare(bed, 'q');
  await bed.clock.runFor(900);
  await bed.run(bed.broker.queue('q').receive());
  await bed.clock.runFor(900);
  assert.deepEqual(namesOf(bed.broker.queues.list()), ['/q/']);
  const used = consumer();
  queue.attach(used);
  await bed.clock.runFor(5000);
  assert.equal(queue.isDropped, false);
  queue.detach(used, 'return');
  await bed.clock.runFor(900);
  assert.equal(queue.isDropped, false);
  await bed.clock.runFor(200);
  assert.equal(queue.isDropped, true);
});

test('settings change while a queue is used, and outlive a crash; undefined goes back to the default', async () => {
  const bed = await BrokerBed.open();
  const queue = await declare(bed, 'q', { settings: { readyMax: 5, failuresMax: 2 } });
  const { queues } = bed.broker;
  await bed.run(
    queues.configure(queue, {
      settings: { readyMax: undefined as unknown as number, leaseMs: 100 },
      attributes: { a: 'b' },
    }),
  );
  for (const one of [queue, queue.parts[0]]) {
    assert.equal(one?.settings.readyMax, -1);
    assert.equal(one?.settings.failuresMax, 2);
    assert.equal(one?.settings.leaseMs, 100);
  }
  await bed.crash();
  const again = bed.broker.queues.find('', 'q');
  assert.equal(again?.settings.readyMax, -1);
  assert.equal(again?.settings.leaseMs, 100);
  assert.deepEqual(again?.attributes, { a: 'b' });
});

test('who watches is told what comes, changes and goes', async () => {
  const bed = await BrokerBed.open();
  const { queues } = bed.broker;
  const seen: string[] = [];
  const stop = queues.watch(({ kind, queue }) => seen.push(`${kind} ${queue.name}`));
  const queue = await declare(bed, 'q');
  await declare(bed, 'q');
  await bed.run(queues.configure(queue, { settings: { leaseMs: 5 } }));
  await bed.run(queues.delete(queue));
  stop();
  await declare(bed, 'other');
  assert.deepEqual(seen, ['created q', 'changed q', 'deleted q']);
});

test('a queue is the same object after its storage failed and recovered', async () => {
  const bed = await BrokerBed.open();
  const queue = await declare(bed, 'q');
  await bed.run(bed.broker.queue('q').send('before'));
  const reasons: string[] = [];
  queue.attach(consumer({ wants: () => false, detached: (reason) => reasons.push(reason) }));
  bed.disk.capacityBytes = bed.disk.usedBytes;
  const refused = bed.broker.queue('q').send('x'.repeat(5000));
  await assert.rejects(bed.run(refused), { code: 'storage-full' });
  bed.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await bed.clock.runFor(5000);
  assert.equal(bed.broker.queues.find('', 'q'), queue);
  assert.equal(queue.isDropped, false);
  assert.deepEqual(reasons, ['failed']);
  assert.deepEqual(await bed.drain(bed.broker.queue('q')), ['before']);
});

test('a failure of one shard ends the consumers of its queues, and no others', async () => {
  const bed = await BrokerBed.open({ shards: 2 });
  const told: string[] = [];
  const queues = new Map<string, Queue>();
  const consumers = new Map<string, QueueConsumer>();
  for (let index = 0; index < 8; index++) {
    const name = `q${index}`;
    const queue = await declare(bed, name, index === 7 ? { partitions: 8 } : {});
    const one = consumer({ wants: () => false, detached: () => told.push(name) });
    queue.attach(one);
    queues.set(name, queue);
    consumers.set(name, one);
  }
  // A file that cannot be written fails the shard that wants to write it.
  bed.disk.capacityBytes = bed.disk.usedBytes;
  await assert.rejects(bed.run(bed.broker.queue('q0').send('x'.repeat(50_000))));
  bed.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await bed.clock.runFor(5000);
  assert.ok(told.includes('q0') && told.includes('q7'), told.join());
  assert.ok(told.length < 8, told.join());
  assert.equal(new Set(told).size, told.length);
  for (const [name, queue] of queues) {
    assert.equal(queue.counts().consumers, told.includes(name) ? 0 : 1, name);
    const one = consumers.get(name);
    if (one !== undefined) queue.detach(one, 'return');
    assert.equal(queue.counts().consumers, 0, name);
    assert.equal(
      queue.parts.reduce((sum, part) => sum + part.counts().consumers, 0),
      0,
      name,
    );
  }
});

test('settled messages are given out again from a time on, as far as they are kept', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(
    bed.broker.createQueue('q', { settings: { keepSettledMs: 3_600_000 } }),
  );
  await bed.run(queue.send('one'));
  await bed.clock.runFor(1000);
  const middle = bed.clock.nowMs();
  await bed.run(queue.send('two'));
  await bed.run(queue.send('three'));
  assert.deepEqual(await bed.drain(queue), ['one', 'two', 'three']);
  assert.deepEqual(await bed.drain(queue), []);
  await bed.run(queue.rewind(middle));
  assert.deepEqual(await bed.drain(queue), ['two', 'three']);
  await bed.run(queue.rewind({ offsets: new Map([[0, 0]]) }));
  assert.deepEqual(await bed.drain(queue), ['one', 'two', 'three']);
});

test('one queue gives out messages of several partitions, up to what is asked for', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q', { partitions: 4 }));
  const texts = Array.from({ length: 20 }, (_, index) => `m${index}`);
  await bed.run(Promise.all(texts.map((text) => queue.send(text, { key: text }))));
  assert.equal(queue.counts().ready, 20);
  const some = await bed.drain(queue, 7);
  assert.equal(some.length, 7);
  const rest = await bed.drain(queue, 100);
  assert.deepEqual([...some, ...rest].toSorted(), texts.toSorted());
  const waiting = queue.receive({ max: 5, waitMs: 10_000 });
  await bed.run(queue.send('late', { key: 'late' }));
  const late = await bed.run(waiting);
  assert.deepEqual(
    late.map(({ text }) => text),
    ['late'],
  );
  assert.deepEqual(await bed.run(queue.receive({ waitMs: 50 })), []);
});

test('queues live on any number of shards', async () => {
  const bed = await BrokerBed.open({ shards: 3 });
  for (let index = 0; index < 12; index++) await declare(bed, `q${index}`, { partitions: 2 });
  for (let index = 0; index < 12; index++) await bed.run(bed.broker.queue(`q${index}`).send('m'));
  await bed.crash();
  for (let index = 0; index < 12; index++)
    assert.deepEqual(await bed.drain(bed.broker.queue(`q${index}`)), ['m']);
});

test('there is room for a hundred thousand queues', () => {
  assert.ok(limits.queuePartsMax >= 100_000 && limits.partitionsMax >= 100_000);
});

function alike(): Partial<DeclareQueueRequest> {
  return {
    settings: { failuresMax: 3, deadLetter: { exchange: 'x', key: undefined } },
    form: { priorityMax: 5 },
    attributes: { kind: 'special', level: '2' },
  };
}

test('queues that say the same share it, also after a restart, and one that changes leaves the others as they are', async () => {
  const bed = await BrokerBed.open();
  for (const name of ['a', 'b', 'c']) await declare(bed, name, alike());
  await declare(bed, 'other', { settings: { failuresMax: 4 } });
  const get = (name: string): Queue => {
    const queue = bed.broker.queues.find('', name);
    assert.ok(queue !== undefined);
    return queue;
  };
  for (const round of ['declared', 'restarted']) {
    const [a, b] = [get('a'), get('b')];
    for (const part of ['settings', 'form', 'attributes'] as const) {
      assert.equal(a[part], b[part], `${part} when ${round}`);
      assert.ok(Object.isFrozen(a[part]));
    }
    assert.equal(get('other').settings.failuresMax, 4);
    await bed.run(
      bed.broker.queues.configure(a, { settings: { failuresMax: 9 }, attributes: { kind: 'new' } }),
    );
    assert.deepEqual([a.settings.failuresMax, a.attributes['kind']], [9, 'new']);
    assert.deepEqual([b.settings.failuresMax, b.attributes['kind']], [3, 'special']);
    await bed.run(
      bed.broker.queues.configure(a, {
        settings: { failuresMax: 3 },
        attributes: { kind: 'special' },
      }),
    );
    await bed.crash();
  }
});

test('many different settings are kept apart, however many are shared', () => {
  const shared = new SharedValues();
  const values = Array.from({ length: limits.sharedValuesMax * 2 + 10 }, (_, readyMax) => ({
    readyMax,
  }));
  for (const value of values) assert.equal(shared.share(value), value);
  assert.deepEqual(values[17], { readyMax: 17 });
  const [last] = values.slice(-1);
  assert.equal(shared.share({ readyMax: last?.readyMax }), last);
  assert.notEqual(shared.share({ readyMax: undefined }), shared.share({}));
});
