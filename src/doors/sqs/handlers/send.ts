import { createHash } from 'node:crypto';
import { BrokerError, present } from '../../../base/index.ts';
import type { PublishGroup, Queue } from '../../../broker/index.ts';
import { property } from '../../../message/index.ts';
import { digestAttributes, digestBytes, type MessageAttributes } from '../attribute-digest.ts';
import { isFifo, type Sending, type SqsContext, type SqsRequest } from '../context.ts';
import {
  checkMessageAttributes,
  findTextForm,
  writeMessageAttributes,
} from '../message-attributes.ts';
import { isDedupByGroup, numberAttribute, textAttribute } from '../queue-attributes.ts';
import { getQueue } from '../queue-lookup.ts';
import { messageIdOf, sequenceNumberOf } from '../receipt-handle.ts';
import { type TextForm, textForm } from '../sent-memory.ts';
import { type Input, mapOf, numberOf, textOf } from '../shape.ts';
import {
  findSqsError,
  invalidParameter,
  invalidValue,
  missingParameter,
  SqsError,
} from '../sqs-error.ts';
import { batchFailure, checkBatch } from './batch.ts';

/** A message that was checked. */
interface Draft {
  /** As it is stored. */
  readonly stored: Buffer;
  /** Of what is stored as the text that was sent; undefined: of what is not. */
  readonly form: TextForm | undefined;
  readonly digest: string;
  readonly timestampMs: number;
  readonly bytes: number;
  readonly attributes: MessageAttributes | undefined;
  readonly trace: MessageAttributes | undefined;
  readonly delayS: number;
  readonly groupId: string | undefined;
  /** Within its group, where ids count within groups. */
  readonly dedupId: string | undefined;
}

const noAttributes: MessageAttributes = {};
const batchBytesMax = 1_048_576;

export async function sendMessage(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  const draft = checkMessage(request, queue, input);
  checkSize(request, queue, draft.bytes);
  const [answer] = await publish(request, queue, [draft]);
  if (answer === undefined) throw new SqsError('InternalFailure', 'The message was not stored.');
  if (answer instanceof SqsError) throw answer;
  return answer;
}

export async function sendMessageBatch(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  const entries = checkBatch(input, 'SendMessageBatchRequestEntry');
  if (isFifo(queue)) checkGroups(queue, entries);
  const drafts: Draft[] = [];
  const ids: string[] = [];
  const Failed: Input[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const id = textOf(entry, 'Id') ?? '';
    try {
      const draft = checkMessage(request, queue, entry);
      bytes += draft.bytes;
      checkSize(request, queue, Math.min(draft.bytes, batchBytesMax), 'cannot be validated');
      drafts.push(draft);
      ids.push(id);
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      Failed.push(batchFailure(id, error));
    }
  }
  const bytesMax = request.context.isRelaxed
    ? request.context.messageBytesMax
    : numberAttribute(queue, 'MaximumMessageSize');
  const limit = Math.max(bytesMax, batchBytesMax);
  if (bytes > limit) {
    throw new SqsError(
      'BatchRequestTooLong',
      `Batch requests cannot be longer than ${limit} bytes. You have sent ${bytes} bytes.`,
    );
  }
  const answers = await publish(request, queue, drafts);
  const Successful: Input[] = [];
  for (const [index, answer] of answers.entries()) {
    const Id = ids[index] ?? '';
    if (answer instanceof SqsError) Failed.push(batchFailure(Id, answer));
    else Successful.push({ Id, ...answer });
  }
  return Failed.length > 0 ? { Successful, Failed } : { Successful };
}

/** What every entry for a FIFO queue must have: without it nothing of the batch is taken. */
function checkGroups(queue: Queue, entries: readonly Input[]): void {
  const isContentBased = textAttribute(queue, 'ContentBasedDeduplication') === 'true';
  for (const entry of entries) {
    if (textOf(entry, 'MessageGroupId') === undefined) {
      throw invalidParameter('The request must contain the parameter MessageGroupId.');
    }
    if (!isContentBased && textOf(entry, 'MessageDeduplicationId') === undefined) {
      throw invalidParameter(dedupIdMissing);
    }
  }
}

const dedupIdMissing =
  'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly';

/** `problem`: the service has other words for an entry of a batch than for a request. */
function checkSize(
  request: SqsRequest,
  queue: Queue,
  bytes: number,
  problem = 'are invalid',
): void {
  const max = request.context.isRelaxed
    ? request.context.messageBytesMax
    : numberAttribute(queue, 'MaximumMessageSize');
  if (bytes > max) {
    throw invalidParameter(
      `One or more parameters ${problem}. Reason: Message must be shorter than ${max} bytes.`,
    );
  }
}

function checkMessage(request: SqsRequest, queue: Queue, input: Input): Draft {
  const body = textOf(input, 'MessageBody');
  if (body === undefined) throw missingParameter('MessageBody');
  if (body === '') throw missingParameter('MessageBody');
  const form = findTextForm(body);
  if (form === undefined) {
    throw new SqsError(
      'InvalidMessageContents',
      'Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF',
    );
  }
  const text = Buffer.from(body, form === textForm.any ? 'utf8' : 'latin1');
  let bytes = text.length;
  const given = mapOf(input, 'MessageAttributes');
  const checked = given === undefined ? undefined : checkMessageAttributes(given);
  bytes += checked?.bytes ?? 0;
  const encoding = checked?.attributes['pabal.body-encoding']?.StringValue;
  const isEncoded = encoding === 'base64';
  const group = checkGroup(request, queue, input, body);
  return {
    stored: isEncoded ? Buffer.from(body, 'base64') : text,
    form: isEncoded ? undefined : form,
    digest: digestBytes(text),
    timestampMs: request.context.clock.nowMs(),
    bytes,
    attributes: checked?.attributes,
    trace: checkSystemAttributes(input),
    delayS: checkDelay(request, queue, input),
    groupId: group.groupId,
    dedupId: group.dedupId,
  };
}

function checkSystemAttributes(input: Input): MessageAttributes | undefined {
  const given = mapOf(input, 'MessageSystemAttributes');
  if (given === undefined) return undefined;
  for (const name of Object.keys(given)) {
    if (name !== 'AWSTraceHeader') {
      throw invalidParameter(`Message system attribute name '${name}' is invalid.`);
    }
  }
  const { attributes } = checkMessageAttributes({ TraceHeader: given['AWSTraceHeader'] });
  const trace = attributes['TraceHeader']!;
  if (trace.DataType !== 'String') {
    throw invalidParameter("Message system attribute 'AWSTraceHeader' must be of type String.");
  }
  return { AWSTraceHeader: trace };
}

function checkDelay(request: SqsRequest, queue: Queue, input: Input): number {
  const delayS = numberOf(input, 'DelaySeconds');
  if (delayS === undefined) return numberAttribute(queue, 'DelaySeconds');
  if (isFifo(queue) && delayS !== 0) {
    throw invalidValue(
      delayS,
      'DelaySeconds',
      'The request include parameter that is not valid for this queue type.',
    );
  }
  const max = request.context.isRelaxed ? 10_000_000_000 : 900;
  if (delayS < 0 || delayS > max) {
    throw invalidValue(delayS, 'DelaySeconds', 'DelaySeconds must be >= 0 and <= 900.');
  }
  // A queue's own delay counts for a FIFO queue.
  return isFifo(queue) ? numberAttribute(queue, 'DelaySeconds') : delayS;
}

function checkGroup(
  { context }: SqsRequest,
  queue: Queue,
  input: Input,
  body: string,
): { groupId: string | undefined; dedupId: string | undefined } {
  const groupId = textOf(input, 'MessageGroupId');
  const dedupId = textOf(input, 'MessageDeduplicationId');
  if (groupId !== undefined && !isToken(groupId)) {
    throw invalidValue(groupId, 'MessageGroupId', tokenReason('MessageGroupId'));
  }
  if (!isFifo(queue)) {
    if (dedupId !== undefined) {
      throw invalidValue(
        dedupId,
        'MessageDeduplicationId',
        'The request includes a parameter that is not valid for this queue type.',
      );
    }
    return { groupId, dedupId: undefined };
  }
  if (groupId === undefined) throw missingParameter('MessageGroupId');
  if (dedupId !== undefined && !isToken(dedupId)) {
    throw invalidValue(dedupId, 'MessageDeduplicationId', tokenReason('MessageDeduplicationId'));
  }
  if (dedupId === undefined && textAttribute(queue, 'ContentBasedDeduplication') !== 'true') {
    throw invalidParameter(dedupIdMissing);
  }
  const id = dedupId ?? createHash('sha256').update(body, 'utf8').digest('hex');
  const isByGroup = isDedupByGroup(queue, context.clock.nowMs());
  return { groupId, dedupId: isByGroup ? `${groupId}${scopeMark}${id}` : id };
}

function isToken(text: string): boolean {
  return /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/.test(text);
}

function tokenReason(name: string): string {
  return `${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;
}

/** What parts a group from an id where ids count within groups; no id can have it. */
export const scopeMark = '\n';

/** Resolves when everything is durable: with an answer, or a refusal, for each. */
async function publish(
  request: SqsRequest,
  queue: Queue,
  drafts: readonly Draft[],
): Promise<Array<Input | SqsError>> {
  const { sending } = request.context;
  const { publisher } = request.context.broker;
  const outcomes: Array<'taken' | SqsError | Duplicate> = [];
  const keys: string[] = [];
  let group: PublishGroup | undefined;
  const places = new Promise<readonly number[]>((resolve, reject) => {
    group = publisher.open((closed, error) => {
      if (error === undefined) resolve(closed.places ?? []);
      else reject(error);
    });
  });
  // Those that wait for a message of this group hear of a failure from its own answer.
  places.catch(() => undefined);
  const opened = present(group, 'a promise is begun at once');
  opened.places = [];
  try {
    for (const draft of drafts) {
      const outcome = add(request, queue, draft, opened);
      const key = sentKey(queue, draft);
      if (outcome === 'duplicate') outcomes.push({ key, sending: sending.get(key) });
      else outcomes.push(outcome);
      if (outcome !== 'taken' || draft.dedupId === undefined) continue;
      sending.set(key, { places, at: opened.places.length - 2 });
      keys.push(key);
    }
    publisher.close(opened);
    const found = await places;
    const answers: Array<Input | SqsError> = [];
    let at = 0;
    for (const [index, draft] of drafts.entries()) {
      const outcome = outcomes[index]!;
      if (outcome instanceof SqsError) answers.push(outcome);
      else if (outcome === 'taken') {
        answers.push(answerOf(request.context, queue, draft, found[at]!, found[at + 1]!, true));
        at += 2;
      } else answers.push(await answerOfDuplicate(request.context, queue, draft, outcome));
    }
    return answers;
  } finally {
    for (const key of keys) sending.delete(key);
  }
}

interface Duplicate {
  readonly key: string;
  /** The first one, while that is not durable. */
  readonly sending: Sending | undefined;
}

function sentKey(queue: Queue, { dedupId }: Draft): string {
  return dedupId === undefined ? '' : `${queue.topic.id}/${dedupId}`;
}

/** What was answered to the first of the messages with that id; it is durable then. */
async function answerOfDuplicate(
  context: SqsContext,
  queue: Queue,
  draft: Draft,
  { sending }: Duplicate,
): Promise<Input | SqsError> {
  if (sending !== undefined) {
    const places = await sending.places;
    return answerOf(context, queue, draft, places[sending.at]!, places[sending.at + 1]!, false);
  }
  const id = draft.dedupId ?? '';
  for (const part of queue.parts) {
    const offset = part.findDuplicate(id);
    if (offset !== undefined && offset < part.partition.highWatermark)
      return answerOf(context, queue, draft, part.partition.index, Math.max(offset, 0), false);
  }
  // Another door is storing it.
  return new SqsError('ServiceUnavailableException', 'The message is being stored.');
}

function add(
  request: SqsRequest,
  queue: Queue,
  draft: Draft,
  group: PublishGroup,
): 'taken' | 'duplicate' | SqsError {
  const { context } = request;
  const { writer, outgoing } = context;
  writer.reset();
  const { groupId, dedupId, timestampMs: nowMs, attributes = noAttributes } = draft;
  if (draft.delayS > 0) writer.integer(property.deliverAt, nowMs + draft.delayS * 1000);
  if (groupId !== undefined) writer.text(property.group, groupId);
  if (dedupId !== undefined) writer.text(property.dedupId, dedupId);
  const trace = draft.trace?.['AWSTraceHeader']?.StringValue ?? request.traceHeader;
  if (trace !== undefined) writer.text(property.traceHeader, trace);
  if (attributes !== noAttributes) writeMessageAttributes(writer, attributes);
  outgoing.body = [draft.stored];
  outgoing.bodyBytes = draft.stored.length;
  outgoing.headers = writer.finish();
  outgoing.headerCount = writer.count;
  outgoing.timestampMs = nowMs;
  outgoing.key = writer.key ?? null;
  outgoing.priority = writer.priority;
  outgoing.expiresAtMs = writer.expiresAtMs;
  outgoing.deliverAtMs = writer.deliverAtMs;
  outgoing.groupId = writer.groupId;
  outgoing.dedupId = writer.dedupId;
  try {
    const outcome = context.broker.publisher.add(group, queue.topic, outgoing);
    return outcome === 'rejected'
      ? new SqsError('RequestThrottled', 'The queue is full.')
      : outcome;
  } catch (error) {
    const refusal = error instanceof BrokerError ? findSqsError(error) : undefined;
    if (refusal === undefined) throw error;
    return refusal;
  }
}

function answerOf(
  { sent }: SqsContext,
  queue: Queue,
  draft: Draft,
  partition: number,
  offset: number,
  isFirst: boolean,
): Input {
  const { attributes, trace, digest, form } = draft;
  const MessageId = messageIdOf(queue, partition, offset);
  // A repetition may have another body.
  if (isFirst && form !== undefined) {
    sent.note(queue.topic.id, partition, offset, draft.timestampMs, MessageId, digest, form);
  }
  const answer: Record<string, unknown> = { MessageId, MD5OfMessageBody: digest };
  if (attributes !== undefined) answer['MD5OfMessageAttributes'] = digestAttributes(attributes);
  if (trace !== undefined) answer['MD5OfMessageSystemAttributes'] = digestAttributes(trace);
  if (isFifo(queue)) answer['SequenceNumber'] = sequenceNumberOf(partition, offset);
  return answer;
}
