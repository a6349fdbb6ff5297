import { BrokerError, type BrokerErrorCode } from '../../base/index.ts';
import { coordinatorErrorCode, errorCodes } from './error-codes.ts';

const own: Partial<Record<BrokerErrorCode, number>> = {
  'producer-unknown': errorCodes.INVALID_PRODUCER_ID_MAPPING,
  'config-invalid': errorCodes.INVALID_REQUEST,
  'partition-not-found': errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  'access-denied': errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
};

/**
 * The code for an expected failure of a transactional request; anything else is thrown again. `knowsFenced`: the
 * request's version has PRODUCER_FENCED (KIP-588); older clients understand INVALID_PRODUCER_EPOCH.
 */
export function transactionErrorCode(error: unknown, knowsFenced: boolean): number {
  if (!(error instanceof BrokerError)) throw error;
  if (error.code === 'producer-fenced')
    return knowsFenced ? errorCodes.PRODUCER_FENCED : errorCodes.INVALID_PRODUCER_EPOCH;
  return own[error.code] ?? coordinatorErrorCode(error.code);
}
