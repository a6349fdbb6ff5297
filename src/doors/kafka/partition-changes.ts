import { errorCodes } from './error-codes.ts';
import type { HandlerContext } from './handler.ts';
import { Refusal } from './refusal.ts';

/** Changes of partitions in one request, within the quota of its client (KIP-599). */
export class PartitionChanges {
  /** For the answer. */
  throttleTimeMs = 0;
  readonly #connection: HandlerContext['connection'];
  readonly #client: string;
  readonly #isStrict: boolean;

  /** `isStrict`: the version of the request knows a refusal for it; clients of older ones only pause. */
  constructor({ connection }: HandlerContext, isStrict: boolean) {
    this.#connection = connection;
    this.#client = connection.clientId;
    this.#isStrict = isStrict;
  }

  /** To be asked right before partitions are made or deleted. */
  take(count: number): Refusal | undefined {
    const { waitMs, isTaken } = this.#connection.quota.takeChanges(
      this.#client,
      count,
      this.#isStrict,
    );
    this.throttleTimeMs = Math.max(this.throttleTimeMs, waitMs);
    if (isTaken) return undefined;
    return new Refusal(
      errorCodes.THROTTLING_QUOTA_EXCEEDED,
      'The throttling quota has been exceeded.',
    );
  }
}
