import { BrokerError } from '../base/index.ts';

/** batch-invalid for the sake of some of its records. */
export class RecordsInvalid extends BrokerError {
  /** Positions in the batch, from 0 on: the first `limits.invalidRecordsTold` of them. */
  readonly indexes: readonly number[];
  /** What is wrong with each. */
  readonly reason: string;

  constructor(indexes: readonly number[], reason: string) {
    super('batch-invalid', reason);
    this.indexes = indexes;
    this.reason = reason;
  }
}
