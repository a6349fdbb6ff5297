// Metadata 0-13 (KIP-4, KIP-430, KIP-516). Unlike Kafka, a topic that is created on use is described at once instead
// of being reported as not yet available.
import { BrokerError } from '../../../base/index.ts';
import type { Topic } from '../../../broker/index.ts';
import { clusterOperations, operationsOmitted, topicOperations } from '../authorized-operations.ts';
import { clusterIdOf } from '../cluster-id.ts';
import { errorCodes, kafkaErrorCode } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { isInternalTopic } from '../internal-topics.ts';
import { createOnUse, isTopicName } from '../topic-creation.ts';
import { describePartition } from '../topic-description.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';

type TopicEntry = ResponseInput<'Metadata'>['topics'][number];

export async function metadata(
  context: HandlerContext,
  request: RequestOf<'Metadata'>,
  version: number,
): Promise<ResponseInput<'Metadata'>> {
  const { broker, connection } = context;
  return {
    brokers: [
      {
        nodeId: broker.brokerId,
        host: connection.advertised.host,
        port: connection.advertised.port,
      },
    ],
    clusterId: clusterIdOf(broker.storeId),
    controllerId: broker.brokerId,
    topics: await listEntries(context, request, version),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? clusterOperations
      : operationsOmitted,
  };
}

async function listEntries(
  context: HandlerContext,
  request: RequestOf<'Metadata'>,
  version: number,
): Promise<TopicEntry[]> {
  const { broker } = context;
  const operations = request.includeTopicAuthorizedOperations ? topicOperations : operationsOmitted;
  const isForAll = request.topics === null || (version === 0 && request.topics.length === 0);
  if (isForAll) {
    return broker.topics.list().map((topic) => describe(topic, broker.brokerId, operations));
  }
  const entries: TopicEntry[] = [];
  const seen = new Set<string>();
  for (const { name, topicId } of request.topics ?? []) {
    const key = topicId === zeroUuid ? `name ${name}` : `id ${topicId}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (topicId === zeroUuid) {
      const found = await findOrCreate(context, name, request.allowAutoTopicCreation);
      entries.push(
        typeof found === 'number'
          ? failure(found, name, zeroUuid)
          : describe(found, broker.brokerId, operations),
      );
    } else if (version < 12) {
      // Before version 12 the answer cannot be without a name.
      entries.push(failure(errorCodes.INVALID_REQUEST, name ?? '', topicId));
    } else {
      const topic = broker.topics.findById(topicId);
      entries.push(
        topic === undefined
          ? failure(errorCodes.UNKNOWN_TOPIC_ID, null, topicId)
          : describe(topic, broker.brokerId, operations),
      );
    }
  }
  return entries;
}

/** A topic, or the error code that says why there is none. */
async function findOrCreate(
  { broker, log }: HandlerContext,
  name: string | null,
  mayCreate: boolean,
): Promise<Topic | number> {
  if (name === null) return errorCodes.INVALID_REQUEST;
  const topic = broker.topics.find(name);
  if (topic !== undefined) return topic;
  if (!isTopicName(name)) return errorCodes.INVALID_TOPIC_EXCEPTION;
  if (!mayCreate || !broker.options.createTopicsOnUse) return errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  try {
    return await createOnUse(broker, name);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    log.warn({ topic: name, err: error }, 'topic could not be created on use');
    return kafkaErrorCode(error.code);
  }
}

function describe(topic: Topic, brokerId: number, operations: number): TopicEntry {
  const nodes = [brokerId] as const;
  return {
    errorCode: errorCodes.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.map((partition) => describePartition(partition, nodes)),
    topicAuthorizedOperations: operations,
  };
}

function failure(errorCode: number, name: string | null, topicId: string): TopicEntry {
  return { errorCode, name: name ?? (topicId === zeroUuid ? '' : null), topicId, partitions: [] };
}
