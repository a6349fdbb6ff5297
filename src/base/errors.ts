/**
 * Every expected failure the broker can report, under a neutral name.
 * A door maps each code to its protocol's own error with a table that `satisfies Record<BrokerErrorCode, ...>`,
 * so that adding a code here makes every door decide.
 */
export const brokerErrors = {
  'topic-not-found': { retryable: false, text: 'The topic does not exist' },
  'topic-exists': { retryable: false, text: 'A topic of this name exists already' },
  'topic-name-invalid': { retryable: false, text: 'The topic name is not valid' },
  'partition-not-found': { retryable: false, text: 'The topic has no such partition' },
  'partition-count-invalid': { retryable: false, text: 'The number of partitions is not valid' },
  'config-invalid': { retryable: false, text: 'The configuration value is not valid' },
  'policy-refused': { retryable: false, text: 'The request is against the policy of this broker' },
  'offset-out-of-range': { retryable: false, text: 'The offset is outside the range of the log' },
  'batch-corrupt': { retryable: false, text: 'The record batch is damaged' },
  'batch-invalid': { retryable: false, text: 'The record batch is not valid' },
  'batch-too-large': { retryable: false, text: 'The record batch is larger than the topic allows' },
  'timestamp-invalid': {
    retryable: false,
    text: 'The timestamp is outside the range that the topic allows',
  },
  'sequence-out-of-order': {
    retryable: false,
    text: 'The sequence number is not the next of its producer',
  },
  'producer-fenced': { retryable: false, text: 'A newer producer with the same id has taken over' },
  'producer-unknown': { retryable: false, text: 'The producer id is not known' },
  'duplicate-sequence': { retryable: false, text: 'The sequence number was stored before' },
  'leader-epoch-fenced': {
    retryable: true,
    text: 'The leader epoch is older than the current one',
  },
  'leader-epoch-unknown': {
    retryable: true,
    text: 'The leader epoch is newer than the current one',
  },
  'storage-failed': { retryable: true, text: 'The storage failed; the broker is recovering' },
  'storage-full': { retryable: true, text: 'There is no room left to store messages' },
  'storage-damaged': { retryable: false, text: 'The stored data are damaged' },
  'not-owner': { retryable: true, text: 'Another broker owns this shard now' },
  overloaded: { retryable: true, text: 'The broker is at a limit; try again' },
  'timed-out': { retryable: true, text: 'The request took longer than its timeout' },
  closed: { retryable: true, text: 'The broker is shutting down' },
  'group-not-found': { retryable: false, text: 'The group does not exist' },
  'group-not-empty': { retryable: false, text: 'The group still has members' },
  'group-id-invalid': { retryable: false, text: 'The group id is not valid' },
  'group-subscribed': { retryable: false, text: 'The group is subscribed to the topic' },
  'group-rebalancing': { retryable: true, text: 'The group is rebalancing' },
  'group-protocol-mismatch': {
    retryable: false,
    text: 'The member and the group share no protocol',
  },
  'group-full': { retryable: false, text: 'The group is at its maximum size' },
  'member-unknown': { retryable: false, text: 'The group has no such member' },
  'member-id-required': {
    retryable: true,
    text: 'Join again with the member id that was assigned',
  },
  'member-fenced': {
    retryable: false,
    text: 'Another member with the same instance id has joined',
  },
  'generation-stale': { retryable: false, text: 'The generation is not the current one' },
  'member-epoch-fenced': {
    retryable: false,
    text: 'The epoch of the member is not the current one; it must join again',
  },
  'member-epoch-stale': { retryable: true, text: 'The epoch of the member is of the past' },
  'instance-in-use': { retryable: false, text: 'Another member has this instance id' },
  'session-timeout-invalid': {
    retryable: false,
    text: 'The session timeout is outside the allowed range',
  },
  'metadata-too-large': { retryable: false, text: 'The offset metadata is too large' },
  'queue-not-found': { retryable: false, text: 'The queue does not exist' },
  'queue-in-use': { retryable: false, text: 'The queue is in use' },
  'queue-not-empty': { retryable: false, text: 'The queue is not empty' },
  'queue-exclusive': { retryable: false, text: 'Another connection has the queue to itself' },
  'queue-full': { retryable: true, text: 'The queue is full' },
  'exchange-not-found': { retryable: false, text: 'The exchange does not exist' },
  'exchange-in-use': { retryable: false, text: 'The exchange is in use' },
  'exchange-built-in': { retryable: false, text: 'A built-in exchange cannot be changed' },
  'namespace-not-found': { retryable: false, text: 'The namespace does not exist' },
  'user-not-found': { retryable: false, text: 'The user does not exist' },
  'filter-invalid': { retryable: false, text: 'The filter cannot be understood' },
  'lease-stale': { retryable: false, text: 'The message is no longer leased to this consumer' },
  'transaction-invalid': { retryable: false, text: 'The transaction is not in a state for this' },
  'transaction-timed-out': {
    retryable: false,
    text: 'The transaction took too long and was undone',
  },
  'transaction-concurrent': {
    retryable: true,
    text: 'The transaction before is not wholly ended yet; try again',
  },
  'transaction-timeout-invalid': {
    retryable: false,
    text: 'The timeout of the transaction is outside the allowed range',
  },
  'transaction-not-found': { retryable: false, text: 'The transactional id is not known' },
  'access-denied': { retryable: false, text: 'The user may not do this' },
} as const satisfies Record<string, { retryable: boolean; text: string }>;

export type BrokerErrorCode = keyof typeof brokerErrors;

/** An expected failure: the door answers it in its protocol's own terms. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly code: BrokerErrorCode;

  /** `detail` completes the code's text and is shown to the user. */
  constructor(code: BrokerErrorCode, detail?: string, options?: { cause?: unknown }) {
    super(
      detail === undefined ? brokerErrors[code].text : `${brokerErrors[code].text}: ${detail}`,
      options,
    );
    this.code = code;
  }

  get isRetryable(): boolean {
    return brokerErrors[this.code].retryable;
  }
}

/** The peer broke its protocol's specification; the door closes what the specification says. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}
