import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BrokerError, limits } from '../../../src/base/index.ts';
import {
  decodeAssignment,
  encodeAssignment,
  MemberIdRequired,
  type TopicViewer,
} from '../../../src/shard/group/index.ts';
import { assertFails, assertThrows, groupId, track } from './fixture.ts';
import { ManagedBed, owning, toldBy } from './managed-bed.ts';

function bedWithTopic(partitionCount = 4): ManagedBed {
  const bed = new ManagedBed();
  bed.topics.set('a', partitionCount);
  return bed;
}

function viewer(name: string, ...seen: string[]): TopicViewer {
  return { name, sees: (topic) => seen.includes(topic) };
}

describe('a member of a managed group', () => {
  test('gets everything when it is alone, and is told once', async () => {
    const bed = bedWithTopic();
    const joined = await bed.join('m1');
    assert.equal(joined.epoch, 1);
    assert.deepEqual(toldBy(joined), ['a:0', 'a:1', 'a:2', 'a:3']);
    const next = await bed.beatNow({ memberId: 'm1', epoch: 1 });
    assert.equal(next.assignment, undefined);
    assert.equal(bed.describe().state, 'stable');
  });

  test('is given an id when it has none', async () => {
    const bed = bedWithTopic();
    assert.equal((await bed.join('')).memberId, 'uuid-1');
  });

  test('lets go before another gets', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    const second = await bed.join('m2');
    assert.deepEqual(toldBy(second), []);
    assert.equal(second.epoch, 2);
    // The first keeps its epoch until it has let go.
    const first = await bed.beatNow({ memberId: 'm1', epoch: 1 });
    assert.equal(first.epoch, 1);
    assert.deepEqual(toldBy(first), ['a:0', 'a:1']);
    assert.equal((await bed.beatNow({ memberId: 'm2', epoch: 2 })).assignment, undefined);
    const released = await bed.beatNow({ memberId: 'm1', epoch: 1, owned: owning(0, 1) });
    assert.equal(released.epoch, 2);
    assert.deepEqual(toldBy(await bed.beatNow({ memberId: 'm2', epoch: 2 })), ['a:2', 'a:3']);
    assert.equal(bed.describe().state, 'stable');
  });

  test('loses its place when it does not let go in time', async () => {
    const bed = bedWithTopic();
    await bed.join('m1', { rebalanceTimeoutMs: 10_000 });
    await bed.join('m2');
    await bed.beatNow({ memberId: 'm1', epoch: 1 });
    for (let second = 0; second < 12; second += 3) {
      await bed.clock.advance(3000);
      bed.beat({ memberId: 'm1', epoch: 1 });
    }
    const late = bed.beat({ memberId: 'm1', epoch: 1 });
    await bed.clock.advance(0);
    assertFails(late, 'member-unknown');
    const told = toldBy(await bed.beatNow({ memberId: 'm2', epoch: 2 }));
    assert.deepEqual(told, ['a:0', 'a:1', 'a:2', 'a:3']);
  });

  test('is forgotten when it is silent for longer than its session', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await bed.clock.advance(44_000);
    await bed.beatNow({ memberId: 'm1', epoch: 1 });
    await bed.clock.advance(44_000);
    assert.equal(bed.describe().members.length, 1);
    await bed.clock.advance(2000);
    assert.equal(bed.describe().state, 'empty');
  });

  test('is told again what it holds when an answer got lost', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await bed.join('m2');
    await bed.beatNow({ memberId: 'm1', epoch: 1 });
    await bed.beatNow({ memberId: 'm1', epoch: 1, owned: owning(0, 1) });
    const repeated = await bed.beatNow({
      memberId: 'm1',
      epoch: 1,
      owned: owning(0, 1),
      topics: ['a'],
      rebalanceTimeoutMs: 60_000,
    });
    assert.equal(repeated.epoch, 2);
    assert.deepEqual(toldBy(repeated), ['a:0', 'a:1']);
  });

  const fenced: ReadonlyArray<[name: string, epoch: number, owned: number[]]> = [
    ['an epoch of the future', 7, [0]],
    ['an epoch of the past and partitions of others', 1, [0, 1, 2]],
  ];
  for (const [name, epoch, owned] of fenced) {
    test(`is fenced with ${name}`, async () => {
      const bed = bedWithTopic();
      await bed.join('m1');
      await bed.join('m2');
      await bed.beatNow({ memberId: 'm1', epoch: 1, owned: owning(0, 1) });
      const outcome = bed.beat({ memberId: 'm1', epoch, owned: owning(...owned) });
      await bed.clock.advance(0);
      assertFails(outcome, 'member-epoch-fenced');
    });
  }

  test('starts again with epoch 0 and nothing', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await bed.join('m2');
    await bed.beatNow({ memberId: 'm1', epoch: 1 });
    // It was to let go of two; who has nothing has let go.
    assert.deepEqual(toldBy(await bed.join('m1')), ['a:0', 'a:1']);
    assert.deepEqual(toldBy(await bed.beatNow({ memberId: 'm2', epoch: 2 })), ['a:2', 'a:3']);
  });

  test('gets what others leave', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await bed.join('m2');
    assert.equal((await bed.beatNow({ memberId: 'm1', epoch: -1 })).epoch, -1);
    const told = toldBy(await bed.beatNow({ memberId: 'm2', epoch: 2 }));
    assert.deepEqual(told, ['a:0', 'a:1', 'a:2', 'a:3']);
    const gone = bed.beat({ memberId: 'm1', epoch: 1 });
    await bed.clock.advance(0);
    assertFails(gone, 'member-unknown');
  });

  test('notices topics that come, grow and go', async () => {
    const bed = bedWithTopic(1);
    await bed.join('m1', { topics: ['a', 'b'] });
    bed.topics.set('b', 1);
    assert.deepEqual(toldBy(await bed.beatNow({ memberId: 'm1', epoch: 1 })), ['a:0', 'b:0']);
    bed.topics.set('a', 2);
    const grown = await bed.beatNow({ memberId: 'm1', epoch: 2 });
    assert.deepEqual(toldBy(grown), ['a:0', 'b:0', 'a:1'].toSorted());
    bed.topics.set('b', 0);
    const told = toldBy(await bed.beatNow({ memberId: 'm1', epoch: 3 }));
    assert.deepEqual(told, ['a:0', 'a:1']);
  });

  test('subscribes by a pattern', async () => {
    const bed = bedWithTopic(1);
    bed.topics.set('orders-eu', 1);
    bed.topics.set('payments', 1);
    await bed.join('m1', { topics: [], pattern: 'orders-.*' });
    assert.deepEqual(toldBy(await bed.join('m1', { topics: [], pattern: 'orders-.*' })), [
      'orders-eu:0',
    ]);
    bed.topics.set('orders-us', 1);
    await bed.clock.advance(1000);
    const told = toldBy(await bed.beatNow({ memberId: 'm1', epoch: 1 }));
    assert.deepEqual(told, ['orders-eu:0', 'orders-us:0']);
    const bad = bed.beat({ memberId: 'm1', epoch: 2, pattern: '(' });
    await bed.clock.advance(0);
    assertFails(bad, 'filter-invalid');
    assert.equal(bed.describe().members[0]?.pattern, 'orders-.*');
  });

  test('is led by a pattern only to topics that it sees, whoever else sees more', async () => {
    const bed = bedWithTopic(1);
    for (const name of ['b', 'c']) bed.topics.set(name, 2);
    const anyTopic = { topics: [], pattern: '.*' };
    const ann = { viewer: viewer('ann', 'b') };
    const bob = { viewer: viewer('bob', 'a', 'b', 'c') };
    assert.deepEqual(toldBy(await bed.join('m1', { ...anyTopic, ...ann })), ['b:0', 'b:1']);
    await bed.join('m2', { ...anyTopic, ...bob });
    for (const one of bed.targetOf('m1')) assert.match(one, /^b:/);
    for (const one of ['a:0', 'c:0', 'c:1']) assert.ok(bed.targetOf('m2').includes(one), one);
    // A topic that only one of them sees comes; it is the other who notices first.
    bed.topics.set('d', 1);
    await bed.clock.advance(1000);
    await bed.beatNow({ memberId: 'm1', epoch: bed.epochOf('m1'), ...ann });
    assert.ok(!bed.targetOf('m1').includes('d:0'));
    const more = { viewer: viewer('bob', 'a', 'b', 'c', 'd') };
    await bed.beatNow({ memberId: 'm2', epoch: bed.epochOf('m2'), ...more });
    assert.ok(bed.targetOf('m2').includes('d:0'));
    assert.ok(!bed.targetOf('m1').includes('d:0'));
  });

  test('gets topics that it was allowed to see since, some time later', async () => {
    const bed = bedWithTopic(1);
    bed.topics.set('b', 1);
    const pattern = { topics: [], pattern: '.*' };
    assert.deepEqual(toldBy(await bed.join('m1', { ...pattern, viewer: viewer('ann', 'b') })), [
      'b:0',
    ]);
    const later = { viewer: viewer('ann', 'a', 'b') };
    for (let beats = 0; beats < 21; beats++) {
      await bed.clock.advance(30_000);
      await bed.beatNow({ memberId: 'm1', epoch: bed.epochOf('m1'), ...later });
    }
    assert.deepEqual(bed.targetOf('m1'), ['a:0', 'b:0']);
  });

  test('has what its pattern matched also after a restart, until it is heard of', async () => {
    const bed = bedWithTopic(2);
    bed.topics.set('b', 2);
    const ann = { viewer: viewer('ann', 'a') };
    const bob = { viewer: viewer('bob', 'b') };
    await bed.join('m1', { topics: [], pattern: '.*', ...ann });
    await bed.join('m2', { topics: [], pattern: '.*', ...bob });
    const settled = async () => {
      for (let turn = 0; turn < 4; turn++) {
        await bed.beatNow({ memberId: 'm1', epoch: bed.epochOf('m1'), ...ann });
        await bed.beatNow({ memberId: 'm2', epoch: bed.epochOf('m2'), ...bob });
      }
      return [bed.targetOf('m1'), bed.targetOf('m2'), bed.describe().epoch];
    };
    const before = await settled();
    assert.deepEqual(before.slice(0, 2), [
      ['a:0', 'a:1'],
      ['b:0', 'b:1'],
    ]);
    bed.restart();
    await bed.beatNow({ memberId: 'm2', epoch: bed.epochOf('m2'), ...bob });
    assert.deepEqual([bed.targetOf('m1'), bed.targetOf('m2')], before.slice(0, 2));
    assert.deepEqual(await settled(), before);
    // Somebody new waits for those who were not heard of, or for the end of their sessions.
    bed.restart();
    await bed.join('m3', { topics: ['b'] });
    assert.deepEqual(bed.targetOf('m3'), []);
    assert.deepEqual(bed.targetOf('m1'), ['a:0', 'a:1']);
    await bed.beatNow({ memberId: 'm1', epoch: bed.epochOf('m1'), ...ann });
    await bed.beatNow({ memberId: 'm2', epoch: bed.epochOf('m2'), ...bob });
    assert.equal(bed.targetOf('m3').length, 1);
    assert.deepEqual(bed.targetOf('m1'), ['a:0', 'a:1']);
  });

  test('is refused with one pattern too many', async () => {
    const bed = bedWithTopic(1);
    for (let index = 0; index < limits.groupPatternsMax; index++) {
      await bed.join(`m${index}`, { topics: [], pattern: `a{${index}}` });
    }
    const outcome = bed.beat({ memberId: 'late', topics: [], pattern: 'b' });
    await bed.clock.advance(0);
    assertFails(outcome, 'group-full');
    await bed.join('again', { topics: [], pattern: 'a{1}' });
  });

  test('has contiguous ranges when most want them', async () => {
    const bed = bedWithTopic(4);
    bed.topics.set('b', 4);
    const more = { topics: ['a', 'b'], assignorName: 'range' };
    await bed.join('m1', more);
    await bed.join('m2', more);
    assert.equal(bed.describe().assignorName, 'range');
    const [first] = bed.describe().members;
    assert.deepEqual(first?.target, [
      { topicId: 'id-a', partitions: [0, 1] },
      { topicId: 'id-b', partitions: [0, 1] },
    ]);
  });

  test('is refused when the group is full', async () => {
    const bed = new ManagedBed({ membersMax: 1 });
    await bed.join('m1');
    const outcome = bed.beat({ memberId: 'm2', topics: ['a'] });
    await bed.clock.advance(0);
    assertFails(outcome, 'group-full');
    await bed.beatNow({ memberId: 'm1', epoch: 1 });
  });

  test('who was never heard of must begin with a join', async () => {
    const bed = bedWithTopic();
    const early = bed.beat({ memberId: 'm1', epoch: 3 });
    await bed.clock.advance(0);
    assertFails(early, 'group-not-found');
    await bed.join('m2');
    const unknown = bed.beat({ memberId: 'm1', epoch: 3 });
    await bed.clock.advance(0);
    assertFails(unknown, 'member-unknown');
  });
});

test('members that start together wait for each other, and nobody has to let go', async () => {
  const bed = new ManagedBed({ initialRebalanceDelayMs: 100 });
  bed.topics.set('a', 6);
  const joins = ['m1', 'm2', 'm3'].map((memberId) =>
    bed.beat({ memberId, topics: ['a'], owned: [], rebalanceTimeoutMs: 60_000 }),
  );
  await bed.clock.advance(50);
  assert.deepEqual(
    joins.map(({ isSettled }) => isSettled),
    [false, false, false],
  );
  await bed.clock.advance(400);
  const told = joins.flatMap(({ value }) => (value === undefined ? [] : (toldBy(value) ?? [])));
  assert.deepEqual(told.toSorted(), bed.topics.listPartitions());
  assert.equal(bed.describe().state, 'stable');
});

describe('a static member of a managed group', () => {
  const instanceId = 'i1';

  test('finds its partitions when it comes back within its session', async () => {
    const bed = bedWithTopic();
    await bed.join('m1', { instanceId });
    await bed.join('m2');
    await bed.beatNow({ memberId: 'm1', epoch: 1, instanceId });
    await bed.beatNow({ memberId: 'm1', epoch: 1, instanceId, owned: owning(0, 1) });
    assert.equal((await bed.beatNow({ memberId: 'm1', epoch: -2, instanceId })).epoch, -2);
    const back = await bed.join('m3', { instanceId });
    assert.deepEqual(toldBy(back), ['a:0', 'a:1']);
    // Nobody else noticed.
    assert.equal(bed.describe().epoch, 2);
  });

  test('loses them when it does not', async () => {
    const bed = bedWithTopic();
    await bed.join('m1', { instanceId });
    await bed.beatNow({ memberId: 'm1', epoch: -2, instanceId });
    await bed.clock.advance(46_000);
    assert.equal(bed.describe().state, 'empty');
  });

  const refused: ReadonlyArray<[name: string, beat: { memberId: string; epoch: number }, string]> =
    [
      ['another member with its instance id may not join', { memberId: 'm2', epoch: 0 }, 'in-use'],
      ['another member may not speak for it', { memberId: 'm2', epoch: 1 }, 'fenced'],
      ['another member may not end it', { memberId: 'm2', epoch: -1 }, 'fenced'],
    ];
  for (const [name, beat, code] of refused) {
    test(name, async () => {
      const bed = bedWithTopic();
      await bed.join('m1', { instanceId });
      const outcome = bed.beat({ ...beat, instanceId, topics: ['a'] });
      await bed.clock.advance(0);
      assertFails(outcome, code === 'in-use' ? 'instance-in-use' : 'member-fenced');
    });
  }
});

describe('what a managed group stores', () => {
  test('members go on after a restart without noticing', async () => {
    const bed = bedWithTopic();
    await bed.join('m1', { instanceId: 'i1', rackId: 'r1', assignorName: 'uniform' });
    await bed.join('m2');
    await bed.beatNow({ memberId: 'm1', epoch: 1, instanceId: 'i1' });
    const before = bed.describe();
    bed.restart();
    assert.deepEqual(bed.describe(), before);
    const beat = { memberId: 'm1', epoch: 1, instanceId: 'i1', owned: owning(0, 1) };
    assert.equal((await bed.beatNow(beat)).epoch, 2);
    assert.deepEqual(toldBy(await bed.beatNow({ memberId: 'm2', epoch: 2 })), ['a:2', 'a:3']);
  });

  test('is durable before anybody is told', async () => {
    const bed = new ManagedBed({}, 5);
    bed.topics.set('a', 2);
    const joined = bed.beat({ memberId: 'm1', topics: ['a'], owned: [], rebalanceTimeoutMs: 1 });
    await bed.clock.advance(4);
    assert.equal(joined.isSettled, false);
    await bed.clock.advance(1);
    assert.equal(joined.value?.epoch, 1);
  });

  test('a failure of the storage is told, and all is stored the next time', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    bed.store.failure = new BrokerError('storage-failed');
    const failed = bed.beat({ memberId: 'm2', topics: ['a'], owned: [], rebalanceTimeoutMs: 1 });
    await bed.clock.advance(0);
    assertFails(failed, 'storage-failed');
    await bed.join('m2');
    const before = bed.describe();
    bed.restart();
    assert.deepEqual(bed.describe(), before);
  });

  test('topics that changed while the broker was away are noticed', async () => {
    const bed = bedWithTopic(1);
    await bed.join('m1');
    bed.restart();
    bed.topics.set('a', 2);
    const told = toldBy(await bed.beatNow({ memberId: 'm1', epoch: 1 }));
    assert.deepEqual(told, ['a:0', 'a:1']);
  });

  test('an empty group is forgotten like others, and can be deleted', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await assert.rejects(bed.coordinator.delete(groupId), { code: 'group-not-empty' });
    await bed.beatNow({ memberId: 'm1', epoch: -1 });
    const deletion = track(bed.coordinator.delete(groupId));
    await bed.clock.advance(0);
    assert.equal(deletion.error, undefined);
    assert.equal(bed.coordinator.describeManaged(groupId), undefined);
    bed.restart();
    assert.deepEqual(bed.coordinator.list(), []);
  });
});

describe('offsets of a managed group', () => {
  const at = { topicId: 'id-a', offset: 5, leaderEpoch: -1, metadata: '' };

  async function commit(bed: ManagedBed, memberId: string, generation: number, partition = 0) {
    const member = { groupId, memberId, generation };
    const outcome = track(bed.coordinator.commit(groupId, member, [{ ...at, partition }]));
    await bed.clock.advance(0);
    return outcome;
  }

  test('are committed with the epoch of the member', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await bed.join('m2');
    await bed.beatNow({ memberId: 'm1', epoch: 1, owned: owning(0, 1) });
    assert.equal((await commit(bed, 'm1', 2)).error, undefined);
    // What it has had since epoch 1 is still its own.
    assert.equal((await commit(bed, 'm1', 1)).error, undefined);
    assertFails(await commit(bed, 'm1', 1, 3), 'member-epoch-stale');
    assertFails(await commit(bed, 'm1', 9), 'member-epoch-stale');
    assertFails(await commit(bed, 'm3', 2), 'member-unknown');
    assertFails(await commit(bed, '', -1), 'member-unknown');
  });

  test('are committed by anybody while the group is empty', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await bed.beatNow({ memberId: 'm1', epoch: -1 });
    assert.equal((await commit(bed, '', -1)).error, undefined);
  });

  test('are fetched by members of the present only', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    const fetch = async (memberId: string, epoch: number) => {
      const outcome = track(bed.coordinator.fetchOffsets(groupId, undefined, { memberId, epoch }));
      await bed.clock.advance(0);
      return outcome;
    };
    assert.deepEqual((await fetch('m1', 1)).value, []);
    assertFails(await fetch('m1', 2), 'member-epoch-stale');
    assertFails(await fetch('m2', 1), 'member-unknown');
  });

  test('of topics that nobody subscribes to are forgotten when they are old', async () => {
    const bed = bedWithTopic();
    bed.topics.set('b', 1);
    await bed.join('m1');
    const member = { groupId, memberId: 'm1', generation: 1 };
    const first = { ...at, partition: 0 };
    const commits = [first, { ...first, topicId: 'id-b' }];
    const outcome = track(bed.coordinator.commit(groupId, member, commits));
    await bed.clock.advance(0);
    assert.equal(outcome.error, undefined);
    const dayMs = 24 * 3_600_000;
    const listTopics = () => bed.store.listOffsets(groupId).map(({ topicId }) => topicId);
    for (let day = 0; day < 6; day++) await stayAlive(bed, dayMs);
    assert.deepEqual(listTopics(), ['id-a', 'id-b']);
    for (let day = 0; day < 2; day++) await stayAlive(bed, dayMs);
    assert.deepEqual(listTopics(), ['id-a']);
  });

  test('of topics that nobody subscribes to are deleted', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    const key = { topicId: 'id-a', partition: 0 };
    const outcome = track(
      bed.coordinator.deleteOffsets(groupId, [
        { ...key, topicName: 'a' },
        { ...key, topicId: 'id-b', topicName: 'b' },
      ]),
    );
    await bed.clock.advance(0);
    const codes = outcome.value?.map((error) =>
      error instanceof BrokerError ? error.code : undefined,
    );
    assert.deepEqual(codes, ['group-subscribed', undefined]);
  });
});

describe('members of both kinds', () => {
  test('share a group: one that joins is told by its heartbeat to join again', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    const classic = await bed.joinClassicNow();
    assert.equal(classic.generation, 2);
    assert.equal(classic.leaderId, '');
    assert.deepEqual(partitionsOf((await bed.sync(classic)).assignment), []);
    bed.coordinator.heartbeat({ groupId, ...classic });
    await bed.beatNow({ memberId: 'm1', epoch: 1, owned: owning(0, 1) });
    assertThrows(() => bed.coordinator.heartbeat({ groupId, ...classic }), 'group-rebalancing');
    const again = await bed.joinClassicNow({ memberId: classic.memberId });
    assert.deepEqual(partitionsOf((await bed.sync(again)).assignment), [2, 3]);
    bed.coordinator.heartbeat({ groupId, ...again });
    const kinds = bed.describe().members.map(({ isClassic }) => isClassic);
    assert.deepEqual(kinds, [false, true]);
  });

  test('one that sends beats may ask oftener for what another such one has', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    assert.equal((await bed.join('m2')).isWaiting, true);
    await bed.beatNow({ memberId: 'm1', epoch: 1, owned: owning(0, 1) });
    const told = await bed.beatNow({ memberId: 'm2', epoch: 2 });
    assert.deepEqual([told.isWaiting, toldBy(told)], [false, ['a:2', 'a:3']]);
  });

  test('the group is the classic members again when the last of the others leaves', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    const classic = await bed.joinClassicNow();
    await bed.beatNow({ memberId: 'm1', epoch: -1 });
    // The last of its kind has left: the group is the classic members' again.
    assert.equal(bed.coordinator.describeManaged(groupId), undefined);
    assert.equal(bed.coordinator.describe(groupId).state, 'preparing-rebalance');
    const again = await bed.joinClassicNow({ memberId: classic.memberId });
    assert.equal(again.leaderId, classic.memberId);
    assert(again.generation > classic.generation);
  });

  test('a classic group becomes a managed one, and nobody loses what it has', async () => {
    const bed = bedWithTopic();
    const joined = await bed.joinClassicNow();
    const assignment = Buffer.from(
      '0000000000010001610000000400000000000000010000000200000003ffffffff',
      'hex',
    );
    const sync = track(
      bed.coordinator.sync({
        groupId,
        memberId: joined.memberId,
        generation: joined.generation,
        assignments: [{ memberId: joined.memberId, assignment }],
      }),
    );
    await bed.clock.advance(0);
    assert.equal(sync.error, undefined);
    const told = await bed.join('m1');
    assert.deepEqual(toldBy(told), []);
    assert.equal(told.epoch, joined.generation + 1);
    // Who joins and syncs hears of it with its own heartbeat: to ask oftener would not help.
    assert.equal(told.isWaiting, false);
    assertThrows(() => bed.coordinator.heartbeat({ groupId, ...joined }), 'group-rebalancing');
    // It says what it holds, and is told what to keep.
    const again = await bed.joinClassicNow({ memberId: joined.memberId }, [0, 1, 2, 3]);
    const kept = partitionsOf((await bed.sync(again)).assignment);
    assert.equal(kept.length, 2);
    assertThrows(() => bed.coordinator.heartbeat({ groupId, ...again }), 'group-rebalancing');
    const last = await bed.joinClassicNow({ memberId: joined.memberId }, kept);
    assert.deepEqual(partitionsOf((await bed.sync(last)).assignment), kept);
    const others = [0, 1, 2, 3].filter((partition) => !kept.includes(partition));
    const got = toldBy(await bed.beatNow({ memberId: 'm1', epoch: told.epoch }));
    assert.deepEqual(
      got,
      others.map((partition) => `a:${partition}`),
    );
  });

  test('a classic member that waits for a rebalance is told to join again', async () => {
    const bed = new ManagedBed({ initialRebalanceDelayMs: 1000 });
    bed.topics.set('a', 4);
    const waiting = bed.joinClassic();
    const joined = bed.beat({ memberId: 'm1', topics: ['a'], owned: [], rebalanceTimeoutMs: 1 });
    await bed.clock.advance(0);
    assertFails(waiting, 'group-rebalancing');
    assert.equal(joined.error, undefined);
  });

  test('an empty group is whose member comes first', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await bed.beatNow({ memberId: 'm1', epoch: -1 });
    const classic = await bed.joinClassicNow();
    assert.equal(bed.coordinator.describe(groupId).isManaged, false);
    assert(classic.generation > 1);
    const left = track(bed.coordinator.leave(groupId, [{ memberId: classic.memberId }]));
    await bed.clock.advance(0);
    assert.deepEqual(left.value, [undefined]);
    assert((await bed.join('m2')).epoch > classic.generation);
    assert.equal(bed.coordinator.describe(groupId).isManaged, true);
  });

  test('a group of another protocol type cannot be taken over', async () => {
    const bed = bedWithTopic();
    await bed.joinClassicNow({ protocolType: 'connect' });
    const outcome = bed.beat({ memberId: 'm1', topics: ['a'] });
    await bed.clock.advance(0);
    assertFails(outcome, 'group-not-found');
    const state = bed.coordinator.describe(groupId);
    assert.equal(state.protocolType, 'connect');
  });

  test('a group whose own assignor told its members more than partitions cannot be taken over', async () => {
    const bed = bedWithTopic();
    const { memberId, generation } = await bed.joinClassicNow();
    const userData = new Uint8Array([1]);
    const assignment = new Uint8Array(encodeAssignment({ partitions: [], userData }));
    const synced = track(
      bed.coordinator.sync({
        groupId,
        memberId,
        generation,
        assignments: [{ memberId, assignment }],
      }),
    );
    await bed.clock.advance(0);
    assert.equal(synced.error, undefined);
    const outcome = bed.beat({ memberId: 'm1', topics: ['a'] });
    await bed.clock.advance(0);
    assertFails(outcome, 'group-not-found');
    assert.equal(bed.coordinator.describe(groupId).isManaged, false);
  });

  test('a classic member with a session of no length is refused', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    const outcome = bed.joinClassic({ sessionTimeoutMs: 0 });
    await bed.clock.advance(0);
    assertFails(outcome, 'session-timeout-invalid');
  });

  const strangers: ReadonlyArray<[string, { protocolType?: string; protocols?: [] }]> = [
    ['of another protocol type', { protocolType: 'connect' }],
    ['without a protocol', { protocols: [] }],
  ];
  for (const [name, request] of strangers) {
    test(`a classic member ${name} is refused`, async () => {
      const bed = bedWithTopic();
      await bed.join('m1');
      const outcome = bed.joinClassic(request);
      await bed.clock.advance(0);
      assertFails(outcome, 'group-protocol-mismatch');
    });
  }

  test('a classic member is given an id to bring back', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    const outcome = bed.joinClassic({ requireMemberId: true });
    await bed.clock.advance(0);
    assert(outcome.error instanceof MemberIdRequired);
    const { memberId } = outcome.error;
    assert.equal(
      (await bed.joinClassicNow({ memberId, requireMemberId: true })).memberId,
      memberId,
    );
  });

  test('a classic member that does not sync in time is lost', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    await bed.joinClassicNow({ rebalanceTimeoutMs: 5000 });
    await bed.clock.advance(6000);
    assert.deepEqual(
      bed.describe().members.map(({ memberId }) => memberId),
      ['m1'],
    );
  });

  test('members of both kinds are found after a restart', async () => {
    const bed = bedWithTopic();
    await bed.join('m1');
    const classic = await bed.joinClassicNow();
    await bed.sync(classic);
    const before = bed.describe();
    bed.restart();
    assert.deepEqual(bed.describe(), before);
    bed.coordinator.heartbeat({ groupId, ...classic });
  });
});

function partitionsOf(assignment: Uint8Array): number[] {
  return decodeAssignment(assignment).partitions.flatMap(({ partitions }) => partitions);
}

/** A session so long that a few heartbeats are enough. */
async function stayAlive(bed: ManagedBed, forMs: number): Promise<void> {
  await bed.beatNow({ memberId: 'm1', epoch: 1, sessionTimeoutMs: forMs });
  await bed.clock.advance(forMs - 1000);
}
