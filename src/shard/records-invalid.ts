import { BrokerError } from '../base/index.ts';

/** A batch that is refused for the sake of some of its records. */
export class RecordsInvalid extends BrokerError {
  /** Positions in the batch, from 0 on: the first `limits.invalidRecordsTold` of them. */
  readonly indexes: readonly number[];
  /** What is wrong with each. */
  readonly reason: string;

  constructor(
    code: 'batch-invalid' | 'timestamp-invalid',
    indexes: readonly number[],
    reason: string,
  ) {
    super(code, reason);
    this.indexes = indexes;
    this.reason = reason;
  }
}
