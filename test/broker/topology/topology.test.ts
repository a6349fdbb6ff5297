import assert from 'node:assert/strict';
import test from 'node:test';
import { bind, createFixture, exchange, facts, routeTo, unbind } from './fixture.ts';

test('the default exchange routes to the queue of the key, whenever it comes', () => {
  const { topology, destinations } = createFixture(['orders']);
  assert.deepEqual(routeTo(topology, '', 'orders'), ['orders']);
  assert.deepEqual(routeTo(topology, '', 'later'), []);
  destinations.add('later');
  assert.deepEqual(routeTo(topology, '', 'later'), ['later']);
  destinations.remove('orders');
  assert.deepEqual(routeTo(topology, '', 'orders'), []);
  assert.deepEqual(routeTo(topology, '', facts(['later', 'orders', 'later'])), ['later']);
});

test('built-in exchanges are there in every namespace and cannot be changed', async () => {
  const { topology } = createFixture(['q']);
  assert.equal(topology.list().length, 6, 'without being asked for');
  for (const namespace of ['', 'other']) {
    assert.deepEqual(
      topology.list(namespace).map(({ name, kind }) => [name, kind]),
      [
        ['', 'direct'],
        ['amq.direct', 'direct'],
        ['amq.fanout', 'fanout'],
        ['amq.headers', 'headers'],
        ['amq.match', 'headers'],
        ['amq.topic', 'topic'],
      ],
    );
  }
  await assert.rejects(topology.delete('', 'amq.topic'), { code: 'exchange-built-in' });
  await assert.rejects(topology.delete('', ''), { code: 'exchange-built-in' });
  await assert.rejects(bind(topology, '', 'q', 'q'), { code: 'exchange-built-in' });
  await assert.rejects(bind(topology, 'amq.direct', 'q', '', { kind: 'exchange' }), {
    code: 'exchange-built-in',
  });
});

test('what is missing is said', async () => {
  const { topology } = createFixture(['q']);
  await assert.rejects(bind(topology, 'none', 'k', 'q'), { code: 'exchange-not-found' });
  await assert.rejects(bind(topology, 'amq.direct', 'k', 'none'), { code: 'queue-not-found' });
  await assert.rejects(bind(topology, 'amq.direct', 'k', 'none', { kind: 'exchange' }), {
    code: 'exchange-not-found',
  });
  await assert.rejects(topology.delete('', 'none'), { code: 'exchange-not-found' });
  assert.equal(await unbind(topology, 'none', 'k', 'q'), false);
  assert.equal(await unbind(topology, 'amq.direct', 'k', 'q'), false);
});

test('an exchange that exists is answered as it is', async () => {
  const { topology } = createFixture();
  const first = await topology.declare(exchange('e', { kind: 'topic', arguments: { a: 1n } }));
  assert.equal(first.isNew, true);
  const second = await topology.declare(exchange('e', { kind: 'fanout' }));
  assert.equal(second.isNew, false);
  assert.equal(second.exchange, first.exchange);
  assert.equal(second.exchange.kind, 'topic');
  assert.deepEqual(second.exchange.arguments, { a: 1n });
});

test('the same key has the same answer until something changes', async () => {
  const { topology, destinations } = createFixture(['a', 'b']);
  await topology.declare(exchange('e', { kind: 'topic' }));
  await bind(topology, 'e', 'x.#', 'a');
  const found = topology.find('', 'e')!;
  const before = topology.version;
  const first = topology.route(found, facts('x.y'));
  assert.equal(topology.route(found, facts('x.y')), first);
  assert.equal(
    topology.route(found, facts(['x.y', 'z'])),
    topology.route(found, facts(['x.y', 'z'])),
  );
  assert.equal(topology.version, before);
  await bind(topology, 'e', '*.y', 'b');
  assert.ok(topology.version > before);
  assert.deepEqual(routeTo(topology, 'e', 'x.y'), ['a', 'b']);
  destinations.remove('a');
  assert.deepEqual(routeTo(topology, 'e', 'x.y'), ['b']);
  const fanout = topology.find('', 'amq.fanout')!;
  await bind(topology, 'amq.fanout', '', 'b');
  assert.equal(topology.route(fanout, facts('1')), topology.route(fanout, facts('2')));
});

test('bindings are told apart by destination, key and arguments', async () => {
  const { topology } = createFixture(['q']);
  assert.equal(await bind(topology, 'amq.direct', 'k', 'q'), true);
  assert.equal(await bind(topology, 'amq.direct', 'k', 'q'), false);
  assert.equal(await bind(topology, 'amq.direct', 'k', 'q', { arguments: { b: 1, a: 2 } }), true);
  assert.equal(await bind(topology, 'amq.direct', 'k', 'q', { arguments: { a: 2, b: 1 } }), false);
  assert.equal(topology.listBindings({ source: 'amq.direct' }).length, 2);
  assert.equal(await unbind(topology, 'amq.direct', 'k', 'q'), true);
  assert.deepEqual(routeTo(topology, 'amq.direct', 'k'), ['q']);
  assert.equal(await unbind(topology, 'amq.direct', 'k', 'q', { arguments: { b: 1, a: 2 } }), true);
  assert.deepEqual(routeTo(topology, 'amq.direct', 'k'), []);
});

test('exchanges that are bound in a circle route each message once', async () => {
  const { topology } = createFixture(['a', 'b']);
  for (const name of ['one', 'two', 'three'])
    await topology.declare(exchange(name, { kind: 'fanout' }));
  await bind(topology, 'one', '', 'two', { kind: 'exchange' });
  await bind(topology, 'two', '', 'three', { kind: 'exchange' });
  await bind(topology, 'three', '', 'one', { kind: 'exchange' });
  await bind(topology, 'one', '', 'one', { kind: 'exchange' });
  await bind(topology, 'two', '', 'a');
  await bind(topology, 'three', '', 'a');
  await bind(topology, 'three', '', 'b');
  for (const name of ['one', 'two', 'three']) {
    assert.deepEqual(routeTo(topology, name, 'k'), ['a', 'b']);
  }
});

test('the alternate gets what finds nothing, through alternates of alternates, and circles end', async () => {
  const { topology, destinations } = createFixture(['known', 'rest']);
  await topology.declare(exchange('first', { alternate: 'second' }));
  await topology.declare(exchange('second', { alternate: 'third' }));
  await bind(topology, 'first', 'known', 'known');
  assert.deepEqual(routeTo(topology, 'first', 'unknown'), []);
  await topology.declare(exchange('third', { kind: 'fanout', alternate: 'first' }));
  assert.deepEqual(routeTo(topology, 'first', 'unknown'), []);
  await bind(topology, 'third', '', 'rest');
  assert.deepEqual(routeTo(topology, 'first', 'unknown'), ['rest']);
  assert.deepEqual(routeTo(topology, 'first', 'known'), ['known']);
  destinations.remove('known');
  assert.deepEqual(routeTo(topology, 'first', 'known'), ['rest']);
});

test('who understands policies gives alternates to exchanges that were declared without one', async () => {
  const { topology } = createFixture(['rest', 'other']);
  await topology.declare(exchange('plain'));
  await topology.declare(exchange('own', { alternate: 'amq.topic' }));
  await bind(topology, 'amq.fanout', '', 'rest');
  await bind(topology, 'amq.topic', '#', 'other');
  assert.deepEqual(routeTo(topology, 'plain', 'k'), []);
  const source = {
    version: 0,
    name: 'amq.fanout' as string | undefined,
    findAlternate: (): string | undefined => source.name,
  };
  let before = topology.version;
  topology.useAlternates(source);
  assert.ok(topology.version > before);
  assert.deepEqual(routeTo(topology, 'plain', 'k'), ['rest']);
  assert.deepEqual(routeTo(topology, 'own', 'k'), ['other']);
  source.name = undefined;
  source.version = 7;
  assert.deepEqual(routeTo(topology, 'plain', 'k'), []);
  before = topology.version;
  topology.useAlternates({ version: 0, findAlternate: () => 'amq.topic' });
  assert.ok(topology.version > before);
  assert.deepEqual(routeTo(topology, 'plain', 'k'), ['other']);
});

test('an exchange that is bound to one which looks at headers is not remembered by key', async () => {
  const { topology } = createFixture(['q', 'r']);
  await topology.declare(exchange('front', { kind: 'direct' }));
  await bind(topology, 'front', 'k', 'amq.headers', { kind: 'exchange' });
  await bind(topology, 'amq.headers', '', 'q', { arguments: { type: 'a' } });
  await bind(topology, 'amq.match', '', 'r', { arguments: { 'x-match': 'any', type: 'a' } });
  assert.deepEqual(routeTo(topology, 'front', facts('k', { type: 'a' })), ['q']);
  assert.deepEqual(routeTo(topology, 'front', facts('k', { type: 'b' })), []);
  assert.deepEqual(routeTo(topology, 'front', facts('k', { type: 'a' })), ['q']);
  await assert.rejects(bind(topology, 'amq.match', '', 'r', { arguments: { 'x-match': 'some' } }), {
    code: 'filter-invalid',
  });
});

test('an exchange goes with its last binding where it was declared so', async () => {
  const { topology } = createFixture(['q']);
  await topology.declare(exchange('outer', { kind: 'fanout', isAutoDelete: true }));
  await topology.declare(exchange('inner', { kind: 'fanout', isAutoDelete: true }));
  await bind(topology, 'outer', '', 'inner', { kind: 'exchange' });
  await bind(topology, 'inner', '', 'q');
  await bind(topology, 'inner', 'again', 'q');
  assert.equal(await unbind(topology, 'inner', '', 'q'), true);
  assert.ok(topology.find('', 'inner'));
  assert.equal(await unbind(topology, 'inner', 'again', 'q'), true);
  assert.equal(topology.find('', 'inner'), undefined);
  assert.equal(topology.find('', 'outer'), undefined);
  assert.deepEqual(topology.listBindings({}), []);
});

test('what is in use stays where that is asked', async () => {
  const { topology } = createFixture(['q']);
  await topology.declare(exchange('e'));
  await bind(topology, 'e', 'k', 'q');
  await assert.rejects(topology.delete('', 'e', { ifUnused: true }), { code: 'exchange-in-use' });
  await unbind(topology, 'e', 'k', 'q');
  await topology.delete('', 'e', { ifUnused: true });
  assert.equal(topology.find('', 'e'), undefined);
});

test('a queue that goes takes its bindings, and exchanges that lived for them', async () => {
  const { topology, destinations } = createFixture(['q', 'other']);
  await topology.declare(exchange('e', { isAutoDelete: true }));
  await bind(topology, 'e', 'k', 'q');
  await bind(topology, 'amq.topic', '#', 'q');
  await bind(topology, 'amq.topic', '#', 'other');
  destinations.remove('q');
  await topology.forgetDestination('', 'q');
  assert.equal(topology.find('', 'e'), undefined);
  assert.deepEqual(
    topology.listBindings({}).map(({ destination }) => destination.name),
    ['other'],
  );
});

test('an exchange that was deleted and made again is the new one, also for who holds the old', async () => {
  const { topology } = createFixture(['q']);
  const { exchange: old } = await topology.declare(exchange('e'));
  await topology.delete('', 'e');
  assert.deepEqual(topology.route(old, facts('k')), []);
  await topology.declare(exchange('e', { kind: 'fanout' }));
  await bind(topology, 'e', '', 'q');
  assert.equal(topology.route(old, facts('k')).length, 1);
});

test('bindings are listed by source and by destination', async () => {
  const { topology } = createFixture(['a', 'b']);
  await topology.declare(exchange('e'));
  await bind(topology, 'e', '1', 'a');
  await bind(topology, 'amq.direct', '2', 'a');
  await bind(topology, 'amq.direct', '3', 'b', { arguments: { n: 1 } });
  const keys = (filter: Parameters<typeof topology.listBindings>[0]): string[] =>
    topology
      .listBindings(filter)
      .map(({ key }) => key)
      .toSorted();
  assert.deepEqual(keys({}), ['1', '2', '3']);
  assert.deepEqual(keys({ namespace: 'other' }), []);
  assert.deepEqual(keys({ source: 'amq.direct' }), ['2', '3']);
  assert.deepEqual(keys({ destination: { kind: 'queue', name: 'a' } }), ['1', '2']);
  assert.deepEqual(keys({ source: 'e', destination: { kind: 'queue', name: 'a' } }), ['1']);
  assert.deepEqual(topology.listBindings({ destination: { kind: 'queue', name: 'b' } }), [
    {
      namespace: '',
      source: 'amq.direct',
      destination: { kind: 'queue', name: 'b' },
      key: '3',
      arguments: { n: 1 },
    },
  ]);
});

test('a namespace goes with everything in it', async () => {
  const { topology, destinations } = createFixture();
  destinations.add('q', 'durable', 'n');
  topology.openNamespace('n');
  await topology.declare(exchange('e', { namespace: 'n' }));
  await bind(topology, 'e', 'k', 'q', { namespace: 'n' });
  assert.deepEqual(routeTo(topology, 'e', 'k', 'n'), ['q']);
  await topology.deleteNamespace('n');
  assert.equal(topology.find('n', 'e'), undefined);
  assert.deepEqual(topology.listBindings({ namespace: 'n' }), []);
  await assert.rejects(bind(topology, 'e', 'k', 'q', { namespace: 'n' }), {
    code: 'exchange-not-found',
  });
});

test('names, keys and arguments have a greatest size', async () => {
  const { topology } = createFixture(['q']);
  await assert.rejects(topology.declare(exchange('x'.repeat(256))), { code: 'config-invalid' });
  await assert.rejects(bind(topology, 'amq.direct', 'x'.repeat(4097), 'q'), {
    code: 'config-invalid',
  });
  await assert.rejects(
    bind(topology, 'amq.direct', 'k', 'q', { arguments: { big: 'x'.repeat(65_536) } }),
    { code: 'config-invalid' },
  );
  let deep: readonly unknown[] = [];
  for (let depth = 0; depth < 20; depth++) deep = [deep];
  await assert.rejects(
    bind(topology, 'amq.direct', 'k', 'q', { arguments: { deep: deep as [] } }),
    { code: 'config-invalid' },
  );
  assert.deepEqual(topology.listBindings({}), []);
});
