// Produce 3-13. Acks 1 and -1 both wait until the records are durable. Batches are checked and appended as they are,
// never decoded. Since version 12 a transactional Produce takes its partitions into the transaction (KIP-890); before, what
// is not in it is refused, since version 11 as TRANSACTION_ABORTABLE (KIP-1050). Deviations: the request's timeout is not looked
// at, because there are no replicas to wait for; that a transactional id is its producer's is checked with every request, in
// Kafka only with the first of a transaction in each partition.
import { BrokerError, ProtocolError } from '../../../base/index.ts';
import {
  batchAttributes,
  batchCompression,
  batchHeaderBytes,
  batchMagic,
  batchRecordCount,
  batchTotalBytes,
  isControlBatch,
} from '../../../bytes/index.ts';
import type { Topic } from '../../../broker/index.ts';
import { type AppendResult, RecordsInvalid } from '../../../shard/index.ts';
import type { TopicMetrics } from '../../../net/index.ts';
import { errorCodes, kafkaErrorCode } from '../error-codes.ts';
import type { HandlerContext, HandlerResult } from '../handler.ts';
import { isInternalTopic } from '../internal-topics.ts';
import { enterTransaction, entryErrorCode, isTransactional } from '../produce-transaction.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type TopicResponse = ResponseInput<'Produce'>['responses'][number];

type RecordError = NonNullable<TopicResponse['partitionResponses'][number]['recordErrors']>[number];

/** A partition's answer; filled in when its append is durable. */
interface PartitionOutcome {
  readonly index: number;
  errorCode: number;
  baseOffset: number;
  logAppendTimeMs: number;
  logStartOffset: number;
  errorMessage: string | null;
  recordErrors?: RecordError[];
}

type Answer = HandlerResult<'Produce'> | Promise<HandlerResult<'Produce'>>;

/**
 * Appends everything before it returns, in the order of the request; only then does it wait. Only a transaction over
 * several shards has to wait for its partitions first, and then in order.
 */
export function produce(
  context: HandlerContext,
  request: RequestOf<'Produce'>,
  version: number,
): Answer {
  let entering: Promise<void> | undefined;
  try {
    entering = enterTransaction(context, request, version);
  } catch (error) {
    if (error instanceof Refusal) return refuseAll(request, error);
    return appendAll(context, request, version, entryErrorCode(error, version));
  }
  if (entering === undefined) return appendAll(context, request, version, errorCodes.NONE);
  return entering.then(
    () => appendAll(context, request, version, errorCodes.NONE),
    (error) => appendAll(context, request, version, entryErrorCode(error, version)),
  );
}

function refuseAll(
  { acks, topicData }: RequestOf<'Produce'>,
  { errorCode, message }: Refusal,
): HandlerResult<'Produce'> {
  const responses = topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => ({
      index,
      errorCode,
      baseOffset: -1,
      errorMessage: message,
    })),
  }));
  return answer(responses, acks);
}

/** `refusal`: why transactional batches cannot be appended, or NONE. */
function appendAll(
  context: HandlerContext,
  request: RequestOf<'Produce'>,
  version: number,
  refusal: number,
): Answer {
  const { broker } = context;
  const { acks } = request;
  const areAcksValid = acks === -1 || acks === 0 || acks === 1;
  const responses: TopicResponse[] = [];
  const appends: Promise<void>[] = [];
  for (const { name, topicId, partitionData } of request.topicData) {
    const topic = version >= 13 ? broker.topics.findById(topicId) : broker.topics.find(name);
    const partitionResponses: PartitionOutcome[] = [];
    const metrics = topic === undefined ? undefined : context.door.metrics.forTopic(topic.name);
    for (const { index, records } of partitionData) {
      const outcome: PartitionOutcome = {
        index,
        errorCode: errorCodes.NONE,
        baseOffset: -1,
        logAppendTimeMs: -1,
        logStartOffset: -1,
        errorMessage: null,
      };
      partitionResponses.push(outcome);
      if (!areAcksValid) {
        refuse(outcome, errorCodes.INVALID_REQUIRED_ACKS, `acks must be -1, 0 or 1, not ${acks}`);
      } else if (topic === undefined || metrics === undefined) {
        outcome.errorCode =
          version >= 13 ? errorCodes.UNKNOWN_TOPIC_ID : errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
      } else if (isInternalTopic(topic.name)) {
        outcome.errorCode = errorCodes.INVALID_TOPIC_EXCEPTION;
      } else if (refusal !== errorCodes.NONE && isTransactional(records)) {
        outcome.errorCode = refusal;
      } else {
        const append = startAppend(topic, index, records, version, outcome, metrics);
        if (append !== undefined) appends.push(append);
      }
    }
    responses.push({ name, topicId, partitionResponses });
  }
  if (appends.length === 0) return answer(responses, acks);
  const all = appends.length === 1 ? appends[0]! : Promise.all(appends);
  return all.then(() => answer(responses, acks));
}

function startAppend(
  topic: Topic,
  index: number,
  records: Uint8Array | null,
  version: number,
  outcome: PartitionOutcome,
  metrics: TopicMetrics,
): Promise<void> | undefined {
  const partition = topic.partitions[index];
  if (partition === undefined) {
    outcome.errorCode = errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
    return undefined;
  }
  if (records === null || !isAcceptable(records, version, outcome)) {
    if (records === null) refuse(outcome, errorCodes.INVALID_RECORD, 'there is no record batch');
    return undefined;
  }
  const count = batchRecordCount(records, 0);
  const isAbortable = version >= 11 && isTransactional(records);
  const append = partition.append(records);
  return settle(append, outcome, metrics, count, records.length, isAbortable);
}

/** What the protocol asks for beyond what a partition checks by itself. */
function isAcceptable(records: Uint8Array, version: number, outcome: PartitionOutcome): boolean {
  if (records.length < batchHeaderBytes) {
    refuse(outcome, errorCodes.INVALID_RECORD, 'there is no whole record batch');
    return false;
  }
  if (batchMagic(records, 0) !== 2) {
    refuse(outcome, errorCodes.INVALID_RECORD, 'record batches must have the magic number 2');
    return false;
  }
  if (batchTotalBytes(records, 0) !== records.length) {
    refuse(outcome, errorCodes.INVALID_RECORD, 'there must be exactly one record batch');
    return false;
  }
  const attributes = batchAttributes(records, 0);
  if (batchCompression(attributes) === zstd && version < 7) {
    refuse(outcome, errorCodes.UNSUPPORTED_COMPRESSION_TYPE, 'zstd needs Produce version 7');
    return false;
  }
  if (isControlBatch(attributes)) {
    refuse(outcome, errorCodes.INVALID_RECORD, 'clients may not write control batches');
    return false;
  }
  return true;
}

async function settle(
  append: Promise<AppendResult>,
  outcome: PartitionOutcome,
  metrics: TopicMetrics,
  records: number,
  bytes: number,
  isAbortable: boolean,
): Promise<void> {
  try {
    const result = await append;
    outcome.baseOffset = result.baseOffset;
    outcome.logAppendTimeMs = result.appendTimeMs;
    outcome.logStartOffset = result.logStartOffset;
    if (result.isDuplicate) return;
    metrics.recordsIn += records;
    metrics.bytesIn += bytes;
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    const isLeftOut = isAbortable && error.code === 'transaction-invalid';
    const code = isLeftOut ? errorCodes.TRANSACTION_ABORTABLE : kafkaErrorCode(error.code);
    refuse(outcome, code, error.message);
    // Which records the batch was refused for (KIP-467): the client may send the others again.
    if (error instanceof RecordsInvalid) {
      const batchIndexErrorMessage = error.reason;
      outcome.recordErrors = error.indexes.map((batchIndex) => ({
        batchIndex,
        batchIndexErrorMessage,
      }));
    }
  }
}

function answer(responses: TopicResponse[], acks: number): HandlerResult<'Produce'> {
  if (acks !== 0) return { responses };
  for (const { partitionResponses } of responses) {
    for (const { errorCode, errorMessage } of partitionResponses) {
      // Without a response, closing the connection is all that can tell the client to look for new metadata.
      if (errorCode !== errorCodes.NONE) {
        throw new ProtocolError(`produce without acks failed: ${errorMessage ?? errorCode}`);
      }
    }
  }
  return undefined;
}

function refuse(outcome: PartitionOutcome, errorCode: number, message: string): void {
  outcome.errorCode = errorCode;
  outcome.errorMessage = message;
}

/** Number of the codec in a batch's attributes. */
const zstd = 4;
