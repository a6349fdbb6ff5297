import { limits } from '../../../base/index.ts';
import type { RequestOf } from '../wire/index.ts';

/** What the members of a streams group say that they compute (KIP-1071). */
export type Topology = NonNullable<RequestOf<'StreamsGroupHeartbeat'>['topology']>;
export type Subtopology = Topology['subtopologies'][number];
export type InternalTopic = Subtopology['repartitionSourceTopics'][number];

/** What the heartbeat's answer says of the group besides its assignment. */
export interface Status {
  readonly statusCode: number;
  readonly statusDetail: string;
}

export const statusCodes = {
  staleTopology: 0,
  missingSourceTopics: 1,
  incorrectlyPartitionedTopics: 2,
  missingInternalTopics: 3,
  shutdownApplication: 4,
  assignmentDelayed: 5,
} as const;

/** A subtopology whose topics all have a number of partitions. */
export interface ConfiguredSubtopology {
  readonly subtopologyId: string;
  /** Source topics and repartition topics that it reads, with their partitions. */
  readonly sources: ReadonlyMap<string, number>;
  readonly repartitionSources: readonly InternalTopic[];
  readonly changelogs: readonly InternalTopic[];
  readonly taskCount: number;
}

/** `problem`: why there is no work to divide yet. `missing`: topics that the broker is to create first. */
export interface ConfiguredTopology {
  readonly subtopologies: readonly ConfiguredSubtopology[];
  readonly missing: readonly InternalTopic[];
  readonly problem: Status | undefined;
}

type FindPartitionCount = (topic: string) => number | undefined;

/** Why a topology can not be that of a group; undefined: it can. */
export function findTopologyProblem({ subtopologies }: Topology): string | undefined {
  if (subtopologies.length === 0) return 'Topology must be non-empty.';
  const ids = new Set<string>();
  let names = 0;
  for (const subtopology of subtopologies) {
    const { subtopologyId, sourceTopics, repartitionSourceTopics } = subtopology;
    if (ids.has(subtopologyId)) return `Subtopology ${subtopologyId} is there twice.`;
    ids.add(subtopologyId);
    if (subtopology.sourceTopicRegex.length > 0) {
      return 'Regular expressions for source topics are not supported.';
    }
    if (sourceTopics.length + repartitionSourceTopics.length === 0) {
      return `Subtopology ${subtopologyId} has no source topics.`;
    }
    if (subtopology.copartitionGroups.some((group) => !isWithinBounds(group, subtopology))) {
      return `A copartition group of subtopology ${subtopologyId} names topics that it does not have.`;
    }
    names += requiredTopics(subtopology).length + subtopology.repartitionSinkTopics.length;
  }
  return names > limits.streamsTopologyTopicsMax
    ? `A topology names at most ${limits.streamsTopologyTopicsMax} topics.`
    : undefined;
}

function isWithinBounds(
  group: Subtopology['copartitionGroups'][number],
  { sourceTopics, repartitionSourceTopics }: Subtopology,
): boolean {
  return (
    group.sourceTopicRegex.length === 0 &&
    fits(group.sourceTopics, sourceTopics.length) &&
    fits(group.repartitionSourceTopics, repartitionSourceTopics.length)
  );
}

function fits(indexes: readonly number[], length: number): boolean {
  return indexes.every((index) => index >= 0 && index < length);
}

/** Topics that must be there before a subtopology can be worked on. */
export function requiredTopics(subtopology: Subtopology): string[] {
  return [
    ...subtopology.sourceTopics,
    ...subtopology.repartitionSourceTopics.map(({ name }) => name),
    ...subtopology.stateChangelogTopics.map(({ name }) => name),
  ];
}

class ConfigurationError extends Error {
  readonly status: Status;

  constructor(statusCode: number, statusDetail: string) {
    super(statusDetail);
    this.status = { statusCode, statusDetail };
  }
}

/**
 * Gives every internal topic its number of partitions: a repartition topic as many as the widest source of those that
 * write to it, unless it says how many; topics that are joined equally many; a changelog one for each task.
 */
export function configureTopology(
  topology: Topology,
  findPartitionCount: FindPartitionCount,
): ConfiguredTopology {
  try {
    checkSources(topology, findPartitionCount);
    const counts = countRepartitions(topology, findPartitionCount);
    const countOf: FindPartitionCount = (name) => counts.get(name) ?? findPartitionCount(name);
    for (const subtopology of topology.subtopologies) {
      for (const group of copartitionGroups(subtopology)) alignGroup(group, counts, countOf);
    }
    const subtopologies = topology.subtopologies.map((each) => configure(each, countOf));
    const missing = findMissing(subtopologies, findPartitionCount);
    const problem = missing.length === 0 ? undefined : missingInternal(missing);
    return { subtopologies, missing, problem };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { subtopologies: [], missing: [], problem: error.status };
  }
}

function missingInternal(missing: readonly InternalTopic[]): Status {
  const names = missing.map(({ name }) => name).join(', ');
  return {
    statusCode: statusCodes.missingInternalTopics,
    statusDetail: `Internal topics are missing: [${names}]`,
  };
}

function checkSources(topology: Topology, findPartitionCount: FindPartitionCount): void {
  const missing = new Set<string>();
  for (const { sourceTopics } of topology.subtopologies) {
    for (const name of sourceTopics) if (findPartitionCount(name) === undefined) missing.add(name);
  }
  if (missing.size === 0) return;
  const names = [...missing].toSorted().join(', ');
  throw new ConfigurationError(
    statusCodes.missingSourceTopics,
    `Source topics [${names}] are missing.`,
  );
}

/** By name, of all repartition topics. */
function countRepartitions(
  topology: Topology,
  findPartitionCount: FindPartitionCount,
): Map<string, number> {
  const counts = new Map<string, number>();
  const open = new Set<string>();
  for (const { repartitionSourceTopics } of topology.subtopologies) {
    for (const { name, partitions } of repartitionSourceTopics) {
      if (partitions === 0) open.add(name);
      else counts.set(name, partitions);
    }
  }
  // A repartition topic may be fed by another one, whose number must be known first.
  while (open.size > 0) {
    const sizeBefore = open.size;
    for (const name of open) {
      const count = widestFeeder(name, topology, counts, open, findPartitionCount);
      if (count === undefined) continue;
      counts.set(name, count);
      open.delete(name);
    }
    if (open.size === sizeBefore) {
      throw new ConfigurationError(
        statusCodes.missingSourceTopics,
        `Nothing says how many partitions these repartition topics have: [${[...open].join(', ')}]`,
      );
    }
  }
  return counts;
}

/** Undefined while the number of a feeding topic is still open. */
function widestFeeder(
  name: string,
  topology: Topology,
  counts: ReadonlyMap<string, number>,
  open: ReadonlySet<string>,
  findPartitionCount: FindPartitionCount,
): number | undefined {
  let widest: number | undefined;
  for (const subtopology of topology.subtopologies) {
    if (!subtopology.repartitionSinkTopics.includes(name)) continue;
    for (const { name: source } of subtopology.repartitionSourceTopics) {
      // One that feeds itself has its number from its other feeders.
      if (open.has(source) && source !== name) return undefined;
    }
    const sources = [
      ...subtopology.sourceTopics,
      ...subtopology.repartitionSourceTopics.map((topic) => topic.name),
    ];
    for (const source of sources) {
      const count = counts.get(source) ?? findPartitionCount(source);
      if (count !== undefined && source !== name) widest = Math.max(widest ?? 0, count);
    }
  }
  return widest;
}

interface CopartitionGroup {
  readonly sources: readonly string[];
  readonly repartitions: readonly InternalTopic[];
}

function copartitionGroups(subtopology: Subtopology): CopartitionGroup[] {
  return subtopology.copartitionGroups.map((group) => ({
    sources: group.sourceTopics.map((index) => subtopology.sourceTopics[index] ?? ''),
    repartitions: group.repartitionSourceTopics.flatMap(
      (index) => subtopology.repartitionSourceTopics[index] ?? [],
    ),
  }));
}

/** Topics that are joined need equally many partitions; those whose number is free follow the others. */
function alignGroup(
  { sources, repartitions }: CopartitionGroup,
  counts: Map<string, number>,
  countOf: FindPartitionCount,
): void {
  const fixed = [
    ...sources,
    ...repartitions.filter(({ partitions }) => partitions !== 0).map(({ name }) => name),
  ];
  const free = repartitions.filter(({ partitions }) => partitions === 0);
  const numbers = (fixed.length > 0 ? fixed : free.map(({ name }) => name)).map(
    (name) => countOf(name) ?? 0,
  );
  const count = Math.max(0, ...numbers);
  if (fixed.length > 0 && numbers.some((each) => each !== count)) {
    const list = fixed.map((name) => `${name}=${countOf(name)}`).toSorted();
    throw new ConfigurationError(
      statusCodes.incorrectlyPartitionedTopics,
      `Following topics do not have the same number of partitions: [${list.join(', ')}]`,
    );
  }
  for (const { name } of free) counts.set(name, count);
}

function configure(
  { subtopologyId, sourceTopics, repartitionSourceTopics, stateChangelogTopics }: Subtopology,
  countOf: FindPartitionCount,
): ConfiguredSubtopology {
  const sources = new Map<string, number>();
  for (const name of [...sourceTopics, ...repartitionSourceTopics.map((topic) => topic.name)]) {
    sources.set(name, countOf(name) ?? 0);
  }
  const taskCount = Math.max(...sources.values());
  return {
    subtopologyId,
    sources,
    repartitionSources: repartitionSourceTopics.map((topic) => ({
      ...topic,
      partitions: sources.get(topic.name) ?? 0,
    })),
    changelogs: stateChangelogTopics.map((topic) => ({ ...topic, partitions: taskCount })),
    taskCount,
  };
}

function findMissing(
  subtopologies: readonly ConfiguredSubtopology[],
  findPartitionCount: FindPartitionCount,
): InternalTopic[] {
  const missing = new Map<string, InternalTopic>();
  for (const { repartitionSources, changelogs } of subtopologies) {
    for (const topic of [...repartitionSources, ...changelogs]) {
      const found = findPartitionCount(topic.name);
      if (found === undefined) missing.set(topic.name, topic);
      else if (found !== topic.partitions) {
        throw new ConfigurationError(
          statusCodes.incorrectlyPartitionedTopics,
          `Existing topic ${topic.name} has different number of partitions: ` +
            `expected ${topic.partitions}, found ${found}`,
        );
      }
    }
  }
  return [...missing.values()];
}
