import { BrokerError } from '../../../base/index.ts';
import {
  type BrokerPort,
  checkTopicName,
  type Topic,
  type TopicOptions,
} from '../../../broker/index.ts';
import { codecs } from '../../../bytes/index.ts';
import {
  asObject,
  asText,
  asTruth,
  asWholeNumber,
  invalid,
  optional,
  refuseOthers,
} from '../body.ts';
import type { AdminHandler } from '../context.ts';

export const listTopics: AdminHandler = ({ broker }) => ({
  status: 200,
  content: { json: { topics: broker.topics.list().map(summarize) } },
});

export const createTopic: AdminHandler = async ({ broker }, request) => {
  const body = await request.readBody();
  refuseOthers(body, ['name', 'partitions', 'options', 'isDryRun'], 'the body');
  const partitions = optional(body, 'partitions', asWholeNumber);
  const options = optional(body, 'options', readOptions);
  const isDryRun = optional(body, 'isDryRun', asTruth) ?? false;
  const name = asText(body['name'], 'name');
  checkTopicName(name);
  const topic = await broker.topics.create({
    name,
    ...(partitions === undefined ? {} : { partitions }),
    ...(options === undefined ? {} : { options: withoutNulls(options) }),
    isDryRun,
  });
  if (isDryRun) return { status: 200, content: { json: summarize(topic) } };
  const location = `/api/v1/topics/${encodeURIComponent(topic.name)}`;
  return { status: 201, headers: { location }, content: { json: describe(topic) } };
};

export const describeTopic: AdminHandler = ({ broker }, request) => ({
  status: 200,
  content: { json: describe(getTopic(broker, request.params['name'])) },
});

export const changeTopic: AdminHandler = async ({ broker }, request) => {
  const { name } = getTopic(broker, request.params['name']);
  const body = await request.readBody();
  refuseOthers(body, ['partitions', 'options'], 'the body');
  const partitions = optional(body, 'partitions', asWholeNumber);
  const options = optional(body, 'options', readOptions);
  if (partitions !== undefined) await broker.topics.setPartitionCount(name, partitions);
  if (options !== undefined) await broker.topics.configure(name, { options });
  return { status: 200, content: { json: describe(getTopic(broker, name)) } };
};

export const deleteTopic: AdminHandler = async ({ broker }, request) => {
  await broker.topics.delete(getTopic(broker, request.params['name']).name);
  return { status: 204 };
};

export function getTopic(broker: BrokerPort, name: string | undefined): Topic {
  const topic = broker.topics.find(name ?? '');
  if (topic === undefined) throw new BrokerError('topic-not-found', name);
  return topic;
}

function summarize(topic: Topic): object {
  let recordCount = 0;
  let sizeBytes = 0;
  for (const partition of topic.partitions) {
    recordCount += partition.highWatermark - partition.logStartOffset;
    sizeBytes += partition.sizeBytes;
  }
  return {
    name: topic.name,
    id: topic.id,
    partitionCount: topic.partitions.length,
    recordCount,
    sizeBytes,
    createdMs: topic.createdMs,
  };
}

function describe(topic: Topic): object {
  return {
    ...summarize(topic),
    options: topic.options,
    ownOptions: topic.ownOptions,
    attributes: topic.attributes,
    partitions: topic.partitions.map((partition) => ({
      partition: partition.index,
      logStartOffset: partition.logStartOffset,
      highWatermark: partition.highWatermark,
      lastStableOffset: partition.lastStableOffset,
      leaderEpoch: partition.leaderEpoch,
      sizeBytes: partition.sizeBytes,
    })),
  };
}

/** Null takes a setting back to its default. */
type OptionChange = { [K in keyof TopicOptions]?: TopicOptions[K] | undefined };

const readers: {
  readonly [K in keyof TopicOptions]: (value: unknown, where: string) => TopicOptions[K];
} = {
  retentionMs: asWholeNumber,
  retentionBytes: asWholeNumber,
  cleanup: asWord('delete', 'compact', 'compact,delete', 'none'),
  batchBytesMax: asWholeNumber,
  timestampType: asWord('create', 'append'),
  timestampBehindMaxMs: asWholeNumber,
  timestampAheadMaxMs: asWholeNumber,
  tombstoneRetentionMs: asWholeNumber,
  compactionLagMinMs: asWholeNumber,
  compactionLagMaxMs: asWholeNumber,
  dirtyShareMin: asShare,
  activeBytesMax: asWholeNumber,
  activeMs: asWholeNumber,
  compression: asWord('producer', ...codecs),
};

function readOptions(value: unknown, where: string): OptionChange {
  const object = asObject(value, where);
  refuseOthers(object, Object.keys(readers), where);
  const change: Record<string, unknown> = {};
  for (const [key, read] of Object.entries(readers)) {
    const given = object[key];
    if (given === undefined) continue;
    change[key] = given === null ? undefined : read(given, `${where}.${key}`);
  }
  // Each value was read by the reader of its own key.
  return change;
}

function asShare(value: unknown, where: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1))
    throw invalid(where, 'a number from 0 to 1');
  return value;
}

function asWord<const T extends string>(
  ...words: readonly T[]
): (value: unknown, where: string) => T {
  return (value, where) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw invalid(where, words.map((word) => `"${word}"`).join(' or '));
    return found;
  };
}

function withoutNulls(change: OptionChange): Partial<TopicOptions> {
  const entries = Object.entries(change).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}
