import assert from 'node:assert/strict';
import test from 'node:test';
import { Broker } from '../../../src/broker/index.ts';

test('a queue over a log that is declared while the one of its name is being deleted is another one, and stays', async (context) => {
  const broker = await Broker.open({ store: 'memory', tuning: { freeBytesMin: 0 } });
  context.after(() => broker.close());
  await broker.createTopic('log', { partitions: 2 });
  await broker.send('log', { value: 'first', partition: 0 });
  const request = { namespace: '', name: 'log', subscription: 'readers' };
  const { queue: first } = await broker.queues.declare(request);
  const ask = { count: 1, bytesMax: 1e6, leaseMs: undefined, isAutoSettled: true, waitMs: 0 };
  assert.equal((await first.acquire(ask)).length, 1);

  const deleting = broker.queues.delete(first);
  const { queue: second, isNew } = await broker.queues.declare(request);
  await deleting;
  assert.ok(isNew && second !== first);
  assert.equal(second.isDropped, false);
  assert.equal(first.isDropped, true);
  for (const part of second.parts)
    assert.equal(broker.queues.find('', 'log', 'readers')?.parts.includes(part), true);
  const [message] = await second.acquire(ask);
  assert.equal(message?.offset, 0, 'it begins where the log does');
  assert.equal(message?.deliveries, 1);
});
