import assert from 'node:assert/strict';
import test from 'node:test';
import type { Broker } from '../../../src/broker/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { BrokerBed } from '../broker-bed.ts';
import { bind, exchange, routeTo, unbind } from './fixture.ts';

/** What is given to the broker as a promise runs on the bed's clock. */
async function declareQueue(bed: BrokerBed, name: string): Promise<void> {
  await bed.run(bed.broker.queues.declare({ namespace: '', name }));
}

function names(broker: Broker): string[] {
  return broker.exchanges
    .listBindings({})
    .map(({ source, key, destination }) => `${source} ${key} ${destination.name}`)
    .toSorted();
}

test('exchanges and bindings outlive the loss of power once they were answered', async () => {
  const bed = await BrokerBed.open();
  await declareQueue(bed, 'orders');
  await bed.run(bed.broker.topics.create({ name: 'log' }));
  await bed.run(bed.broker.exchanges.declare(exchange('events', { kind: 'topic' })));
  assert.equal(await bed.run(bind(bed.broker.exchanges, 'events', 'order.#', 'orders')), true);
  await bed.run(bind(bed.broker.exchanges, 'events', '#', 'log'));
  await bed.run(bind(bed.broker.exchanges, 'amq.fanout', '', 'events', { kind: 'exchange' }));
  for (let round = 0; round < 2; round++) {
    await bed.crash();
    const { exchanges } = bed.broker;
    assert.equal(exchanges.find('', 'events')?.kind, 'topic');
    assert.deepEqual(routeTo(exchanges, 'events', 'order.new'), ['log', 'orders']);
    assert.deepEqual(routeTo(exchanges, 'amq.fanout', 'x'), ['log']);
    assert.deepEqual(routeTo(exchanges, '', 'orders'), ['orders']);
  }
  await bed.run(bed.broker.close());
});

test('whenever the power goes, what was answered is there and what is there is whole', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const bed = await BrokerBed.open({}, seed);
    const random = new SeededRandom(seed);
    await declareQueue(bed, 'q');
    const answered = new Set<string>();
    const gone = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const { exchanges } = bed.broker;
      const work = Array.from({ length: 40 }, async (_, index) => {
        const key = `${round}.${index}`;
        const source = `e${index % 4}`;
        await exchanges.declare(exchange(source, { kind: 'topic' }));
        await bind(exchanges, source, key, 'q');
        answered.add(`${source} ${key} q`);
        if (random.chance(0.8)) return;
        answered.delete(`${source} ${key} q`);
        await unbind(exchanges, source, key, 'q');
        gone.add(`${source} ${key} q`);
      });
      const lucky = work.filter(() => random.chance(0.3));
      await bed.run(Promise.race(lucky.length === 0 ? work : lucky));
      await bed.crash();
      const found = new Set(names(bed.broker));
      for (const binding of answered) assert.ok(found.has(binding), `seed ${seed}: ${binding}`);
      for (const binding of gone) assert.ok(!found.has(binding), `seed ${seed}: ${binding}`);
      for (const binding of found) {
        const [source = '', key = ''] = binding.split(' ');
        assert.deepEqual(routeTo(bed.broker.exchanges, source, key), ['q']);
        answered.add(binding);
      }
    }
    await bed.run(bed.broker.close());
  }
});

test('queues and topics that are deleted are bound no more', async () => {
  const bed = await BrokerBed.open();
  await declareQueue(bed, 'q');
  await bed.run(bed.broker.topics.create({ name: 'log' }));
  await bed.run(bed.broker.topics.create({ name: 'both' }));
  await declareQueue(bed, 'both');
  for (const name of ['q', 'log', 'both']) {
    await bed.run(bind(bed.broker.exchanges, 'amq.topic', name, name));
  }
  await bed.run(bed.broker.queues.delete(bed.broker.queues.find('', 'q')!));
  assert.deepEqual(names(bed.broker), ['amq.topic both both', 'amq.topic log log']);
  await bed.run(bed.broker.topics.delete('log'));
  assert.deepEqual(names(bed.broker), ['amq.topic both both']);
  // The topic is still there, but what was bound was the queue.
  await bed.run(bed.broker.queues.delete(bed.broker.queues.find('', 'both')!));
  assert.ok(bed.broker.topics.find('both'));
  assert.deepEqual(names(bed.broker), []);
  await bed.crash();
  assert.deepEqual(names(bed.broker), []);
  await bed.run(bed.broker.close());
});

test('temporary queues take their bindings with them when the broker ends', async () => {
  const bed = await BrokerBed.open();
  const { queues, exchanges } = bed.broker;
  await bed.run(queues.declare({ namespace: '', name: 'replies', lifetime: 'temporary' }));
  await bed.run(bind(exchanges, 'amq.direct', 'r', 'replies'));
  assert.deepEqual(routeTo(exchanges, 'amq.direct', 'r'), ['replies']);
  await bed.crash();
  assert.deepEqual(names(bed.broker), []);
  await bed.run(bed.broker.close());
});

test('a queue delivers what its filter matches and settles the rest', async () => {
  const bed = await BrokerBed.open();
  const queue = bed.broker.queue('big');
  const filter = { language: 'selector', text: "size > 10 AND kind LIKE 'a%'" };
  const declare = (name: string, text: string): Promise<unknown> =>
    bed.run(
      bed.broker.queues.declare({ namespace: '', name, settings: { filter: { ...filter, text } } }),
    );
  await declare('big', filter.text);
  await assert.rejects(declare('wrong', 'size >'), { code: 'filter-invalid' });
  assert.equal(bed.broker.queues.find('', 'wrong'), undefined);
  for (const [body, size, kind] of [
    ['small', 5, 'a'],
    ['first', 11, 'ab'],
    ['other', 12, 'b'],
    ['second', 13, 'a'],
  ] as const) {
    await bed.run(queue.send(body, { headers: { size, kind } }));
  }
  assert.deepEqual(await bed.drain(queue), ['first', 'second']);
  const { ready, leased } = bed.broker.queues.find('', 'big')!.counts();
  assert.deepEqual([ready, leased], [0, 0]);
  await bed.crash();
  assert.deepEqual(await bed.drain(bed.broker.queue('big')), []);
  await bed.run(bed.broker.close());
});
