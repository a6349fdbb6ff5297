import { BrokerError, limits } from '../../../base/index.ts';
import { QueueSender, type Queue, type SendOptions } from '../../../broker/index.ts';
import { readMessage, textOf } from '../../../message/index.ts';
import type { AcquiredMessage, PartitionQueue, QueueMessage } from '../../../shard/index.ts';
import {
  asArray,
  asObject,
  asText,
  asTruth,
  asWholeNumber,
  invalid,
  type JsonObject,
  optional,
  refuseOthers,
} from '../body.ts';
import type { AdminHandler } from '../context.ts';
import { readNumber } from '../query.ts';
import { decode, encode } from './messages.ts';
import { getQueue } from './queues.ts';

const peekInitial = 10;
/** A caller that has gone is noticed by this time only: its messages return. */
const leaseInitialMs = 30_000;
const leaseMaxMs = 12 * 3600 * 1000;
const waitMaxMs = 20_000;

/** Messages in the order in which they would be given out; nothing changes. */
export const peekMessages: AdminHandler = async ({ broker }, request) => {
  const queue = getQueue(broker, request, ['skip', 'limit']);
  const skip = readNumber(request.query, 'skip', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const limit = readNumber(request.query, 'limit', 1, limits.adminBrowseMessagesMax) ?? peekInitial;
  const found = await queue.peek(skip, limit, limits.adminBrowseBytesMax);
  return { status: 200, content: { json: { messages: found.map((message) => show(message)) } } };
};

/** Publishes to the queue; answers when everything is durable, with what became of each message. */
export const sendMessages: AdminHandler = async ({ broker, clock }, request) => {
  const queue = getQueue(broker, request);
  const body = await request.readBody();
  refuseOthers(body, ['messages'], 'the body');
  const items = asArray(body['messages'], 'messages', limits.adminBrowseMessagesMax);
  if (items.length === 0) throw invalid('messages', 'an array of at least one message');
  const messages = items.map((item, index) => readOutgoing(item, `messages[${index}]`));
  const sender = new QueueSender(clock, broker.publisher);
  const results = await Promise.all(
    messages.map(({ value, options }) => sender.send(queue.topic, value, options).catch(asRefusal)),
  );
  if (results.every((result) => result === 'rejected')) {
    throw new BrokerError('queue-full', queue.name);
  }
  const traffic = request.metrics.forTopic(queue.name);
  for (const [index, { value }] of messages.entries()) {
    if (results[index] !== 'stored') continue;
    traffic.recordsIn++;
    traffic.bytesIn += value.length;
  }
  return { status: 201, content: { json: { results: results.map((outcome) => ({ outcome })) } } };
};

/** Leases messages to the caller, who settles them by their receipts. */
export const receiveMessages: AdminHandler = async ({ broker }, request) => {
  const queue = getQueue(broker, request);
  const body = await request.readBody();
  refuseOthers(body, ['max', 'waitMs', 'leaseMs'], 'the body');
  const max = readWithin(body, 'max', 1, limits.adminBrowseMessagesMax) ?? 1;
  const waitMs = readWithin(body, 'waitMs', 0, waitMaxMs) ?? 0;
  const ownMs = queue.settings.leaseMs;
  const leaseMs =
    readWithin(body, 'leaseMs', 1, leaseMaxMs) ?? (ownMs > 0 ? ownMs : leaseInitialMs);
  const messages = await queue.acquire({
    count: max,
    bytesMax: limits.adminBrowseBytesMax,
    leaseMs,
    isAutoSettled: false,
    waitMs,
  });
  const traffic = request.metrics.forTopic(queue.name);
  traffic.recordsOut += messages.length;
  for (const { valueBytes } of messages) traffic.bytesOut += Math.max(0, valueBytes);
  const shown = messages.map((message) => show(message, receiptOf(message)));
  return { status: 200, content: { json: { messages: shown, leaseMs } } };
};

/** Settles messages, or gives them more time; answers when that is durable. False: the receipt was not good any more. */
export const settleMessages: AdminHandler = async ({ broker }, request) => {
  const queue = getQueue(broker, request);
  const body = await request.readBody();
  refuseOthers(body, ['settlements'], 'the body');
  const items = asArray(body['settlements'], 'settlements', limits.adminBrowseMessagesMax);
  const settlements = items.map((item, index) => readSettlement(item, `settlements[${index}]`));
  const results = settlements.map((settlement) => ({
    receipt: settlement.receipt,
    isSettled: settle(queue, settlement),
  }));
  await queue.settled();
  return { status: 200, content: { json: { results } } };
};

function asRefusal(error: unknown): 'rejected' {
  if (error instanceof BrokerError && error.code === 'queue-full') return 'rejected';
  throw error;
}

interface Outgoing {
  value: Uint8Array;
  options: SendOptions;
}

const textOptions = ['contentType', 'correlationId', 'replyTo', 'messageId', 'type'] as const;
const scheduleTexts = ['group', 'dedupId'] as const;
const scheduleNumbers = ['priority', 'delayMs', 'ttlMs'] as const;

function readOutgoing(item: unknown, where: string): Outgoing {
  const message = asObject(item, where);
  refuseOthers(
    message,
    [
      'key',
      'keyEncoding',
      'value',
      'valueEncoding',
      'headers',
      'deliverAtMs',
      ...textOptions,
      ...scheduleTexts,
      ...scheduleNumbers,
    ],
    where,
  );
  const options: SendOptions = {};
  for (const name of [...textOptions, ...scheduleTexts]) {
    const text = optional(message, name, asText);
    if (text !== undefined) options[name] = text;
  }
  for (const name of scheduleNumbers) {
    const number = readWithin(message, name, 0, Number.MAX_SAFE_INTEGER);
    if (number !== undefined) options[name] = number;
  }
  const deliverAtMs = readWithin(message, 'deliverAtMs', 0, Number.MAX_SAFE_INTEGER);
  if (deliverAtMs !== undefined) options.deliverAt = deliverAtMs;
  const key = decode(message, 'key', 'keyEncoding');
  if (key !== null) options.key = key;
  const headers = optional(message, 'headers', asObject);
  if (headers !== undefined) options.headers = readHeaders(headers, `${where}.headers`);
  return { value: decode(message, 'value', 'valueEncoding') ?? Buffer.alloc(0), options };
}

function readHeaders(object: JsonObject, where: string): NonNullable<SendOptions['headers']> {
  const headers: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(object)) {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      throw invalid(`${where}.${name}`, 'a text, a number, true or false');
    }
    headers[name] = value;
  }
  return headers;
}

function show(message: QueueMessage, receipt?: string): object {
  const { bytes, keyAt, keyBytes, valueAt, valueBytes, headersAt, headersBytes } = message;
  const key = encode(keyBytes < 0 ? null : bytes.subarray(keyAt, keyAt + keyBytes));
  const value = encode(valueBytes < 0 ? null : bytes.subarray(valueAt, valueAt + valueBytes));
  const view = readMessage(bytes, headersAt, headersAt + headersBytes);
  // The headers show their types themselves.
  const { types: _types, ...properties } = view.properties;
  return {
    ...(receipt === undefined ? {} : { receipt }),
    offset: message.offset,
    timestampMs: message.timestampMs,
    deliveries: message.deliveries,
    failures: message.failures,
    key: key.text,
    keyEncoding: key.encoding,
    value: value.text,
    valueEncoding: value.encoding,
    properties,
    headers: view.headers.map(({ name, value: typed }) => {
      const content = typed.type === 'bytes' ? typed.value : undefined;
      const { text, encoding } = encode(content ?? null);
      return content === undefined
        ? { name, type: typed.type, value: textOf(typed) ?? null, encoding: 'utf8' }
        : { name, type: typed.type, value: text, encoding };
    }),
  };
}

/** Partition, offset and delivery: good as long as that delivery is, also after a restart. */
function receiptOf({ queue, offset, deliveries }: AcquiredMessage): string {
  return `${queue.partition.index}.${offset}.${deliveries}`;
}

interface Settlement {
  receipt: string;
  outcome: 'accept' | 'release' | 'reject' | 'extend';
  delayMs: number | undefined;
  isFailure: boolean;
  leaseMs: number;
}

const outcomes = ['accept', 'release', 'reject', 'extend'] as const;

function readSettlement(item: unknown, where: string): Settlement {
  const object = asObject(item, where);
  refuseOthers(object, ['receipt', 'outcome', 'delayMs', 'isFailure', 'leaseMs'], where);
  const outcome = outcomes.find((word) => word === (object['outcome'] ?? 'accept'));
  if (outcome === undefined) {
    throw invalid(`${where}.outcome`, outcomes.map((word) => `"${word}"`).join(' or '));
  }
  return {
    receipt: asText(object['receipt'], `${where}.receipt`),
    outcome,
    delayMs: readWithin(object, 'delayMs', 0, Number.MAX_SAFE_INTEGER),
    isFailure: optional(object, 'isFailure', asTruth) ?? true,
    leaseMs: readWithin(object, 'leaseMs', 0, leaseMaxMs) ?? leaseInitialMs,
  };
}

function settle(queue: Queue, settlement: Settlement): boolean {
  const match = /^(\d{1,9})\.(\d{1,16})\.(\d{1,9})$/.exec(settlement.receipt);
  const part: PartitionQueue | undefined = queue.parts[Number(match?.[1])];
  if (match === null || part === undefined) return false;
  const lease = part.findLease(Number(match[2]), Number(match[3]));
  if (lease === undefined) return false;
  const { outcome, delayMs, isFailure, leaseMs } = settlement;
  if (outcome === 'accept') return part.accept(lease);
  if (outcome === 'reject') return part.reject(lease, 'rejected');
  if (outcome === 'extend') return part.extend(lease, leaseMs);
  return part.release(lease, { isFailure, ...(delayMs === undefined ? {} : { delayMs }) });
}

function readWithin(
  object: JsonObject,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const value = optional(object, name, asWholeNumber);
  if (value !== undefined && (value < min || value > max)) {
    throw invalid(name, `a whole number from ${min} to ${max}`);
  }
  return value;
}
