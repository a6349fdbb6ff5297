// CreateTopics 2-7 (KIP-4, KIP-464, KIP-525). The answer comes when the topic is durable; the timeout of the request is
// not looked at.
import type { CreateTopicRequest, Topic } from '../../../broker/index.ts';
import { configSources } from '../config-sources.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { PartitionChanges } from '../partition-changes.ts';
import { Refusal } from '../refusal.ts';
import { findRepeated } from '../repetition.ts';
import { checkReplicas } from '../replica-assignment.ts';
import {
  addToChange,
  defaultSource,
  findTopicConfig,
  type TopicChange,
  topicConfigs,
  valueOf,
} from '../topic-configs.ts';
import { findNameFault } from '../topic-creation.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Asked = RequestOf<'CreateTopics'>['topics'][number];
type Result = ResponseInput<'CreateTopics'>['topics'][number];

export async function createTopics(
  context: HandlerContext,
  request: RequestOf<'CreateTopics'>,
  version: number,
): Promise<ResponseInput<'CreateTopics'>> {
  const changes = new PartitionChanges(context, version >= 6);
  const repeated = findRepeated(request.topics.map((asked) => asked.name));
  const distinct = new Map(request.topics.map((asked) => [asked.name, asked]));
  const topics = [...distinct.values()].map(async (asked) =>
    repeated.has(asked.name)
      ? failure(asked, new Refusal(errorCodes.INVALID_REQUEST, 'Duplicate topic name.'))
      : await create(context, changes, asked, request.validateOnly),
  );
  return { topics: await Promise.all(topics), throttleTimeMs: changes.throttleTimeMs };
}

/** In Kafka the log of its controllers, which tools take nothing else for. */
const metadataTopicName = '__cluster_metadata';

async function create(
  { broker }: HandlerContext,
  changes: PartitionChanges,
  asked: Asked,
  isDryRun: boolean,
): Promise<Result> {
  const fault = findNameFault(asked.name);
  if (fault !== undefined) {
    return failure(
      asked,
      new Refusal(errorCodes.INVALID_TOPIC_EXCEPTION, `Topic name is invalid: ${fault}`),
    );
  }
  if (asked.name === metadataTopicName) {
    const message = `Creation of internal topic ${metadataTopicName} is prohibited.`;
    return failure(asked, new Refusal(errorCodes.INVALID_REQUEST, message));
  }
  if (broker.topics.find(asked.name) !== undefined) {
    return failure(
      asked,
      new Refusal(errorCodes.TOPIC_ALREADY_EXISTS, `Topic '${asked.name}' already exists.`),
    );
  }
  const order = plan(asked, broker.brokerId);
  if (order instanceof Refusal) return failure(asked, order);
  const excess = isDryRun
    ? undefined
    : changes.take(order.partitions ?? broker.options.defaultPartitions);
  if (excess !== undefined) return failure(asked, excess);
  try {
    return success(await broker.topics.create({ ...order, isDryRun }));
  } catch (error) {
    return failure(asked, Refusal.from(error));
  }
}

function plan(asked: Asked, brokerId: number): CreateTopicRequest | Refusal {
  const partitions =
    asked.assignments.length > 0 ? countAssigned(asked, brokerId) : countPartitions(asked);
  if (partitions instanceof Refusal) return partitions;
  const change: TopicChange = { options: {}, attributes: {} };
  for (const { name, value } of asked.configs) {
    const config = findTopicConfig(name);
    if (config === undefined) {
      return new Refusal(errorCodes.INVALID_CONFIG, `Unknown topic config name: ${name}`);
    }
    if (value === null) {
      return new Refusal(
        errorCodes.INVALID_CONFIG,
        `Null value not supported for topic configs: ${name}`,
      );
    }
    const problem = addToChange(change, config, value);
    if (problem !== undefined) return new Refusal(errorCodes.INVALID_CONFIG, problem);
  }
  return {
    name: asked.name,
    ...(partitions === -1 ? {} : { partitions }),
    // Only values were added, no resets.
    options: withoutUndefined(change.options),
    attributes: withoutUndefined(change.attributes),
  };
}

function countPartitions({ numPartitions, replicationFactor }: Asked): number | Refusal {
  if (replicationFactor < -1 || replicationFactor === 0) {
    return new Refusal(
      errorCodes.INVALID_REPLICATION_FACTOR,
      'Replication factor must be larger than 0, or -1 to use the default value.',
    );
  }
  if (replicationFactor > 1) {
    return new Refusal(
      errorCodes.INVALID_REPLICATION_FACTOR,
      `Unable to replicate the partition ${replicationFactor} time(s): The target replication factor of ` +
        `${replicationFactor} cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.`,
    );
  }
  if (numPartitions < -1 || numPartitions === 0) {
    return new Refusal(
      errorCodes.INVALID_PARTITIONS,
      'Number of partitions was set to an invalid non-positive value.',
    );
  }
  return numPartitions;
}

function countAssigned(asked: Asked, brokerId: number): number | Refusal {
  const { assignments, numPartitions, replicationFactor } = asked;
  if (replicationFactor !== -1 || numPartitions !== -1) {
    const what = replicationFactor === -1 ? 'numPartitions' : 'replication factor';
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      `A manual partition assignment was specified, but ${what} was not set to -1.`,
    );
  }
  const indexes = new Set<number>();
  for (const { partitionIndex, brokerIds } of assignments) {
    indexes.add(partitionIndex);
    const refusal = checkReplicas(brokerIds, brokerId);
    if (refusal !== undefined) return refusal;
  }
  for (let index = 0; index < assignments.length; index += 1) {
    if (!indexes.has(index)) {
      return new Refusal(
        errorCodes.INVALID_REPLICA_ASSIGNMENT,
        'partitions should be a consecutive 0-based integer sequence',
      );
    }
  }
  return assignments.length;
}

function withoutUndefined<T extends object>(
  object: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Object.fromEntries` forgets the keys
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function success(topic: Topic): Result {
  return {
    name: topic.name,
    topicId: topic.id,
    errorCode: errorCodes.NONE,
    errorMessage: null,
    numPartitions: topic.partitions.length,
    replicationFactor: 1,
    configs: topicConfigs.map((config) => {
      const { value, isOwn } = valueOf(config, topic);
      return {
        name: config.name,
        value,
        readOnly: false,
        configSource: isOwn ? configSources.topic : defaultSource(config),
        isSensitive: false,
      };
    }),
  };
}

function failure(asked: Asked, { errorCode, message }: Refusal): Result {
  return { name: asked.name, errorCode, errorMessage: message, configs: null };
}
