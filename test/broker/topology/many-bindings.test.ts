import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Topic } from '../../../src/broker/index.ts';
import { BindingBlocks } from '../../../src/broker/topology/binding-blocks.ts';
import {
  BindingState,
  ExchangeState,
  QueueTarget,
} from '../../../src/broker/topology/exchange-state.ts';
import { RememberedRoutes, RouteCache } from '../../../src/broker/topology/route-cache.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { bind, createFixture, exchange, routeTo } from './fixture.ts';

const count = 100_000;

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

test('100,000 bindings take less than 1 KiB each, and a snapshot holds them', async () => {
  const fixture = createFixture();
  const { topology, destinations } = fixture;
  for (let index = 0; index < 1000; index++) destinations.add(`queue-${index}`);
  await topology.declare(exchange('devices', { kind: 'topic' }));
  fixture.journal.entries.length = 0;
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < count; index++) {
    await bind(
      topology,
      'devices',
      `region.${index % 50}.device.${index}.*`,
      `queue-${index % 1000}`,
    );
    // The journal of this test keeps nothing.
    fixture.journal.entries.length = 0;
  }
  collectGarbage();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  assert.ok(bytes < 1024, `${bytes} bytes each`);
  assert.deepEqual(routeTo(topology, 'devices', 'region.17.device.4217.alarm'), ['queue-217']);
  assert.deepEqual(routeTo(topology, 'devices', 'region.18.device.4217.alarm'), []);

  const second = topology.encode();
  const again = createFixture();
  again.topology.restore(second);
  assert.equal(again.topology.listBindings({}).length, count);
});

test('a snapshot encodes again only the blocks in which something changed', () => {
  const blocks = new BindingBlocks();
  const bindings = Array.from({ length: 5000 }, (_, index) => createBinding(`${index}`));
  for (const binding of bindings) blocks.add(binding);
  const first = blocks.encode();
  assert.equal(first.length, Math.ceil(5000 / 512));
  assert.deepEqual(blocks.encode(), first);
  blocks.remove(bindings[700]!);
  blocks.add(createBinding('new'));
  const second = blocks.encode();
  const changed = second.filter((block) => !first.includes(block));
  assert.ok(changed.length <= 2, String(changed.length));
  const keys = second.flatMap((block) =>
    (JSON.parse(Buffer.from(block).toString()) as string[][]).map(([, , key]) => key),
  );
  assert.equal(blocks.count, 5000);
  const expected = bindings.filter((_, index) => index !== 700).map(({ key }) => key);
  assert.equal(keys.length, 5000);
  assert.deepEqual(new Set(keys), new Set([...expected, 'new']));
  for (const binding of bindings) blocks.remove(binding);
  assert.equal(blocks.encode().length, 1);
});

function createBinding(key: string): BindingState {
  const state = new ExchangeState(exchange('e'), new SeededRandom(1), false);
  const target = new QueueTarget('', 'q');
  const text = JSON.stringify(['q', 'q', key]);
  return new BindingState({ exchange: state, target, key, arguments: {}, text, isDurable: true });
}

test('the memory for remembered routes has a bound', () => {
  const cache = new RouteCache(100_000);
  const routes = new RememberedRoutes();
  const topics: readonly Topic[] = [];
  for (let index = 0; index < 5000; index++) {
    cache.remember(routes, [`key-${index}`], true, topics);
    assert.equal(cache.find(routes, [`key-${index}`], -1), topics);
    assert.ok(cache.bytes <= 100_000);
  }
  assert.equal(cache.find(routes, ['key-0'], -1), undefined);
  cache.remember(routes, ['x'.repeat(60_000)], true, topics);
  assert.ok(cache.bytes <= 100_000);
  // Keys that are put together alike are told apart.
  cache.remember(routes, ['a', 'b'], true, topics);
  assert.equal(cache.find(routes, ['a', 'b'], -1), topics);
  assert.equal(cache.find(routes, ['a,b'], -1), undefined);
  assert.equal(cache.find(routes, ['', 'ab'], -1), undefined);
  assert.equal(cache.find(routes, ['a', 'b'], 0), undefined);
  assert.equal(cache.bytes, 0);
});
