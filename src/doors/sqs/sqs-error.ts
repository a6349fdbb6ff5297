import { BrokerError, type BrokerErrorCode } from '../../base/index.ts';

/**
 * The errors of the API: by the name that the JSON protocol has, the code of the Query protocol (which JSON clients are
 * told, too, in `x-amzn-query-error`), where it differs, and the status, where it is not 400.
 */
const errorTable = {
  BatchEntryIdsNotDistinct: { query: 'AWS.SimpleQueueService.BatchEntryIdsNotDistinct' },
  BatchRequestTooLong: { query: 'AWS.SimpleQueueService.BatchRequestTooLong' },
  EmptyBatchRequest: { query: 'AWS.SimpleQueueService.EmptyBatchRequest' },
  InvalidAddress: { status: 404 },
  InvalidAttributeName: {},
  InvalidAttributeValue: {},
  InvalidBatchEntryId: { query: 'AWS.SimpleQueueService.InvalidBatchEntryId' },
  InvalidIdFormat: {},
  InvalidMessageContents: {},
  MessageNotInflight: { query: 'AWS.SimpleQueueService.MessageNotInflight' },
  OverLimit: { query: 'OverLimit', status: 403 },
  PurgeQueueInProgress: { query: 'AWS.SimpleQueueService.PurgeQueueInProgress', status: 403 },
  QueueDeletedRecently: { query: 'AWS.SimpleQueueService.QueueDeletedRecently' },
  QueueDoesNotExist: { query: 'AWS.SimpleQueueService.NonExistentQueue' },
  QueueNameExists: { query: 'QueueAlreadyExists' },
  ReceiptHandleIsInvalid: { status: 404 },
  RequestThrottled: { status: 403 },
  ResourceNotFoundException: { status: 404 },
  TooManyEntriesInBatchRequest: { query: 'AWS.SimpleQueueService.TooManyEntriesInBatchRequest' },
  UnsupportedOperation: { query: 'AWS.SimpleQueueService.UnsupportedOperation' },
  InvalidParameterValueException: { query: 'InvalidParameterValue', isGeneral: true },
  MissingRequiredParameterException: { query: 'MissingParameter', isGeneral: true },
  UnknownOperationException: { query: 'InvalidAction', isGeneral: true },
  SerializationException: { query: 'MalformedInput', isGeneral: true },
  MissingAuthenticationTokenException: {
    query: 'MissingAuthenticationToken',
    status: 403,
    isGeneral: true,
  },
  IncompleteSignatureException: { query: 'IncompleteSignature', isGeneral: true },
  InvalidClientTokenIdException: { query: 'InvalidClientTokenId', status: 403, isGeneral: true },
  SignatureDoesNotMatchException: { query: 'SignatureDoesNotMatch', status: 403, isGeneral: true },
  RequestExpiredException: { query: 'RequestExpired', isGeneral: true },
  RequestEntityTooLargeException: { query: 'RequestEntityTooLarge', status: 413, isGeneral: true },
  AccessDeniedException: { query: 'AccessDenied', status: 403, isGeneral: true },
  ServiceUnavailableException: { query: 'ServiceUnavailable', status: 503, isGeneral: true },
  InternalFailure: { query: 'InternalFailure', status: 500, isGeneral: true },
} as const satisfies Record<string, ErrorRule>;

interface ErrorRule {
  readonly query?: string;
  readonly status?: number;
  /** Not of this API but of every one of its kind. */
  readonly isGeneral?: boolean;
}

export type SqsErrorName = keyof typeof errorTable;

/** A refusal in the API's own words. */
export class SqsError extends Error {
  override readonly name = 'SqsError';
  readonly code: SqsErrorName;

  constructor(code: SqsErrorName, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get #rule(): ErrorRule {
    return errorTable[this.code];
  }

  /** Code of the Query protocol. */
  get queryCode(): string {
    return this.#rule.query ?? this.code;
  }

  /** `__type` of the JSON protocol. */
  get type(): string {
    const space = this.#rule.isGeneral === true ? 'com.amazon.coral.service' : 'com.amazonaws.sqs';
    return `${space}#${this.code}`;
  }

  get status(): number {
    return this.#rule.status ?? 400;
  }

  get isSenderFault(): boolean {
    return this.status < 500;
  }

  /** What the Query protocol says, which in one case has words of its own. */
  get queryMessage(): string {
    return this.code === 'QueueDoesNotExist'
      ? 'The specified queue does not exist for this wsdl version.'
      : this.message;
  }
}

export function invalidParameter(message: string): SqsError {
  return new SqsError('InvalidParameterValueException', message);
}

/** What API callers are told of for a value that a parameter cannot have. */
export function invalidValue(value: unknown, parameter: string, reason: string): SqsError {
  return invalidParameter(
    `Value ${String(value)} for parameter ${parameter} is invalid. Reason: ${reason}`,
  );
}

export function missingParameter(name: string): SqsError {
  return new SqsError(
    'MissingRequiredParameterException',
    `The request must contain the parameter ${name}.`,
  );
}

export function queueMissing(): SqsError {
  return new SqsError('QueueDoesNotExist', 'The specified queue does not exist.');
}

/** For a request with a longer body. */
export function tooLarge(bytesMax: number): SqsError {
  return new SqsError(
    'RequestEntityTooLargeException',
    `The request has more than ${bytesMax} bytes.`,
  );
}

/** Broker errors that are not an unavailable service. */
const brokerErrorNames: Partial<Record<BrokerErrorCode, SqsErrorName>> = {
  'queue-not-found': 'QueueDoesNotExist',
  'topic-not-found': 'QueueDoesNotExist',
  'topic-name-invalid': 'InvalidParameterValueException',
  'config-invalid': 'InvalidParameterValueException',
  'batch-too-large': 'InvalidParameterValueException',
  'policy-refused': 'OverLimit',
  'queue-full': 'RequestThrottled',
  'queue-exclusive': 'AccessDeniedException',
  'access-denied': 'AccessDeniedException',
};

/** The refusal for an error; undefined for one that nobody expected. */
export function findSqsError(error: unknown): SqsError | undefined {
  if (error instanceof SqsError) return error;
  if (!(error instanceof BrokerError)) return undefined;
  const name = brokerErrorNames[error.code];
  if (name === 'QueueDoesNotExist') return queueMissing();
  return new SqsError(name ?? 'ServiceUnavailableException', error.message, { cause: error });
}
