import type { QueueForm, QueueSettings } from '../../shard/index.ts';
import { AmqpError } from './amqp-error.ts';
import { letterName, printField } from './field-name.ts';
import type { Field, FieldTable } from './wire/index.ts';

export type QueueType = 'classic' | 'quorum' | 'stream';

/** What a queue is asked to be, by arguments, a policy or an operator's policy: RabbitMQ's words without `x-`. */
export interface QueueOptions {
  messageTtl?: number;
  expires?: number;
  maxLength?: number;
  maxLengthBytes?: number;
  overflow?: string;
  deadLetterExchange?: string;
  deadLetterRoutingKey?: string;
  /** −1: no limit. */
  deliveryLimit?: number;
  consumerTimeout?: number;
  delayedRetryType?: string;
  delayedRetryMin?: number;
  delayedRetryMax?: number;
  delayedRetryMultiplier?: number;
  maxAgeMs?: number;
  /** Ours: settled messages stay readable for so many milliseconds, and the queue can go back to them. */
  keepSettledMs?: number;
}

/** What a declaration comes to. */
export interface QueuePlan {
  readonly type: QueueType;
  readonly options: QueueOptions;
  readonly form: Partial<QueueForm>;
  readonly isSingleActive: boolean;
}

interface ArgumentRule {
  readonly types: readonly QueueType[];
  /** Says what is wrong, as RabbitMQ's text ends; undefined: nothing. */
  readonly check: (field: Field, all: FieldTable) => string | undefined;
  readonly option?: keyof QueueOptions;
}

const everyType: readonly QueueType[] = ['classic', 'quorum', 'stream'];
const consumed: readonly QueueType[] = ['classic', 'quorum'];
const quorum: readonly QueueType[] = ['quorum'];
const stream: readonly QueueType[] = ['stream'];
/** Where a queue is to live, in a cluster; the last three are deprecated names. */
const leaderLocators = ['client-local', 'balanced', 'random', 'least-leaders', 'min-masters'];
/** The longest times to live and of disuse that RabbitMQ takes: ten years. */
export const expiryMsMost = 10 * 365 * 86_400_000;

/** By name, in the order in which they are looked at. Arguments that are not here are kept and mean nothing. */
const rules: ReadonlyMap<string, ArgumentRule> = new Map<string, ArgumentRule>([
  ['x-expires', { types: consumed, check: checkExpires, option: 'expires' }],
  ['x-message-ttl', { types: consumed, check: checkTtl, option: 'messageTtl' }],
  ['x-dead-letter-exchange', { types: consumed, check: checkText, option: 'deadLetterExchange' }],
  [
    'x-dead-letter-routing-key',
    { types: consumed, check: checkDeadKey, option: 'deadLetterRoutingKey' },
  ],
  [
    'x-dead-letter-strategy',
    {
      types: quorum,
      check: oneOf(['at-most-once', 'at-least-once'], () => 'invalid_dlx_strategy'),
    },
  ],
  ['x-max-length', { types: consumed, check: checkNatural, option: 'maxLength' }],
  ['x-max-length-bytes', { types: everyType, check: checkNatural, option: 'maxLengthBytes' }],
  ['x-max-in-memory-length', { types: quorum, check: checkNatural }],
  ['x-max-in-memory-bytes', { types: quorum, check: checkNatural }],
  ['x-max-priority', { types: ['classic'], check: checkPriority }],
  [
    'x-overflow',
    {
      types: consumed,
      check: oneOf(['drop-head', 'reject-publish', 'reject-publish-dlx'], () => 'invalid_overflow'),
      option: 'overflow',
    },
  ],
  [
    'x-queue-mode',
    {
      types: ['classic'],
      check: oneOf(['default', 'lazy'], (mode) => `"unsupported queue mode '${mode}'"`),
    },
  ],
  ['x-queue-version', { types: ['classic'], check: checkInteger }],
  ['x-single-active-consumer', { types: consumed, check: checkTruth }],
  [
    'x-queue-type',
    {
      types: everyType,
      check: oneOf(everyType, (type) => `"unsupported queue type '${type}'"`),
    },
  ],
  ['x-delivery-limit', { types: quorum, check: checkInteger, option: 'deliveryLimit' }],
  ['x-consumer-timeout', { types: consumed, check: checkNatural, option: 'consumerTimeout' }],
  [
    'x-delayed-retry-type',
    {
      types: consumed,
      check: oneOf(['disabled', 'all', 'failed', 'returned'], () => 'invalid_delayed_retry_type'),
      option: 'delayedRetryType',
    },
  ],
  ['x-delayed-retry-min', { types: consumed, check: checkNatural, option: 'delayedRetryMin' }],
  ['x-delayed-retry-max', { types: consumed, check: checkNatural, option: 'delayedRetryMax' }],
  [
    'x-delayed-retry-multiplier',
    { types: consumed, check: checkNatural, option: 'delayedRetryMultiplier' },
  ],
  ['x-keep-settled', { types: consumed, check: checkNatural, option: 'keepSettledMs' }],
  ['x-max-age', { types: stream, check: checkMaxAge, option: 'maxAgeMs' }],
  ['x-stream-max-segment-size-bytes', { types: stream, check: checkNatural }],
  ['x-stream-filter-size-bytes', { types: stream, check: checkNatural }],
  ['x-initial-cluster-size', { types: stream, check: checkNatural }],
  ['x-quorum-initial-group-size', { types: quorum, check: checkNatural }],
  ['x-quorum-target-group-size', { types: quorum, check: checkNatural }],
  // In RabbitMQ 4 classic queues have it, too.
  [
    'x-queue-leader-locator',
    { types: everyType, check: oneOf(leaderLocators, () => 'invalid_queue_locator_arg') },
  ],
]);

/** What a second declaration must have as the first had it. */
export const comparedArguments: readonly string[] = [...rules.keys()];

export interface DeclaredQueue {
  readonly queue: string;
  readonly vhost: string;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
}

/** Throws an AmqpError, in RabbitMQ's words, for what such a queue cannot have. */
export function planQueue(declared: DeclaredQueue): QueuePlan {
  const place = `queue '${declared.queue}' in vhost '${declared.vhost}'`;
  const table = declared.arguments;
  const typeField = table.get('x-queue-type');
  for (const [name, rule] of rules) {
    const field = table.get(name);
    if (field === undefined) continue;
    // An unsupported argument is refused before its value is looked at.
    const type = typeOf(typeField);
    if (type !== undefined && !rule.types.includes(type)) {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `invalid arg '${name}' for ${place} of queue type rabbit_${type}_queue`,
      );
    }
    const fault = rule.check(field, table);
    if (fault === undefined) continue;
    if (name === 'x-dead-letter-exchange') {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `invalid type '${letterName(field)}' for arg '${name}' in ${place}`,
      );
    }
    throw new AmqpError('PRECONDITION_FAILED', `invalid arg '${name}' for ${place}: ${fault}`);
  }
  const type = typeOf(typeField) ?? 'classic';
  if (type !== 'classic') checkProperties(declared, place);
  return {
    type,
    options: readOptions(table),
    form: formOf(type, table),
    isSingleActive: isTrue(table.get('x-single-active-consumer')),
  };
}

function checkProperties(declared: DeclaredQueue, place: string): void {
  const wrong = !declared.durable
    ? 'non-durable'
    : declared.autoDelete
      ? 'auto-delete'
      : declared.exclusive
        ? 'exclusive-owner'
        : undefined;
  if (wrong === undefined) return;
  throw new AmqpError('PRECONDITION_FAILED', `invalid property '${wrong}' for ${place}`);
}

function typeOf(field: Field | undefined): QueueType | undefined {
  if (field === undefined) return 'classic';
  return everyType.find((type) => field.type === 'S' && field.value === type);
}

/** The arguments as options; the table has passed the checks, or is one of a queue that has. */
export function readOptions(table: FieldTable): QueueOptions {
  const options: Record<string, string | number> = {};
  for (const [name, { option }] of rules) {
    const field = table.get(name);
    if (field === undefined || option === undefined) continue;
    if (option === 'maxAgeMs') {
      const ms = field.type === 'S' ? readAge(field.value) : undefined;
      if (ms !== undefined) options[option] = ms;
    } else if (field.type === 'S') options[option] = field.value;
    else {
      const number = integerOf(field);
      if (number !== undefined) options[option] = number;
    }
  }
  return options;
}

function formOf(type: QueueType, table: FieldTable): Partial<QueueForm> {
  // Since RabbitMQ 4.3 a quorum queue tells 32 priorities apart; a message without one is in the middle of the lower ones.
  if (type === 'quorum') return { priorityMax: 31, priorityDefault: 4 };
  const most = table.get('x-max-priority');
  const priorityMax = most === undefined ? 0 : (integerOf(most) ?? 0);
  return priorityMax > 0 ? { priorityMax } : {};
}

/** Deliveries that fail before a message of a quorum queue dies; classic queues have no limit. */
const quorumDeliveryLimit = 20;

/** The neutral settings of a queue of a type with these options. Everything that options can say is in it. */
export function settingsOf(type: QueueType, options: QueueOptions): Partial<QueueSettings> {
  const limit = options.deliveryLimit ?? (type === 'quorum' ? quorumDeliveryLimit : -1);
  const hasRetry = options.delayedRetryType !== 'disabled' && (options.delayedRetryMin ?? 0) > 0;
  const settings: Partial<QueueSettings> = {
    failuresMax: limit < 0 ? -1 : limit,
    messageTtlMs: options.messageTtl ?? -1,
    readyMax: options.maxLength ?? -1,
    readyBytesMax: type === 'stream' ? -1 : (options.maxLengthBytes ?? -1),
    overflow: overflowOf(options.overflow),
    keepSettledMs: options.keepSettledMs ?? 0,
    leaseMs: (options.consumerTimeout ?? 0) > 0 ? options.consumerTimeout! : -1,
    retryDelayMs: hasRetry ? options.delayedRetryMin! : 0,
    retryDelayFactor: hasRetry ? (options.delayedRetryMultiplier ?? 2) : 1,
  };
  if (hasRetry && options.delayedRetryMax !== undefined) {
    settings.retryDelayMaxMs = Math.max(options.delayedRetryMax, options.delayedRetryMin!);
  }
  if (options.deadLetterExchange !== undefined) {
    settings.deadLetter = {
      exchange: options.deadLetterExchange,
      key: options.deadLetterRoutingKey,
    };
  }
  return settings;
}

function overflowOf(word: string | undefined): QueueSettings['overflow'] {
  switch (word) {
    case 'reject-publish':
      return 'reject';
    case 'reject-publish-dlx':
      return 'reject-dead-letter';
    default:
      return 'drop-head';
  }
}

/** `7D`: a number of years, months, days, hours, minutes or seconds. */
export function readAge(text: string): number | undefined {
  const match = /^(\d+)([YMDhms])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (ageUnitsMs.get(match[2]!) ?? 0);
}

const secondMs = 1000;
const dayMs = 86_400 * secondMs;
const ageUnitsMs: ReadonlyMap<string, number> = new Map([
  ['Y', 365 * dayMs],
  ['M', 30 * dayMs],
  ['D', dayMs],
  ['h', 3600 * secondMs],
  ['m', 60 * secondMs],
  ['s', secondMs],
]);

/** Of the letters that hold integers. */
export function integerOf(field: Field): number | undefined {
  switch (field.type) {
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
      return field.value;
    case 'l':
    case 'L':
      return Number(field.value);
    default:
      return undefined;
  }
}

function isTrue(field: Field | undefined): boolean {
  return field?.type === 't' && field.value;
}

function unacceptable(field: Field): string {
  return `{unacceptable_type,${letterName(field)}}`;
}

function checkInteger(field: Field): string | undefined {
  if (integerOf(field) !== undefined) return undefined;
  return `"expected integer, got ${letterName(field)}"`;
}

function checkNatural(field: Field): string | undefined {
  const fault = checkInteger(field);
  if (fault !== undefined) return fault;
  return integerOf(field)! < 0 ? `{value_negative,${printField(field)}}` : undefined;
}

function checkTtl(field: Field): string | undefined {
  const fault = checkNatural(field);
  if (fault !== undefined) return fault;
  return integerOf(field)! > expiryMsMost ? `{value_too_large,${printField(field)}}` : undefined;
}

function checkExpires(field: Field): string | undefined {
  const fault = checkTtl(field);
  if (fault !== undefined) return fault;
  return integerOf(field) === 0 ? '{value_zero,0}' : undefined;
}

function checkPriority(field: Field): string | undefined {
  const fault = checkNatural(field);
  if (fault !== undefined) return fault;
  return integerOf(field)! > 255 ? `{max_value_exceeded,${printField(field)}}` : undefined;
}

function checkText(field: Field): string | undefined {
  return field.type === 'S' ? undefined : unacceptable(field);
}

function checkTruth(field: Field): string | undefined {
  return field.type === 't' ? undefined : unacceptable(field);
}

function checkDeadKey(field: Field, all: FieldTable): string | undefined {
  if (field.type !== 'S') return unacceptable(field);
  return all.has('x-dead-letter-exchange') ? undefined : 'routing_key_but_no_dlx_defined';
}

function checkMaxAge(field: Field): string | undefined {
  if (field.type !== 'S') return unacceptable(field);
  return readAge(field.value) === undefined ? 'invalid_max_age' : undefined;
}

function oneOf(words: readonly string[], fault: (word: string) => string) {
  return (field: Field): string | undefined => {
    if (field.type !== 'S') return unacceptable(field);
    return words.includes(field.value) ? undefined : fault(field.value);
  };
}
