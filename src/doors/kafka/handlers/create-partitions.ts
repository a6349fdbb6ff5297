// CreatePartitions 0-3 (KIP-195). The timeout of the request is not looked at.
import type { Topic } from '../../../broker/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { PartitionChanges } from '../partition-changes.ts';
import { Refusal } from '../refusal.ts';
import { findRepeated } from '../repetition.ts';
import { checkReplicas } from '../replica-assignment.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Asked = RequestOf<'CreatePartitions'>['topics'][number];

export async function createPartitions(
  context: HandlerContext,
  request: RequestOf<'CreatePartitions'>,
  version: number,
): Promise<ResponseInput<'CreatePartitions'>> {
  const changes = new PartitionChanges(context, version >= 3);
  const repeated = findRepeated(request.topics.map((asked) => asked.name));
  const distinct = new Map(request.topics.map((asked) => [asked.name, asked]));
  const results = [...distinct.values()].map(async (asked) => {
    const refusal = repeated.has(asked.name)
      ? new Refusal(errorCodes.INVALID_REQUEST, 'Duplicate topic name.')
      : await grow(context, changes, asked, request.validateOnly);
    return {
      name: asked.name,
      errorCode: refusal?.errorCode ?? errorCodes.NONE,
      errorMessage: refusal?.message ?? null,
    };
  });
  return { results: await Promise.all(results), throttleTimeMs: changes.throttleTimeMs };
}

async function grow(
  { broker }: HandlerContext,
  changes: PartitionChanges,
  asked: Asked,
  isDryRun: boolean,
): Promise<Refusal | undefined> {
  const topic = broker.topics.find(asked.name);
  if (topic === undefined) {
    return new Refusal(
      errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
      'This server does not host this topic-partition.',
    );
  }
  const refusal = checkCount(asked, topic) ?? checkAssignments(asked, topic, broker.brokerId);
  if (refusal !== undefined) return refusal;
  const excess = isDryRun ? undefined : changes.take(asked.count - topic.partitions.length);
  if (excess !== undefined) return excess;
  try {
    await broker.topics.setPartitionCount(asked.name, asked.count, isDryRun);
    return undefined;
  } catch (error) {
    return Refusal.from(error);
  }
}

function checkCount({ name, count }: Asked, topic: Topic): Refusal | undefined {
  const now = topic.partitions.length;
  if (count > now) return undefined;
  const message =
    count === now
      ? `Topic already has ${now} partition(s).`
      : `The topic ${name} currently has ${now} partition(s); ${count} would not be an increase.`;
  return new Refusal(errorCodes.INVALID_PARTITIONS, message);
}

function checkAssignments(
  { count, assignments }: Asked,
  topic: Topic,
  brokerId: number,
): Refusal | undefined {
  if (assignments === null) return undefined;
  const added = count - topic.partitions.length;
  if (assignments.length !== added) {
    return new Refusal(
      errorCodes.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${added} additional partition(s), but only ${assignments.length} assignment(s) were specified.`,
    );
  }
  for (const { brokerIds } of assignments) {
    const refusal = checkReplicas(brokerIds, brokerId);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
