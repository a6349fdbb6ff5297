import { errorCodes } from './error-codes.ts';
import { Refusal } from './refusal.ts';

/** A partition that a client places by hand can only be placed on this broker, once. */
export function checkReplicas(brokerIds: readonly number[], ownId: number): Refusal | undefined {
  if (brokerIds.length === 0) {
    return new Refusal(
      errorCodes.INVALID_REPLICA_ASSIGNMENT,
      'The manual partition assignment includes an empty replica list.',
    );
  }
  const stranger = brokerIds.find((id) => id !== ownId);
  if (stranger !== undefined) {
    return new Refusal(
      errorCodes.INVALID_REPLICA_ASSIGNMENT,
      `The manual partition assignment includes broker ${stranger}, but no such broker is registered.`,
    );
  }
  if (brokerIds.length > 1) {
    return new Refusal(
      errorCodes.INVALID_REPLICA_ASSIGNMENT,
      `The manual partition assignment includes the broker ${ownId} more than once.`,
    );
  }
  return undefined;
}
