// ListPartitionReassignments 0 (KIP-455): partitions do not move.
import { errorCodes } from '../error-codes.ts';
import type { ResponseInput } from '../wire/index.ts';

export function listPartitionReassignments(): ResponseInput<'ListPartitionReassignments'> {
  return { errorCode: errorCodes.NONE, errorMessage: null, topics: [] };
}
