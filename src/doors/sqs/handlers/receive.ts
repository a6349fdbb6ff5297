import type { AcquiredMessage, WaitSignal } from '../../../shard/index.ts';
import type { Queue } from '../../../broker/index.ts';
import { asBuffer } from '../../../bytes/index.ts';
import { decodeOrigin, isUtf8Range, type Origin, property } from '../../../message/index.ts';
import { digestAttributes, digestText } from '../attribute-digest.ts';
import { type AttemptedMessage, isFifo, queueArn, type SqsRequest } from '../context.ts';
import { compileWants, isAllowedText, readMessageAttributes } from '../message-attributes.ts';
import { inFlightMax, numberAttribute } from '../queue-attributes.ts';
import { getQueue } from '../queue-lookup.ts';
import { messageIdAt, messageIdOf, sequenceNumberOf } from '../receipt-handle.ts';
import { ReadyJson } from '../json-text.ts';
import { type TextForm, textForm } from '../sent-memory.ts';
import { type Input, numberOf, textOf, textsOf } from '../shape.ts';
import { invalidValue, SqsError } from '../sqs-error.ts';
import { scopeMark } from './send.ts';

const systemNames: ReadonlySet<string> = new Set([
  'SenderId',
  'SentTimestamp',
  'ApproximateReceiveCount',
  'ApproximateFirstReceiveTimestamp',
  'SequenceNumber',
  'MessageDeduplicationId',
  'MessageGroupId',
  'AWSTraceHeader',
  'DeadLetterQueueSourceArn',
]);

const deathsPatienceMs = 1000;

export async function receiveMessage(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  const count = checkRange(input, 'MaxNumberOfMessages', 1, 10) ?? 1;
  const waitS =
    checkRange(input, 'WaitTimeSeconds', 0, 20) ??
    numberAttribute(queue, 'ReceiveMessageWaitTimeSeconds');
  const leaseS =
    checkRange(input, 'VisibilityTimeout', 0, 43_200) ??
    numberAttribute(queue, 'VisibilityTimeout');
  const names = checkSystemNames(input);
  const wants = compileWants(textsOf(input, 'MessageAttributeNames'));
  const attempt = checkAttempt(queue, input);
  if (attempt !== undefined) {
    const again = findAttempt(request, queue, attempt, leaseS * 1000);
    if (again !== undefined) return { Messages: again };
  }
  const messages = await acquire(request, queue, count, leaseS * 1000, waitS * 1000);
  if (messages.length === 0) return {};
  // The same attempt may be made in the other protocol.
  const isReady = request.isJson && attempt === undefined;
  const given: AttemptedMessage[] = messages.map((message) => ({
    partition: message.queue.partition.index,
    lease: message.lease,
    answer: answerOf(request, queue, message, names, wants, isReady),
  }));
  if (attempt !== undefined) {
    const { attempts } = request.context;
    attempts.set(attemptKey(queue, attempt), given, messages.reduce(addTextBytes, 0));
  }
  return { Messages: given.map(({ answer }) => answer) };
}

async function acquire(
  request: SqsRequest,
  queue: Queue,
  count: number,
  leaseMs: number,
  waitMs: number,
): Promise<AcquiredMessage[]> {
  const ask = {
    count,
    bytesMax: request.context.messageBytesMax,
    leaseMs,
    isAutoSettled: false,
    takesRuns: isFifo(queue),
  };
  let messages = await queue.acquire({ ...ask, waitMs: 0 });
  if (messages.length === 0) {
    // Who waits is not told, and FIFO queues never tell.
    if (waitMs === 0 && !isFifo(queue) && queue.counts().leased >= inFlightMax) {
      throw new SqsError('OverLimit', 'Too many messages in flight.');
    }
    if (waitMs > 0 && !request.isGone) {
      const caller = new WaitingCaller();
      request.onGone = () => caller.leave();
      messages = await queue.acquire({ ...ask, waitMs, signal: caller });
      request.onGone = undefined;
    }
  }
  for (const part of queue.parts) {
    const moved = part.deathsMoved();
    if (moved !== undefined) await patiently(request, moved);
  }
  if (!request.isGone) return messages;
  // Nobody is there to take them.
  for (const { queue: part, lease } of messages)
    part.release(lease, { delayMs: 0, isFailure: false });
  return [];
}

/** What an AbortSignal is to the one acquisition that it ends; thousands wait, and those take two kilobytes each. */
class WaitingCaller implements WaitSignal {
  aborted = false;
  #listener: (() => void) | undefined;

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listener = listener;
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener === listener) this.#listener = undefined;
  }

  leave(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.#listener?.();
  }
}

/** What died of being asked for is where the dead go when its receiver hears that it did not come, if that can be so soon. */
function patiently({ context }: SqsRequest, moved: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = context.clock.setTimer(deathsPatienceMs, resolve);
    void moved.then(() => {
      timer.cancel();
      resolve();
    });
  });
}

function checkRange(input: Input, name: string, min: number, max: number): number | undefined {
  const value = numberOf(input, name);
  if (value === undefined) return undefined;
  if (value < min || value > max) {
    const reason =
      name === 'MaxNumberOfMessages'
        ? `Must be between ${min} and ${max}, if provided.`
        : `Must be >= ${min} and <= ${max}, if provided.`;
    throw invalidValue(value, name, reason);
  }
  return value;
}

function checkSystemNames(input: Input): ReadonlySet<string> {
  const names = [
    ...textsOf(input, 'AttributeNames'),
    ...textsOf(input, 'MessageSystemAttributeNames'),
  ];
  if (names.includes('All')) return systemNames;
  for (const name of names) {
    // Names of a queue's attributes are let through, and mean nothing here.
    if (!systemNames.has(name) && !/^[A-Za-z]+$/.test(name)) {
      throw new SqsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
    }
  }
  return new Set(names);
}

function checkAttempt(queue: Queue, input: Input): string | undefined {
  const attempt = textOf(input, 'ReceiveRequestAttemptId');
  if (attempt === undefined) return undefined;
  if (!isFifo(queue)) {
    throw invalidValue(
      attempt,
      'ReceiveRequestAttemptId',
      'The request includes a parameter that is not valid for this queue type.',
    );
  }
  if (attempt === '' || attempt.length > 128) {
    throw invalidValue(
      attempt,
      'ReceiveRequestAttemptId',
      'ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.',
    );
  }
  return attempt;
}

function attemptKey(queue: Queue, attempt: string): string {
  return `${queue.topic.id}/${attempt}`;
}

/** Texts take up to two bytes for each of their characters. */
function addTextBytes(sum: number, { valueBytes, headersBytes }: AcquiredMessage): number {
  return sum + 2 * (Math.max(0, valueBytes) + headersBytes);
}

/** What the same attempt got before, while none of it was settled or given back; its time starts anew. */
function findAttempt(
  request: SqsRequest,
  queue: Queue,
  attempt: string,
  leaseMs: number,
): Array<Input | ReadyJson> | undefined {
  const given = request.context.attempts.get(attemptKey(queue, attempt));
  if (given === undefined) return undefined;
  const isIntact = given.every(
    ({ partition, lease }) => queue.parts[partition]?.isLeased(lease) === true,
  );
  if (!isIntact) return undefined;
  for (const { partition, lease } of given) queue.parts[partition]?.extend(lease, leaseMs);
  return given.map(({ answer }) => answer);
}

function answerOf(
  request: SqsRequest,
  queue: Queue,
  message: AcquiredMessage,
  names: ReadonlySet<string>,
  wants: ((name: string) => boolean) | undefined,
  isReady: boolean,
): Input | ReadyJson {
  const { context } = request;
  const partition = message.queue.partition.index;
  const { offset, deliveries } = message;
  const { sent } = context;
  const known = sent.find(queue.topic.id, partition, offset, message.timestampMs);
  const form = known < 0 ? undefined : sent.formAt(known);
  const { body, isEncoded } = form === undefined ? bodyOf(message) : knownBodyOf(message, form);
  const attributes =
    wants === undefined
      ? undefined
      : readMessageAttributes(
          context.reader,
          message.bytes,
          message.headersAt,
          message.headersAt + message.headersBytes,
          wants,
        );
  const shown = isEncoded
    ? { ...attributes, 'pabal.body-encoding': { DataType: 'String', StringValue: 'base64' } }
    : attributes;
  const origin = originOf(request, message);
  let MessageId = known < 0 ? undefined : sent.idAt(known);
  if (origin !== undefined)
    MessageId = messageIdAt(origin.topicId, origin.partition, origin.offset);
  MessageId ??= messageIdOf(queue, partition, offset);
  const ReceiptHandle = context.receipts.encode(queue, { partition, offset, deliveries });
  const MD5OfBody = form === undefined ? digestText(body) : sent.digestAt(known);
  if (isReady && form === textForm.plain && names.size === 0 && shown === undefined) {
    return new ReadyJson(
      `{"MessageId":"${MessageId}","ReceiptHandle":"${ReceiptHandle}","MD5OfBody":"${MD5OfBody}","Body":"${body}"}`,
    );
  }
  const answer: Record<string, unknown> = { MessageId, ReceiptHandle, MD5OfBody, Body: body };
  if (names.size > 0) {
    const system = systemAttributesOf(request, queue, message, names, origin);
    if (system !== undefined) answer['Attributes'] = system;
  }
  if (shown !== undefined) {
    answer['MessageAttributes'] = shown;
    answer['MD5OfMessageAttributes'] = digestAttributes(shown);
  }
  return answer;
}

/** Of a message that died elsewhere. */
function originOf({ context }: SqsRequest, message: AcquiredMessage): Origin | undefined {
  if (message.headerCount === 0) return undefined;
  const { reader } = context;
  reader.begin(message.bytes, message.headersAt, message.headersAt + message.headersBytes);
  return reader.seek(property.origin) ? decodeOrigin(reader.text) : undefined;
}

/** Of a text that was looked at when it was sent. */
function knownBodyOf(
  { bytes, valueAt, valueBytes }: AcquiredMessage,
  form: TextForm,
): { body: string; isEncoded: boolean } {
  const encoding = form === textForm.any ? 'utf8' : 'latin1';
  return {
    body: asBuffer(bytes).toString(encoding, valueAt, valueAt + valueBytes),
    isEncoded: false,
  };
}

function bodyOf({ bytes, valueAt, valueBytes }: AcquiredMessage): {
  body: string;
  isEncoded: boolean;
} {
  if (valueBytes <= 0) return { body: '', isEncoded: false };
  const buffer = asBuffer(bytes);
  const end = valueAt + valueBytes;
  if (isUtf8Range(bytes, valueAt, end)) {
    const body = buffer.toString('utf8', valueAt, end);
    if (isAllowedText(body)) return { body, isEncoded: false };
  }
  return { body: buffer.toString('base64', valueAt, end), isEncoded: true };
}

function systemAttributesOf(
  request: SqsRequest,
  queue: Queue,
  message: AcquiredMessage,
  names: ReadonlySet<string>,
  origin: Origin | undefined,
): Record<string, string> | undefined {
  const { context } = request;
  const result: Record<string, string> = {};
  const add = (name: string, value: () => string | undefined): void => {
    if (!names.has(name)) return;
    const text = value();
    if (text !== undefined) result[name] = text;
  };
  const { reader } = context;
  const read = (id: number): string | undefined => {
    reader.begin(message.bytes, message.headersAt, message.headersAt + message.headersBytes);
    return reader.seek(id) && reader.valueBytes > 0 ? reader.text : undefined;
  };
  const partition = message.queue.partition.index;
  add('SenderId', () => read(property.userId) ?? request.callerId);
  add('SentTimestamp', () => String(message.timestampMs));
  add('ApproximateReceiveCount', () => String(message.deliveries + (origin?.deliveries ?? 0)));
  add('ApproximateFirstReceiveTimestamp', () => firstReceived(request, queue, message));
  add('MessageGroupId', () => read(property.group));
  add('MessageDeduplicationId', () => {
    const id = read(property.dedupId);
    if (id !== undefined) return id.slice(id.indexOf(scopeMark) + 1);
    // Two messages with one id may die into one queue.
    if (origin === undefined || !isFifo(queue)) return undefined;
    return messageIdAt(origin.topicId, origin.partition, origin.offset);
  });
  if (isFifo(queue)) add('SequenceNumber', () => sequenceNumberOf(partition, message.offset));
  add('AWSTraceHeader', () => read(property.traceHeader));
  add('DeadLetterQueueSourceArn', () => {
    const name = read(property.lastDeathQueue);
    return name === undefined ? undefined : queueArn(request, name);
  });
  return Object.keys(result).length > 0 ? result : undefined;
}

/** Known since the start of this process, for messages whose receivers ask. */
function firstReceived(
  { context }: SqsRequest,
  queue: Queue,
  { queue: part, offset }: AcquiredMessage,
): string {
  const key = `${queue.topic.id}/${part.partition.index}/${offset}`;
  let ms = context.received.get(key);
  if (ms === undefined) {
    ms = context.clock.nowMs();
    context.received.set(key, ms);
  }
  return String(ms);
}
