import assert from 'node:assert/strict';
import test from 'node:test';
import { limits } from '../../../src/base/index.ts';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import type { ApiName, RequestInput, ResponseOf } from '../../../src/doors/kafka/wire/index.ts';
import { openBed } from './acl-bed.ts';
import { batchOf } from './door-fixture.ts';
import { ShareBed } from './share-groups/share-bed.ts';
import { patienceMs } from '../../support/patience.ts';

const groupType = 32;
const topicType = 2;

/** One thing, named as often as is said; how many answers there are. */
interface Case<N extends ApiName> {
  readonly api: N;
  readonly version: number;
  readonly body: (count: number) => RequestInput<N>;
  /** A method, so that cases of all APIs fit into one list. */
  countOf(this: void, response: ResponseOf<N>): number;
}

function define<N extends ApiName>(one: Case<N>): Case<ApiName> {
  return one;
}

const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);

const cases: ReadonlyArray<Case<ApiName>> = [
  define({
    api: 'DescribeConfigs',
    version: 4,
    body: (count) => ({
      resources: times(count, {
        resourceType: topicType,
        resourceName: 'open',
        configurationKeys: null,
      }),
    }),
    countOf: ({ results }) => results.length,
  }),
  define({
    api: 'DescribeGroups',
    version: 5,
    body: (count) => ({ groups: times(count, 'g'), includeAuthorizedOperations: false }),
    countOf: ({ groups }) => groups.length,
  }),
  define({
    api: 'ConsumerGroupDescribe',
    version: 1,
    body: (count) => ({ groupIds: times(count, 'g'), includeAuthorizedOperations: false }),
    countOf: ({ groups }) => groups.length,
  }),
  define({
    api: 'ShareGroupDescribe',
    version: 1,
    body: (count) => ({ groupIds: times(count, 'g'), includeAuthorizedOperations: false }),
    countOf: ({ groups }) => groups.length,
  }),
  define({
    api: 'StreamsGroupDescribe',
    version: 0,
    body: (count) => ({ groupIds: times(count, 'g'), includeAuthorizedOperations: false }),
    countOf: ({ groups }) => groups.length,
  }),
  define({
    api: 'DescribeTransactions',
    version: 0,
    body: (count) => ({ transactionalIds: times(count, 't') }),
    countOf: ({ transactionStates }) => transactionStates.length,
  }),
  define({
    api: 'DescribeProducers',
    version: 0,
    body: (count) => ({
      topics: [
        ...times(count, { name: 'open', partitionIndexes: times(count, 0) }),
        { name: 'secret', partitionIndexes: [] },
      ],
    }),
    countOf: ({ topics }) => topics.flatMap(({ partitions }) => partitions).length,
  }),
];

for (const { api, version, body, countOf } of cases) {
  test(`${api} tells of a thing once, however often it is named`, async (t) => {
    const { root } = await openBed(t);
    for (const count of [1, 3]) {
      assert.equal(countOf(await root.ask(api, version, body(count))), 1);
    }
  });
}

test('OffsetFetch tells all offsets of a group once', async (t) => {
  const { root } = await openBed(t);
  await root.ask('OffsetCommit', 8, {
    groupId: 'g',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    topics: [
      {
        name: 'open',
        partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }],
      },
    ],
  });
  const all = { groupId: 'g', topics: null };
  const some = { groupId: 'g', topics: [{ name: 'open', partitionIndexes: [0] }] };
  const { groups } = await root.ask('OffsetFetch', 9, { groups: [some, all, all, some] });
  const none = errorCodes.NONE;
  assert.deepEqual(
    groups.map(({ errorCode, topics }) => [errorCode, topics.length]),
    [
      [none, 1],
      [none, 1],
      [errorCodes.INVALID_REQUEST, 0],
      [none, 1],
    ],
  );
});

test('DescribeShareGroupOffsets tells all of a group once', async (t) => {
  const bed = await ShareBed.open(t);
  await bed.broker.topics.create({ name: 'orders', partitions: 1 });
  const member = await bed.member('g', 'orders', 'm');
  await member.ask({ maxWaitMs: 0 });
  const all = { groupId: 'g', topics: null };
  const some = { groupId: 'g', topics: [{ topicName: 'orders', partitions: [0] }] };
  const { groups } = await member.client.ask('DescribeShareGroupOffsets', 1, {
    groups: [some, all, all, some],
  });
  const none = errorCodes.NONE;
  assert.deepEqual(
    groups.map(({ errorCode, topics }) => [errorCode, topics.length]),
    [
      [none, 1],
      [none, 1],
      [errorCodes.INVALID_REQUEST, 0],
      [none, 1],
    ],
  );
});

test('a group that is named often by somebody who may not see its topics is refused as often, not more', async (t) => {
  const { ann, allow } = await openBed(t);
  await allow('describe', 'group', 'g');
  const count = 5;
  const fetched = await ann.ask('OffsetFetch', 9, {
    groups: times(count, { groupId: 'g', topics: [{ name: 'secret', partitionIndexes: [0] }] }),
  });
  assert.deepEqual(
    fetched.groups.map(({ topics }) => topics.map(({ name }) => name)),
    times(count, ['secret']),
  );
  const described = await ann.ask('DescribeShareGroupOffsets', 1, {
    groups: times(count, { groupId: 'g', topics: [{ topicName: 'secret', partitions: [0] }] }),
  });
  assert.deepEqual(
    described.groups.map(({ topics }) => topics.map(({ topicName }) => topicName)),
    times(count, ['secret']),
  );
});

const resourceOf = (resourceName: string) => ({
  resourceType: groupType,
  resourceName,
  configurationKeys: null,
});

test('DescribeConfigs describes no more than one answer may have', async (t) => {
  const { root } = await openBed(t);
  const one = await root.ask('DescribeConfigs', 4, { resources: [resourceOf('g')] });
  const most = Math.ceil(limits.describedConfigsMax / one.results[0]!.configs.length);
  const { results } = await root.ask('DescribeConfigs', 4, {
    resources: Array.from({ length: most + 2 }, (_, index) => resourceOf(`g${index}`)),
  });
  assert.deepEqual(
    results.slice(most - 1).map(({ errorCode }) => errorCode),
    [errorCodes.NONE, errorCodes.INVALID_REQUEST, errorCodes.INVALID_REQUEST],
  );
});

test('acknowledgements of very many partitions are answered one by one', async (t) => {
  const bed = await ShareBed.open(t);
  await bed.broker.topics.create({ name: 'orders', partitions: 1, options: { retentionMs: -1 } });
  await bed.fromEarliest('g');
  await bed.broker.topics.find('orders')!.partitions[0]!.append(batchOf({ values: ['a'] }));
  const member = await bed.member('g', 'orders', 'm');
  await member.ask({ maxWaitMs: patienceMs });
  const accepted = [{ firstOffset: 0, lastOffset: 0, acknowledgeTypes: [1] }];
  // Of the one that is named twice the first outcome is told.
  const indexes = [...Array.from({ length: 20_000 }, (_, index) => index), 0];
  const { responses } = await member.client.ask('ShareAcknowledge', 1, {
    groupId: 'g',
    memberId: 'm',
    shareSessionEpoch: 1,
    topics: [
      {
        topicId: member.topicId,
        partitions: indexes.map((partitionIndex) => ({
          partitionIndex,
          acknowledgementBatches: accepted,
        })),
      },
    ],
  });
  assert.deepEqual(
    responses[0]!.partitions.map(({ errorCode }) => errorCode),
    indexes.map((index) => (index === 0 ? errorCodes.NONE : errorCodes.UNKNOWN_TOPIC_OR_PARTITION)),
  );
});
