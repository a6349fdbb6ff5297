import type { Queue, QueueForm, QueueSettings } from '../../broker/index.ts';
import { isFifo, queueArn, type SqsRequest } from './context.ts';
import { nameOfArn } from './queue-lookup.ts';
import type { Input } from './shape.ts';
import { isObject } from './shape.ts';
import { invalidValue, SqsError } from './sqs-error.ts';

/** Numbers: least, greatest and default value, in seconds or bytes. */
const numberRules = {
  DelaySeconds: [0, 900, 0],
  MaximumMessageSize: [1024, 1_048_576, 1_048_576],
  MessageRetentionPeriod: [60, 1_209_600, 345_600],
  ReceiveMessageWaitTimeSeconds: [0, 20, 0],
  VisibilityTimeout: [0, 43_200, 30],
  KmsDataKeyReusePeriodSeconds: [60, 86_400, 300],
} as const satisfies Record<string, readonly [number, number, number]>;

type NumberName = keyof typeof numberRules;

const words: Readonly<Record<string, readonly string[]>> = {
  FifoQueue: ['true'],
  ContentBasedDeduplication: ['true', 'false'],
  SqsManagedSseEnabled: ['true', 'false'],
  DeduplicationScope: ['messageGroup', 'queue'],
  FifoThroughputLimit: ['perQueue', 'perMessageGroupId'],
};

const fifoNames = new Set([
  'FifoQueue',
  'ContentBasedDeduplication',
  'DeduplicationScope',
  'FifoThroughputLimit',
]);

const settable = new Set<string>([
  ...Object.keys(numberRules),
  ...Object.keys(words),
  'Policy',
  'RedrivePolicy',
  'RedriveAllowPolicy',
  'KmsMasterKeyId',
]);

/** In the order in which they are told. */
const readable: ReadonlySet<string> = new Set([
  'QueueArn',
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
  'CreatedTimestamp',
  'LastModifiedTimestamp',
  ...settable,
]);

/** Prefix of the attributes that only this door understands. */
const prefix = 'sqs.';
/** Messages of a queue that may be in flight. */
export const inFlightMax = 120_000;
const dedupWindowMs = 300_000;
export const policyBytesMax = 8192;
/** Of an attribute that is a name of something elsewhere. */
const textBytesMax = 2048;

/** Options of a queue as the broker has them. */
export interface QueueOptions {
  readonly settings: Partial<QueueSettings>;
  readonly attributes: Record<string, string>;
}

function isNumberAttribute(name: string): name is NumberName {
  return Object.hasOwn(numberRules, name);
}

/** An attribute as a number; the API's default where nothing else was said. */
export function numberAttribute(queue: Queue, name: NumberName): number {
  const { leaseMs, messageTtlMs } = queue.settings;
  if (name === 'VisibilityTimeout' && leaseMs >= 0) return Math.floor(leaseMs / 1000);
  if (name === 'MessageRetentionPeriod' && messageTtlMs >= 0)
    return Math.floor(messageTtlMs / 1000);
  const text = queue.attributes[prefix + name];
  return text === undefined ? numberRules[name][2] : Number(text);
}

export function textAttribute(queue: Queue, name: string): string | undefined {
  return queue.attributes[prefix + name];
}

/** How long another scope of deduplication takes to count: the service promises a minute at most, and takes it. */
const scopeDelayMs = 60_000;
const scopeBefore = `${prefix}scopeBefore`;

/** Whether a FIFO queue's deduplication ids count within groups. */
export function isDedupByGroup(queue: Queue, nowMs: number): boolean {
  const [before, until] = queue.attributes[scopeBefore]?.split(' ') ?? [];
  const scope = nowMs < Number(until ?? 0) ? before : textAttribute(queue, 'DeduplicationScope');
  return scope === 'messageGroup';
}

/** What a queue whose deduplication scope changes must remember. */
export function noteScope(
  { context }: SqsRequest,
  queue: Queue,
  attributes: Readonly<Record<string, string>>,
): Record<string, string> {
  const wanted = attributes[`${prefix}DeduplicationScope`];
  if (wanted === undefined || context.isRelaxed) return {};
  if (wanted === (textAttribute(queue, 'DeduplicationScope') ?? 'queue')) return {};
  const nowMs = context.clock.nowMs();
  const now = isDedupByGroup(queue, nowMs) ? 'messageGroup' : 'queue';
  return { [scopeBefore]: wanted === now ? '' : `${now} ${nowMs + scopeDelayMs}` };
}

/** Checks attributes that a caller gives and maps them to the broker's options. Throws SqsError. */
export function checkAttributes(
  request: SqsRequest,
  attributes: Input,
  queueName: string,
  isNew: boolean,
): QueueOptions {
  const fifo = queueName.endsWith('.fifo');
  const settings: Partial<QueueSettings> = {};
  const own: Record<string, string> = {};
  for (const [name, raw] of Object.entries(attributes)) {
    const value = normalize(name, typeof raw === 'string' ? raw : String(raw));
    if (!settable.has(name) || (!fifo && fifoNames.has(name) && value !== '')) {
      throw unknownAttribute(name);
    }
    if (name === 'FifoQueue' && !isNew && value !== 'true') {
      throw invalidAttribute(name, 'Modifying queue type is not supported.');
    }
    const isOk = isNumberAttribute(name)
      ? isNumberOk(request, name, value)
      : value === '' || (words[name]?.includes(value.trim()) ?? isTextOk(name, value));
    if (!isOk) throw invalidAttribute(name);
    if (name === 'VisibilityTimeout') settings.leaseMs = Number(value) * 1000;
    else if (name === 'MessageRetentionPeriod') settings.messageTtlMs = Number(value) * 1000;
    else if (name === 'RedrivePolicy')
      Object.assign(settings, redriveSettings(request, value, fifo));
    else if (name === 'RedriveAllowPolicy') own[prefix + name] = checkRedriveAllow(value);
    else if (name === 'Policy') own[prefix + name] = checkPolicy(value);
    else if (name !== 'FifoQueue') own[prefix + name] = value;
  }
  chooseEncryption(own);
  own[`${prefix}LastModified`] = String(Math.floor(request.context.clock.nowMs() / 1000));
  return { settings, attributes: own };
}

/** Of the two kinds of encryption a queue has one: a key ends the service's own, and the other way round. */
function chooseEncryption(own: Record<string, string>): void {
  const key = own[`${prefix}KmsMasterKeyId`] ?? '';
  const isManaged = own[`${prefix}SqsManagedSseEnabled`] === 'true';
  if (key !== '' && isManaged) {
    throw new SqsError(
      'InvalidAttributeName',
      'You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.',
    );
  }
  if (key !== '') own[`${prefix}SqsManagedSseEnabled`] = 'false';
  else if (isManaged) own[`${prefix}KmsMasterKeyId`] = '';
}

/** Those that are JSON have rules of their own. */
function isTextOk(name: string, value: string): boolean {
  return isJsonAttribute(name) || Buffer.byteLength(value) <= textBytesMax;
}

/** Truth may be written in any case. */
function normalize(name: string, value: string): string {
  return Object.hasOwn(words, name) && words[name]?.includes('true') === true
    ? value.toLowerCase()
    : value;
}

function unknownAttribute(name: string): SqsError {
  const isThroughput = name === 'DeduplicationScope' || name === 'FifoThroughputLimit';
  return new SqsError(
    'InvalidAttributeName',
    isThroughput
      ? `You can specify the ${name} only when FifoQueue is set to true.`
      : `Unknown Attribute ${name}.`,
  );
}

/** What a queue of this API is from its creation on. */
export function initialSettings(fifo: boolean): Partial<QueueSettings> {
  return {
    leaseMs: numberRules.VisibilityTimeout[2] * 1000,
    messageTtlMs: numberRules.MessageRetentionPeriod[2] * 1000,
    leasedMax: inFlightMax,
    dropsExpired: true,
    ...(fifo ? { dedupWindowMs } : {}),
  };
}

export function initialForm(fifo: boolean): Partial<QueueForm> {
  return fifo ? { isGrouped: true } : { isFair: true };
}

/** Throws SqsError for a name that no attribute has. */
export function checkReadable(names: readonly string[]): void {
  for (const name of names) {
    if (name !== 'All' && !readable.has(name)) {
      throw new SqsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
    }
  }
}

/** The queue's attributes of those names, `All` for every one that has a value. */
export function readAttributes(
  request: SqsRequest,
  queue: Queue,
  names: readonly string[],
): Record<string, string> {
  const wanted = names.includes('All') ? readable : new Set(names);
  const counts = queue.counts();
  const result: Record<string, string> = {};
  for (const name of readable) {
    if (!wanted.has(name)) continue;
    const value = readAttribute(request, queue, name, counts);
    if (value !== undefined && value !== '') result[name] = value;
  }
  return result;
}

function readAttribute(
  request: SqsRequest,
  queue: Queue,
  name: string,
  counts: { ready: number; leased: number; delayed: number },
): string | undefined {
  switch (name) {
    case 'QueueArn':
      return queueArn(request, queue.name);
    case 'ApproximateNumberOfMessages':
      return String(counts.ready);
    case 'ApproximateNumberOfMessagesNotVisible':
      return String(counts.leased);
    case 'ApproximateNumberOfMessagesDelayed':
      return String(counts.delayed);
    case 'CreatedTimestamp':
      return String(Math.floor(queue.createdMs / 1000));
    case 'LastModifiedTimestamp':
      return textAttribute(queue, 'LastModified') ?? String(Math.floor(queue.createdMs / 1000));
    case 'RedrivePolicy':
      return redrivePolicyOf(request, queue);
    case 'FifoQueue':
      return isFifo(queue) ? 'true' : undefined;
    case 'ContentBasedDeduplication':
      return isFifo(queue) ? (textAttribute(queue, name) ?? 'false') : undefined;
    case 'DeduplicationScope':
      return isFifo(queue) ? (textAttribute(queue, name) ?? 'queue') : undefined;
    case 'FifoThroughputLimit':
      return isFifo(queue) ? (textAttribute(queue, name) ?? 'perQueue') : undefined;
    case 'KmsDataKeyReusePeriodSeconds':
      // It is of a key: without one there is none.
      return (textAttribute(queue, 'KmsMasterKeyId') ?? '') === ''
        ? undefined
        : String(numberAttribute(queue, name));
    case 'SqsManagedSseEnabled':
      return (
        textAttribute(queue, name) ?? String(textAttribute(queue, 'KmsMasterKeyId') === undefined)
      );
    default:
      return isNumberAttribute(name)
        ? String(numberAttribute(queue, name))
        : textAttribute(queue, name);
  }
}

/** The queue that a queue's dead messages go to; undefined when there is none, or it is none of this API's. */
export function deadLetterNameOf(queue: Queue): string | undefined {
  const { deadLetter } = queue.settings;
  return deadLetter?.exchange === '' ? deadLetter.key : undefined;
}

function redrivePolicyOf(request: SqsRequest, queue: Queue): string | undefined {
  const name = deadLetterNameOf(queue);
  const { failuresMax } = queue.settings;
  if (name === undefined || failuresMax < 0) return undefined;
  return JSON.stringify({
    deadLetterTargetArn: queueArn(request, name),
    maxReceiveCount: failuresMax + 1,
  });
}

function redriveSettings(
  request: SqsRequest,
  value: string,
  fifo: boolean,
): Partial<QueueSettings> {
  if (value === '') return { deadLetter: undefined, failuresMax: -1, keepsFailed: false };
  const refuse = (reason: string): SqsError => invalidValue(value, 'RedrivePolicy', reason);
  const policy = parseObject(value);
  if (policy === undefined) throw refuse('Redrive policy is not a valid JSON map.');
  const { deadLetterTargetArn: arn, maxReceiveCount } = policy;
  if (arn === undefined || maxReceiveCount === undefined) {
    const missing = arn === undefined ? 'deadLetterTargetArn' : 'maxReceiveCount';
    throw refuse(`Redrive policy does not contain mandatory attribute: ${missing}.`);
  }
  for (const name of Object.keys(policy)) {
    if (name !== 'deadLetterTargetArn' && name !== 'maxReceiveCount') {
      throw refuse(
        'Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].',
      );
    }
  }
  const count = Number(maxReceiveCount);
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw refuse(
      `Invalid value for maxReceiveCount: ${JSON.stringify(maxReceiveCount)}, valid values are from 1 to 1000 both inclusive.`,
    );
  }
  const name = typeof arn === 'string' ? nameOfArn(arn) : undefined;
  if (name === undefined) throw refuse('Invalid value for deadLetterTargetArn.');
  const target = request.context.broker.queues.find('', name);
  if (target === undefined) throw refuse('Dead letter target does not exist.');
  if (isFifo(target) !== fifo) {
    throw refuse('Dead-letter queue must be same type of queue as the source.');
  }
  // The service moves a message when it would be received once too often, and not before.
  return { deadLetter: { exchange: '', key: name }, failuresMax: count - 1, keepsFailed: true };
}

/** Throws when the target of a redrive policy does not let the source in. */
export function checkRedriveAllowed(
  request: SqsRequest,
  sourceName: string,
  settings: Partial<QueueSettings>,
): void {
  const name = settings.deadLetter?.key;
  if (name === undefined) return;
  const target = request.context.broker.queues.find('', name);
  const text = target === undefined ? undefined : textAttribute(target, 'RedriveAllowPolicy');
  const policy = text === undefined ? undefined : parseObject(text);
  if (policy === undefined) return;
  const { redrivePermission, sourceQueueArns } = policy;
  const sources = Array.isArray(sourceQueueArns) ? sourceQueueArns : [];
  const isListed = sources.some((arn) => nameOfArn(String(arn)) === sourceName);
  if (redrivePermission === 'denyAll' || (redrivePermission === 'byQueue' && !isListed)) {
    throw invalidValue(
      queueArn(request, name),
      'RedrivePolicy',
      'The dead-letter queue does not allow this queue as a source queue.',
    );
  }
}

function checkRedriveAllow(value: string): string {
  if (value === '') return value;
  const policy = parseObject(value);
  const { redrivePermission, sourceQueueArns } = policy ?? {};
  const isByQueue = redrivePermission === 'byQueue';
  const isOk =
    (isByQueue &&
      Array.isArray(sourceQueueArns) &&
      sourceQueueArns.length > 0 &&
      sourceQueueArns.length <= 10) ||
    ((redrivePermission === 'allowAll' || redrivePermission === 'denyAll') &&
      sourceQueueArns === undefined);
  if (!isOk)
    throw invalidValue(
      value,
      'RedriveAllowPolicy',
      "Amazon SQS can't create the redrive allow policy, as it\u2019s in an unsupported format.",
    );
  return value;
}

function checkPolicy(value: string): string {
  const isTooLong = Buffer.byteLength(value) > policyBytesMax;
  if (value !== '' && (isTooLong || parseObject(value) === undefined))
    throw invalidAttribute('Policy');
  return value;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isNumberOk(request: SqsRequest, name: NumberName, value: string): boolean {
  if (!/^\d{1,12}$/.test(value)) return false;
  if (request.context.isRelaxed) return name !== 'MaximumMessageSize' || Number(value) > 0;
  const [min, max] = numberRules[name];
  return Number(value) >= min && Number(value) <= max;
}

function invalidAttribute(name: string, reason?: string): SqsError {
  const why = reason === undefined ? '' : ` Reason: ${reason}`;
  return new SqsError('InvalidAttributeValue', `Invalid value for the parameter ${name}.${why}`);
}

/** The attribute, of those given, in which a queue that exists differs; undefined when it is the same. */
export function findDifference(
  request: SqsRequest,
  queue: Queue,
  attributes: Input,
): string | undefined {
  for (const [name, raw] of Object.entries(attributes)) {
    if (!settable.has(name)) throw unknownAttribute(name);
    const now = readAttributes(request, queue, [name])[name] ?? '';
    const value = normalize(name, String(raw));
    if (isJsonAttribute(name) ? canonical(now) !== canonical(value) : now !== value) return name;
  }
  return undefined;
}

function isJsonAttribute(name: string): boolean {
  return name === 'Policy' || name === 'RedrivePolicy' || name === 'RedriveAllowPolicy';
}

/** Numbers may be texts in these, and a region is not part of a queue here. */
function canonical(text: string): string {
  const value = parseObject(text);
  if (value === undefined) return text;
  const entries = Object.entries(value).map(([name, item]): [string, unknown] => [
    name,
    name === 'maxReceiveCount'
      ? Number(item)
      : name === 'deadLetterTargetArn'
        ? nameOfArn(String(item))
        : item,
  ]);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(entries);
}
