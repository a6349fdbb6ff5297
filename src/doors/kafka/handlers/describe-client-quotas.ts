// DescribeClientQuotas 0-1 (KIP-546). None can be set, so that there are none: kafka-configs asks before it tells of users.
import { errorCodes } from '../error-codes.ts';
import type { ResponseInput } from '../wire/index.ts';

export function describeClientQuotas(): ResponseInput<'DescribeClientQuotas'> {
  return { errorCode: errorCodes.NONE, errorMessage: null, entries: [] };
}
