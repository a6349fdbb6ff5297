import assert from 'node:assert/strict';
import test from 'node:test';
import type { Binding, Exchange } from '../../../src/broker/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { bind, createFixture, exchange, type Fixture, reopen, routeTo, unbind } from './fixture.ts';

function textOf({ source, destination, key, arguments: given }: Binding): string {
  return JSON.stringify([source, destination.kind, destination.name, key, Object.keys(given)]);
}

/** Everything that can be told of a topology, in a fixed order. */
function describe({ topology }: Fixture): { exchanges: Exchange[]; bindings: Binding[] } {
  const exchanges = topology
    .list()
    .map(
      ({
        namespace,
        name,
        kind,
        isDelayed,
        lifetime,
        isAutoDelete,
        isInternal,
        alternate,
        arguments: given,
        attributes,
      }) => ({
        namespace,
        name,
        kind,
        isDelayed,
        lifetime,
        isAutoDelete,
        isInternal,
        alternate,
        arguments: given,
        attributes,
      }),
    );
  const bindings = topology.listBindings({}).toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
  return { exchanges, bindings };
}

for (const withSnapshot of [false, true]) {
  const from = withSnapshot ? 'a snapshot' : 'the journal';

  test(`attributes of an exchange that were changed come back from ${from}`, async () => {
    const fixture = createFixture();
    const { topology } = fixture;
    await topology.declare(exchange('e', { attributes: { 'door.a': '1', 'door.b': '2' } }));
    const { version } = topology;
    await topology.configure('', 'e', { 'door.b': undefined, 'door.c': '3' });
    assert.ok(topology.version > version);
    const wanted = { 'door.a': '1', 'door.c': '3' };
    assert.deepEqual(topology.find('', 'e')?.attributes, wanted);
    const again = await reopen(fixture, withSnapshot);
    assert.deepEqual(again.topology.find('', 'e')?.attributes, wanted);
    await assert.rejects(topology.configure('', 'none', {}), { code: 'exchange-not-found' });
    await assert.rejects(topology.configure('', 'amq.fanout', {}), { code: 'exchange-built-in' });
    await assert.rejects(topology.configure('', 'e', { x: 'x'.repeat(70_000) }), {
      code: 'config-invalid',
    });
  });

  test(`exchanges and bindings come back from ${from} with every type of argument`, async () => {
    const fixture = createFixture(['q', 'other']);
    const { topology } = fixture;
    const given = {
      text: 'x',
      half: 0.5,
      small: 1n,
      big: 2n ** 64n,
      odd: Number.NaN,
      endless: Number.NEGATIVE_INFINITY,
      negativeZero: -0,
      yes: true,
      nothing: null,
      bytes: Uint8Array.of(0, 255),
      time: new Date(1234),
      list: [1, ['a', null], { i: 'looks like a tag' }],
      table: { b: 'looks like another', ['__proto__']: 5, deep: { deeper: new Date(0) } },
    };
    await topology.declare(
      exchange('e', {
        kind: 'topic',
        isDelayed: true,
        isAutoDelete: true,
        isInternal: true,
        alternate: 'amq.fanout',
        arguments: given,
        attributes: { 'door.type': 'x' },
      }),
    );
    await bind(topology, 'e', 'a.#', 'q', { arguments: given });
    await bind(topology, 'e', 'a.#', 'q');
    await bind(topology, 'e', '', 'amq.topic', { kind: 'exchange' });
    await bind(topology, 'amq.topic', '*', 'other');
    const again = await reopen(fixture, withSnapshot);
    assert.deepEqual(describe(again), describe(fixture));
    assert.deepEqual(again.topology.find('', 'e')?.arguments, given);
    assert.deepEqual(routeTo(again.topology, 'e', 'a.b'), ['q']);
    assert.deepEqual(routeTo(again.topology, 'amq.topic', 'x'), ['other']);
    assert.equal(await unbind(again.topology, 'e', 'a.#', 'q', { arguments: given }), true);
  });

  test(`what is temporary does not come back from ${from}, nor do bindings to it`, async () => {
    const fixture = createFixture(['kept']);
    const { topology, destinations, journal } = fixture;
    destinations.add('passing', 'temporary');
    await topology.declare(exchange('durable'));
    await topology.declare(exchange('temporary', { lifetime: 'temporary' }));
    const written = journal.entries.length;
    await bind(topology, 'temporary', 'k', 'kept');
    await bind(topology, 'durable', 'k', 'passing');
    await bind(topology, 'durable', 'k', 'temporary', { kind: 'exchange' });
    await bind(topology, 'temporary', 'k', 'durable', { kind: 'exchange' });
    await unbind(topology, 'durable', 'k', 'passing');
    await topology.delete('', 'temporary');
    assert.equal(journal.entries.length, written, 'nothing of it is journaled');
    await topology.declare(exchange('temporary', { lifetime: 'temporary' }));
    await bind(topology, 'temporary', 'k', 'kept');
    await bind(topology, 'durable', 'k', 'kept');
    const again = await reopen(fixture, withSnapshot);
    assert.equal(again.topology.find('', 'temporary'), undefined);
    assert.deepEqual(
      again.topology.listBindings({}).map(({ destination }) => destination.name),
      ['kept'],
    );
  });
}

test('temporary exchanges and bindings outlive a recovery of the storage', async () => {
  const fixture = createFixture(['q']);
  const { topology, destinations, journal } = fixture;
  destinations.add('passing', 'temporary');
  await topology.declare(exchange('durable', { kind: 'fanout' }));
  await topology.declare(exchange('temporary', { kind: 'fanout', lifetime: 'temporary' }));
  await bind(topology, 'durable', '', 'q');
  await bind(topology, 'durable', '', 'passing');
  await bind(topology, 'temporary', '', 'durable', { kind: 'exchange' });
  const kept = [...journal.entries];
  // These were applied but are not in the journal.
  await topology.declare(exchange('lost'));
  await bind(topology, 'lost', '', 'passing');
  await bind(topology, 'temporary', '', 'lost', { kind: 'exchange' });
  const before = topology.version;
  // The first attempt to recover fails halfway.
  topology.restore(undefined);
  topology.restore(undefined);
  for (const { kind, payload } of kept) topology.apply(kind, payload);
  await topology.link();
  assert.ok(topology.version > before);
  assert.equal(topology.find('', 'lost'), undefined);
  assert.deepEqual(routeTo(topology, 'temporary', ''), ['passing', 'q']);
  assert.equal(topology.listBindings({}).length, 3);
  destinations.remove('passing');
  await topology.link();
  assert.equal(topology.listBindings({}).length, 2);
});

test('bindings to what a crash left without a queue are gone after the next start', async () => {
  const fixture = createFixture(['q', 'gone']);
  const { topology, destinations } = fixture;
  await topology.declare(exchange('e', { isAutoDelete: true }));
  await bind(topology, 'e', 'k', 'gone');
  await bind(topology, 'amq.direct', 'k', 'gone');
  await bind(topology, 'amq.direct', 'k', 'q');
  destinations.remove('gone');
  const again = await reopen(fixture, false);
  assert.equal(again.topology.find('', 'e'), undefined);
  destinations.add('gone');
  assert.deepEqual(routeTo(again.topology, 'amq.direct', 'k'), ['q']);
  const third = await reopen(again, false);
  assert.deepEqual(describe(third), describe(again));
});

test('what the storage refuses did not happen, and nobody is told that it did', async () => {
  const { topology, journal } = createFixture(['q']);
  await topology.declare(exchange('e'));
  await bind(topology, 'e', 'k', 'q');
  journal.failure = new Error('no disk');
  await assert.rejects(topology.declare(exchange('f')), /no disk/);
  await assert.rejects(bind(topology, 'e', 'other', 'q'), /no disk/);
  await assert.rejects(unbind(topology, 'e', 'k', 'q'), /no disk/);
  await assert.rejects(topology.delete('', 'e'), /no disk/);
  await assert.rejects(topology.declare(exchange('e')), /no disk/);
  await assert.rejects(bind(topology, 'e', 'k', 'q'), /no disk/);
  await assert.rejects(topology.deleteNamespace(''), /no disk/);
  assert.equal(topology.find('', 'f'), undefined);
  assert.deepEqual(routeTo(topology, 'e', 'k'), ['q']);
});

/** What a random change may meet. */
function checkMissing(error: { code?: string }): void {
  assert.match(error.code ?? '', /^(?:(?:exchange|queue)-not-found|exchange-built-in)$/);
}

test('random changes come back as they were, from journal and snapshot, and the snapshot is whole', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = new SeededRandom(seed);
    let fixture = createFixture();
    const queues = ['q0', 'q1', 'q2', 'q3', 'q4', 'q5'];
    const exchanges = ['e0', 'e1', 'e2', 'amq.topic', 'amq.direct'];
    for (let step = 0; step < 400; step++) {
      const { topology, destinations } = fixture;
      const queue = queues[random.nextInt(queues.length)]!;
      const source = exchanges[random.nextInt(exchanges.length)]!;
      const isExchange = random.chance(0.2);
      const key = random.pick(['a', 'a.#', '*', '', 'b']);
      const destination = isExchange ? exchanges[random.nextInt(exchanges.length)]! : queue;
      const kind = isExchange ? 'exchange' : 'queue';
      const given = random.chance(0.2) ? { n: random.nextInt(3) } : {};
      switch (random.nextInt(7)) {
        case 0:
          destinations.add(queue);
          break;
        case 1:
          if (random.chance(0.2)) {
            destinations.remove(queue);
            await topology.forgetDestination('', queue);
          }
          break;
        case 2:
          await topology.declare(
            exchange(source, { kind: 'topic', isAutoDelete: random.chance(0.5) }),
          );
          break;
        case 3:
          if (random.chance(0.3)) await topology.delete('', source).catch(checkMissing);
          break;
        case 4:
          await unbind(topology, source, key, destination, { kind, arguments: given });
          break;
        default:
          await bind(topology, source, key, destination, { kind, arguments: given }).catch(
            checkMissing,
          );
      }
      if (step % 50 === 49) {
        const [journaled, snapshot] = [await reopen(fixture, false), await reopen(fixture, true)];
        assert.deepEqual(describe(journaled), describe(fixture), `seed ${seed}, step ${step}`);
        assert.deepEqual(describe(snapshot), describe(fixture), `seed ${seed}, step ${step}`);
        fixture = random.chance(0.5) ? journaled : fixture;
      }
    }
  }
});
