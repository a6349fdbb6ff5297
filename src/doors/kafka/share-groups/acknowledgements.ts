import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf } from '../wire/index.ts';
import type { SharePart } from './share-part.ts';
import type { ShareSession } from './share-session.ts';

/** What a consumer says of a record. */
export const acknowledgeTypes = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const;

type Topics = RequestOf<'ShareAcknowledge'>['topics'];
export type AcknowledgementBatch =
  Topics[number]['partitions'][number]['acknowledgementBatches'][number];

/** What is wrong with the acknowledgements of a partition, if anything. */
function findBatchProblem(
  batches: readonly AcknowledgementBatch[],
  mayRenew: boolean,
): string | undefined {
  let previous = -1;
  for (const { firstOffset, lastOffset, acknowledgeTypes: types } of batches) {
    if (firstOffset > lastOffset) {
      return `The first offset ${firstOffset} is greater than the last offset ${lastOffset}.`;
    }
    if (firstOffset <= previous) return `Offset ${firstOffset} is not behind those before it.`;
    previous = lastOffset;
    if (types.length === 0) return 'The acknowledge types are missing.';
    if (types.length > 1 && types.length !== lastOffset - firstOffset + 1) {
      return `There are ${types.length} acknowledge types for ${lastOffset - firstOffset + 1} offsets.`;
    }
    const greatest = mayRenew ? acknowledgeTypes.renew : acknowledgeTypes.reject;
    const strange = types.find((type) => type < acknowledgeTypes.gap || type > greatest);
    if (strange !== undefined) return `Acknowledge type ${strange} is not allowed.`;
  }
  return undefined;
}

/** Applies the acknowledgements of a partition: all of them, or none and false when one is of a record that it has not. */
function acknowledgeAll(
  part: SharePart,
  session: ShareSession,
  batches: readonly AcknowledgementBatch[],
): boolean {
  for (const { firstOffset, lastOffset } of batches) {
    if (!part.holds(session, firstOffset, lastOffset)) return false;
  }
  const { settledOffset } = part.part;
  for (const { firstOffset, lastOffset, acknowledgeTypes: types } of batches) {
    for (let offset = Math.max(firstOffset, settledOffset); offset <= lastOffset; offset += 1) {
      part.acknowledge(session, offset, types[types.length > 1 ? offset - firstOffset : 0] ?? 0);
    }
  }
  part.settledSome();
  return true;
}

/** What became of the acknowledgements of one partition. */
export interface AcknowledgeOutcome {
  readonly topicId: string;
  readonly partitionIndex: number;
  errorCode: number;
  errorMessage: string | null;
}

/** Applies a request's acknowledgements, and resolves when they are durable. */
export async function applyAcknowledgements(
  { broker, connection, door }: HandlerContext,
  session: ShareSession,
  topics: Topics,
  isRenewAck: boolean,
): Promise<AcknowledgeOutcome[]> {
  const outcomes: AcknowledgeOutcome[] = [];
  const durable: Array<Promise<void>> = [];
  const mayRenew =
    isRenewAck &&
    door.shareGroups.configs.value(session.groupId, 'share.renew.acknowledge.enable') === 'true';
  const applyTo = (topicId: string, index: number, batches: readonly AcknowledgementBatch[]) => {
    const topic = broker.topics.findById(topicId);
    if (topic === undefined) return new Refusal(errorCodes.UNKNOWN_TOPIC_ID, 'Unknown topic id.');
    // Sessions are longer than requests, and what the client may do can change.
    if (!connection.access.isUnlimited && !connection.access.may('read', 'topic', topic.name)) {
      return new Refusal(errorCodes.TOPIC_AUTHORIZATION_FAILED, 'Topic authorization failed.');
    }
    if (topic.partitions[index] === undefined) {
      return new Refusal(errorCodes.UNKNOWN_TOPIC_OR_PARTITION, 'Unknown partition.');
    }
    const problem = findBatchProblem(batches, mayRenew);
    if (problem !== undefined) return new Refusal(errorCodes.INVALID_REQUEST, problem);
    const part = session.findPart(door.shareGroups.queues.find(session.groupId, topic.name), index);
    if (part === undefined || !acknowledgeAll(part, session, batches)) {
      return new Refusal(
        errorCodes.INVALID_RECORD_STATE,
        'The records are not acquired by the member.',
      );
    }
    return part;
  };
  for (const { topicId, partitions } of topics) {
    for (const { partitionIndex, acknowledgementBatches } of partitions) {
      if (acknowledgementBatches.length === 0) continue;
      const result = applyTo(topicId, partitionIndex, acknowledgementBatches);
      const isRefused = result instanceof Refusal;
      const outcome: AcknowledgeOutcome = {
        topicId,
        partitionIndex,
        errorCode: isRefused ? result.errorCode : errorCodes.NONE,
        errorMessage: isRefused ? result.message : null,
      };
      outcomes.push(outcome);
      if (!isRefused) durable.push(untilDurable(result, outcome));
    }
  }
  await Promise.all(durable);
  return outcomes;
}

async function untilDurable({ part }: SharePart, outcome: AcknowledgeOutcome): Promise<void> {
  try {
    await part.settled();
  } catch (error) {
    const refusal = Refusal.from(error);
    outcome.errorCode = refusal.errorCode;
    outcome.errorMessage = refusal.message;
  }
}
