import { BrokerError, type BrokerErrorCode } from '../../../base/index.ts';
import { SqsError } from '../sqs-error.ts';

/** The codes of the API with their status. */
const statuses = {
  AuthorizationError: 403,
  BatchEntryIdsNotDistinct: 400,
  BatchRequestTooLong: 400,
  EmptyBatchRequest: 400,
  FilterPolicyLimitExceeded: 403,
  InternalError: 500,
  InvalidAction: 400,
  InvalidBatchEntryId: 400,
  InvalidParameter: 400,
  InvalidParameterValue: 400,
  NotFound: 404,
  ParameterValueInvalid: 400,
  ResourceNotFound: 404,
  ServiceUnavailable: 503,
  SubscriptionLimitExceeded: 403,
  TagLimitExceeded: 400,
  TooManyEntriesInBatchRequest: 400,
  TopicLimitExceeded: 403,
  ValidationError: 400,
} as const;

export type SnsErrorCode = keyof typeof statuses;

/** A refusal in the API's own words. */
export class SnsError extends Error {
  override readonly name = 'SnsError';
  readonly code: SnsErrorCode;

  constructor(code: SnsErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get status(): number {
    return statuses[this.code];
  }

  get isSenderFault(): boolean {
    return this.status < 500;
  }
}

export function invalidParameter(what: string, cause?: unknown): SnsError {
  return new SnsError('InvalidParameter', `Invalid parameter: ${what}`, { cause });
}

const brokerErrorCodes: Partial<Record<BrokerErrorCode, SnsErrorCode>> = {
  'config-invalid': 'InvalidParameter',
  'filter-invalid': 'InvalidParameter',
  'batch-too-large': 'InvalidParameter',
  'exchange-not-found': 'NotFound',
  'queue-not-found': 'NotFound',
  'topic-not-found': 'NotFound',
  'access-denied': 'AuthorizationError',
};

/** There are as many topics, or subscriptions, as there may be. */
function atLimit(action: string, cause: BrokerError): SnsError {
  const code = action === 'CreateTopic' ? 'TopicLimitExceeded' : 'SubscriptionLimitExceeded';
  return new SnsError(code, cause.message, { cause });
}

/** The refusal for an error of an action; undefined for one that nobody expected. */
export function findSnsError(error: unknown, action = ''): SnsError | undefined {
  if (error instanceof SnsError) return error;
  // What both APIs check alike says the same; this one has a single code for it.
  if (error instanceof SqsError) {
    return error.isSenderFault ? invalidParameter(error.message, error) : undefined;
  }
  if (!(error instanceof BrokerError)) return undefined;
  if (error.code === 'policy-refused') return atLimit(action, error);
  const code = brokerErrorCodes[error.code] ?? 'ServiceUnavailable';
  return new SnsError(code, error.message, { cause: error });
}
