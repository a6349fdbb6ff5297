import { BrokerError } from '../../base/index.ts';
import { coordinatorErrorCode } from './error-codes.ts';

/** The code for an expected failure of a group; anything else is thrown again. */
export function groupErrorCode(error: unknown): number {
  if (!(error instanceof BrokerError)) throw error;
  return coordinatorErrorCode(error.code);
}
