import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  configureTopology,
  findTopologyProblem,
  type InternalTopic,
  type Subtopology,
  statusCodes,
} from '../../../../src/doors/kafka/streams-groups/topology.ts';

function internal(name: string, partitions = 0): InternalTopic {
  return { name, partitions, replicationFactor: 0, topicConfigs: [] };
}

function subtopology(subtopologyId: string, parts: Partial<Subtopology>): Subtopology {
  return {
    subtopologyId,
    sourceTopics: [],
    sourceTopicRegex: [],
    stateChangelogTopics: [],
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    copartitionGroups: [],
    ...parts,
  };
}

function configure(subtopologies: Subtopology[], topics: Readonly<Record<string, number>>) {
  return configureTopology({ epoch: 0, subtopologies }, (name) => topics[name]);
}

function join(sources: number[], repartitions: number[]): Subtopology['copartitionGroups'] {
  return [{ sourceTopics: sources, sourceTopicRegex: [], repartitionSourceTopics: repartitions }];
}

describe('a topology', () => {
  const counting = [
    subtopology('0', { sourceTopics: ['lines'], repartitionSinkTopics: ['app-by-word'] }),
    subtopology('1', {
      repartitionSourceTopics: [internal('app-by-word')],
      stateChangelogTopics: [internal('app-counts')],
    }),
  ];

  it('gets its internal topics as wide as what feeds them', () => {
    const { subtopologies, missing, problem } = configure(counting, { lines: 5 });
    assert.deepEqual(
      missing.map(({ name, partitions }) => [name, partitions]),
      [
        ['app-by-word', 5],
        ['app-counts', 5],
      ],
    );
    assert.equal(problem?.statusCode, statusCodes.missingInternalTopics);
    assert.deepEqual(
      subtopologies.map(({ taskCount }) => taskCount),
      [5, 5],
    );
  });

  it('is ready once they are there', () => {
    const topics = { lines: 5, 'app-by-word': 5, 'app-counts': 5 };
    const { missing, problem } = configure(counting, topics);
    assert.deepEqual([missing, problem], [[], undefined]);
  });

  it('has no work without its source topics, and says which', () => {
    const { subtopologies, problem } = configure(counting, {});
    assert.deepEqual(subtopologies, []);
    assert.equal(problem?.statusCode, statusCodes.missingSourceTopics);
    assert.match(problem.statusDetail, /\[lines\]/);
  });

  it('does not take topics that are there with another width', () => {
    const { problem } = configure(counting, { lines: 5, 'app-by-word': 4, 'app-counts': 5 });
    assert.equal(problem?.statusCode, statusCodes.incorrectlyPartitionedTopics);
    assert.match(problem.statusDetail, /app-by-word .*expected 5, found 4/);
  });

  it('takes the width of a chain of repartitions from its beginning', () => {
    const chain = [
      subtopology('0', { sourceTopics: ['in'], repartitionSinkTopics: ['a'] }),
      subtopology('1', { repartitionSourceTopics: [internal('b')] }),
      subtopology('2', { repartitionSourceTopics: [internal('a')], repartitionSinkTopics: ['b'] }),
    ];
    const { missing } = configure(chain, { in: 7 });
    assert.deepEqual(
      missing.map(({ name, partitions }) => [name, partitions]),
      [
        ['b', 7],
        ['a', 7],
      ],
    );
  });

  it('says when nothing tells how wide a repartition topic is', () => {
    const circle = [
      subtopology('0', { repartitionSourceTopics: [internal('a')], repartitionSinkTopics: ['b'] }),
      subtopology('1', { repartitionSourceTopics: [internal('b')], repartitionSinkTopics: ['a'] }),
    ];
    assert.match(configure(circle, {}).problem?.statusDetail ?? '', /\[a, b\]/);
  });

  it('makes repartition topics as wide as what they are joined with', () => {
    const joined = [
      subtopology('0', { sourceTopics: ['in'], repartitionSinkTopics: ['app-moved'] }),
      subtopology('1', {
        sourceTopics: ['table'],
        repartitionSourceTopics: [internal('app-moved')],
        copartitionGroups: join([0], [0]),
      }),
    ];
    const { missing } = configure(joined, { in: 3, table: 8 });
    assert.deepEqual(
      missing.map(({ name, partitions }) => [name, partitions]),
      [['app-moved', 8]],
    );
  });

  it('cannot join topics of different widths', () => {
    const joined = [
      subtopology('0', { sourceTopics: ['a', 'b'], copartitionGroups: join([0, 1], []) }),
    ];
    const { problem } = configure(joined, { a: 2, b: 3 });
    assert.equal(problem?.statusCode, statusCodes.incorrectlyPartitionedTopics);
    assert.match(problem.statusDetail, /\[a=2, b=3\]/);
  });

  it('is refused when it is none', () => {
    const cases: Array<[string, Subtopology[], RegExp]> = [
      ['nothing', [], /non-empty/],
      ['no sources', [subtopology('0', {})], /no source topics/],
      [
        'two of one id',
        [subtopology('0', { sourceTopics: ['a'] }), subtopology('0', { sourceTopics: ['b'] })],
        /there twice/,
      ],
      [
        'a pattern',
        [subtopology('0', { sourceTopics: ['a'], sourceTopicRegex: ['b.*'] })],
        /Regular expressions/,
      ],
      [
        'a group of topics that it has not',
        [subtopology('0', { sourceTopics: ['a'], copartitionGroups: join([1], []) })],
        /copartition group/,
      ],
    ];
    for (const [what, subtopologies, problem] of cases) {
      assert.match(findTopologyProblem({ epoch: 0, subtopologies }) ?? '', problem, what);
    }
  });
});
