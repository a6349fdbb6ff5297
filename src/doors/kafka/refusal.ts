import { BrokerError } from '../../base/index.ts';
import { kafkaErrorCode } from './error-codes.ts';

/** Why one item of a request is refused, as the client is told; the other items go on. */
export class Refusal {
  readonly errorCode: number;
  readonly message: string;

  constructor(errorCode: number, message: string) {
    this.errorCode = errorCode;
    this.message = message;
  }

  /** Of an expected failure of the broker; anything else is thrown again. */
  static from(error: unknown): Refusal {
    if (!(error instanceof BrokerError)) throw error;
    return new Refusal(kafkaErrorCode(error.code), error.message);
  }
}
