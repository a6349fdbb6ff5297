import { BrokerError, type BrokerErrorCode } from '../../../base/index.ts';
import { AmqpError } from '../amqp-error.ts';

/** Why a request is refused: the status, and the two words of RabbitMQ's body. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly error: string;
  /** A text, or a list where RabbitMQ answers with one. */
  readonly reason: string | readonly unknown[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    error: string,
    reason: string | readonly unknown[],
    options: { headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(`${error}: ${typeof reason === 'string' ? reason : JSON.stringify(reason)}`, {
      cause: options.cause,
    });
    this.status = status;
    this.error = error;
    this.reason = reason;
    this.headers = options.headers ?? {};
  }
}

/** What a path names is not there. */
export function missing(): ApiError {
  return new ApiError(404, 'Object Not Found', 'Not Found');
}

export function badRequest(reason: string | readonly unknown[], cause?: unknown): ApiError {
  return new ApiError(400, 'bad_request', reason, { cause });
}

export function notAuthorised(reason: string): ApiError {
  return new ApiError(401, 'not_authorised', reason);
}

export function validationFailed(text: string): ApiError {
  return badRequest(`Validation failed\n\n${text}\n`);
}

/** A member that a body must have. */
export function keyMissing(key: string): ApiError {
  return badRequest(`[{key_missing,${key}}]`);
}

/** What a client is told of anything that was thrown; undefined: a fault of ours. */
export function apiErrorOf(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (error instanceof AmqpError) return ofAmqp(error);
  if (!(error instanceof BrokerError)) return undefined;
  const status = statuses[error.code] ?? 400;
  return new ApiError(status, words.get(status) ?? 'bad_request', error.message, { cause: error });
}

/** RabbitMQ gets through a channel, and tells what closes it together with its code. */
export function throughChannel(error: unknown): unknown {
  if (!(error instanceof AmqpError)) return error;
  if (error.reply === 'NOT_FOUND' || error.reply === 'ACCESS_REFUSED') return error;
  return badRequest(`${error.replyCode} ${error.replyText}`, error);
}

function ofAmqp(error: AmqpError): ApiError {
  switch (error.reply) {
    case 'NOT_FOUND':
      return new ApiError(404, 'not_found', error.message, { cause: error });
    case 'ACCESS_REFUSED':
      return new ApiError(401, 'not_authorised', 'Access refused.', { cause: error });
    case 'INTERNAL_ERROR':
      return new ApiError(500, 'internal_error', error.message, { cause: error });
    default:
      return badRequest(error.message, error);
  }
}

const words: ReadonlyMap<number, string> = new Map([
  [401, 'not_authorised'],
  [404, 'not_found'],
  [503, 'service_unavailable'],
]);

/** Those that are not the request's fault, or not 400. */
const statuses: Partial<Record<BrokerErrorCode, number>> = {
  'topic-not-found': 404,
  'queue-not-found': 404,
  'exchange-not-found': 404,
  'namespace-not-found': 404,
  'user-not-found': 404,
  'access-denied': 401,
  'storage-failed': 503,
  'storage-full': 503,
  'storage-damaged': 503,
  'not-owner': 503,
  overloaded: 503,
  'timed-out': 503,
  closed: 503,
};
