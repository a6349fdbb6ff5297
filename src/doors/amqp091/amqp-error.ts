import { BrokerError, type BrokerErrorCode } from '../../base/index.ts';
import { isHardError, type ReplyName, replyCodes } from './wire/index.ts';

/**
 * Why a method is refused. Its code decides whether the channel or the connection closes (AMQP 0-9-1 §1.1); handlers
 * throw it, and whoever dispatched the method adds class and method to the close.
 */
export class AmqpError extends Error {
  override readonly name = 'AmqpError';
  readonly reply: ReplyName;

  /** `text` follows the name of the code in the reply text, as RabbitMQ words it. */
  constructor(reply: ReplyName, text: string, options?: { cause?: unknown }) {
    super(text, options);
    this.reply = reply;
  }

  get replyCode(): number {
    return replyCodes[this.reply];
  }

  /** At most 255 bytes. */
  get replyText(): string {
    return shorten(`${this.reply} - ${this.message}`);
  }

  get isHard(): boolean {
    return isHardError(this.reply);
  }
}

/** What a client is told of anything that was thrown; undefined: a fault of ours. */
export function amqpErrorOf(error: unknown): AmqpError | undefined {
  if (error instanceof AmqpError) return error;
  if (!(error instanceof BrokerError)) return undefined;
  return new AmqpError(replyOf[error.code], error.message, { cause: error });
}

/** As RabbitMQ shortens explanations: a reply text is a short string. */
function shorten(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= 255) return text;
  let end = 252;
  // Not within a character.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return `${bytes.toString('utf8', 0, end)}...`;
}

const replyOf = {
  'topic-not-found': 'NOT_FOUND',
  'topic-exists': 'PRECONDITION_FAILED',
  'topic-name-invalid': 'PRECONDITION_FAILED',
  'partition-not-found': 'NOT_FOUND',
  'partition-count-invalid': 'PRECONDITION_FAILED',
  'config-invalid': 'PRECONDITION_FAILED',
  'policy-refused': 'PRECONDITION_FAILED',
  'offset-out-of-range': 'PRECONDITION_FAILED',
  'batch-corrupt': 'PRECONDITION_FAILED',
  'batch-invalid': 'PRECONDITION_FAILED',
  'batch-too-large': 'PRECONDITION_FAILED',
  'timestamp-invalid': 'PRECONDITION_FAILED',
  'sequence-out-of-order': 'PRECONDITION_FAILED',
  'producer-fenced': 'PRECONDITION_FAILED',
  'producer-unknown': 'PRECONDITION_FAILED',
  'duplicate-sequence': 'PRECONDITION_FAILED',
  'leader-epoch-fenced': 'PRECONDITION_FAILED',
  'leader-epoch-unknown': 'PRECONDITION_FAILED',
  // The channel ends, the connection can go on: whoever tries again on a new channel may find the broker recovered.
  'storage-failed': 'PRECONDITION_FAILED',
  'storage-full': 'PRECONDITION_FAILED',
  'storage-damaged': 'INTERNAL_ERROR',
  'not-owner': 'PRECONDITION_FAILED',
  overloaded: 'PRECONDITION_FAILED',
  'timed-out': 'PRECONDITION_FAILED',
  closed: 'CONNECTION_FORCED',
  'group-not-found': 'NOT_FOUND',
  'group-not-empty': 'PRECONDITION_FAILED',
  'group-id-invalid': 'PRECONDITION_FAILED',
  'group-subscribed': 'PRECONDITION_FAILED',
  'group-rebalancing': 'PRECONDITION_FAILED',
  'group-protocol-mismatch': 'PRECONDITION_FAILED',
  'group-full': 'PRECONDITION_FAILED',
  'member-unknown': 'PRECONDITION_FAILED',
  'member-id-required': 'PRECONDITION_FAILED',
  'member-fenced': 'PRECONDITION_FAILED',
  'generation-stale': 'PRECONDITION_FAILED',
  'member-epoch-fenced': 'PRECONDITION_FAILED',
  'member-epoch-stale': 'PRECONDITION_FAILED',
  'instance-in-use': 'PRECONDITION_FAILED',
  'session-timeout-invalid': 'PRECONDITION_FAILED',
  'metadata-too-large': 'PRECONDITION_FAILED',
  'queue-not-found': 'NOT_FOUND',
  'queue-in-use': 'PRECONDITION_FAILED',
  'queue-not-empty': 'PRECONDITION_FAILED',
  'queue-exclusive': 'RESOURCE_LOCKED',
  'queue-full': 'PRECONDITION_FAILED',
  'exchange-not-found': 'NOT_FOUND',
  'exchange-in-use': 'PRECONDITION_FAILED',
  'exchange-built-in': 'ACCESS_REFUSED',
  'namespace-not-found': 'NOT_ALLOWED',
  'user-not-found': 'ACCESS_REFUSED',
  'filter-invalid': 'PRECONDITION_FAILED',
  'lease-stale': 'PRECONDITION_FAILED',
  'transaction-invalid': 'PRECONDITION_FAILED',
  'transaction-timed-out': 'PRECONDITION_FAILED',
  'transaction-concurrent': 'PRECONDITION_FAILED',
  'transaction-timeout-invalid': 'PRECONDITION_FAILED',
  'transaction-not-found': 'NOT_FOUND',
  'access-denied': 'ACCESS_REFUSED',
} as const satisfies Record<BrokerErrorCode, ReplyName>;
