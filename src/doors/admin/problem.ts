import { STATUS_CODES } from 'node:http';
import { BrokerError } from '../../base/index.ts';
import { statusOf } from './error-codes.ts';

/** A refusal as RFC 9457 writes it, media type `application/problem+json`. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  /** `code` is stable and for programs; `detail` says what is wrong and what to do, and is for people. */
  constructor(
    status: number,
    code: string,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }

  toJson(): object {
    return {
      type: 'about:blank',
      title: STATUS_CODES[this.status] ?? 'Error',
      status: this.status,
      code: this.code,
      detail: this.message,
    };
  }
}

/** The problem to answer for whatever a handler threw; undefined for a fault of our own. */
export function findProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof BrokerError) {
    const headers: Record<string, string> = error.isRetryable ? { 'retry-after': '1' } : {};
    return new Problem(statusOf[error.code], error.code, error.message, headers);
  }
  return undefined;
}
