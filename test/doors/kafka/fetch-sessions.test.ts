import assert from 'node:assert/strict';
import test from 'node:test';
import { SystemRandom } from '../../../src/base/index.ts';
import { FetchSessions } from '../../../src/doors/kafka/fetch-sessions.ts';
import type { RequestOf } from '../../../src/doors/kafka/wire/index.ts';
import { zeroUuid } from '../../../src/doors/kafka/wire/index.ts';
import { SimulatedClock } from '../../../src/testing/index.ts';

function request(
  partitions: number[],
  { sessionId = 0, sessionEpoch = 0 } = {},
): RequestOf<'Fetch'> {
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1,
    isolationLevel: 0,
    sessionId,
    sessionEpoch,
    topics: [
      {
        topic: 'orders',
        topicId: zeroUuid,
        partitions: partitions.map((partition) => ({
          partition,
          currentLeaderEpoch: -1,
          fetchOffset: 0,
          lastFetchedEpoch: -1,
          logStartOffset: -1,
          partitionMaxBytes: 1,
          replicaDirectoryId: zeroUuid,
          highWatermark: 0,
        })),
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
  };
}

const limits = { sessionsMax: 2, partitionsMax: 10, evictionMs: 1000 };

test('when all sessions are in use, clients are served without one', async () => {
  const clock = new SimulatedClock();
  const sessions = new FetchSessions(clock, new SystemRandom(), limits);
  const first = sessions.plan(request([0]), 12).session!;
  assert.ok(sessions.plan(request([0]), 12).session !== undefined);
  const without = sessions.plan(request([0]), 12);
  assert.equal(without.session, undefined);
  assert.equal(without.entries.length, 1);
  assert.equal(sessions.count, 2);

  await clock.runFor(999);
  const used = { sessionId: first.id, sessionEpoch: 1 };
  assert.equal(sessions.plan(request([0], used), 12).session, first);
  await clock.runFor(2);
  // The other one was not used for long enough by now, and makes room.
  assert.ok(sessions.plan(request([0]), 12).session !== undefined);
  assert.equal(sessions.plan(request([0], { ...used, sessionEpoch: 2 }), 12).session, first);
});

test('sessions remember a bounded number of partitions, and let go of them', () => {
  const sessions = new FetchSessions(new SimulatedClock(), new SystemRandom(), limits);
  const many = Array.from({ length: 8 }, (_, index) => index);
  const { session } = sessions.plan(request(many), 12);
  assert.equal(sessions.partitionCount, 8);
  assert.equal(sessions.plan(request([0, 1, 2]), 12).session, undefined);
  const more = { sessionId: session!.id, sessionEpoch: 1 };
  assert.equal(sessions.plan(request([8, 9, 10, 11], more), 12).entries.length, 10);
  assert.equal(sessions.partitionCount, 10);
  sessions.plan(request([0], { sessionId: session!.id, sessionEpoch: -1 }), 12);
  assert.equal(sessions.partitionCount, 0);
  assert.equal(sessions.count, 0);
});

test('a request that names a partition twice gets no session', () => {
  const sessions = new FetchSessions(new SimulatedClock(), new SystemRandom(), limits);
  const plan = sessions.plan(request([0, 0]), 12);
  assert.equal(plan.session, undefined);
  assert.equal(plan.entries.length, 2);
});
