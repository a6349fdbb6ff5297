import type { Partition } from '../../shard/index.ts';
import { errorCodes } from './error-codes.ts';

/** Compares the leader epoch that a client believes in with ours (KIP-320); -1: the client has no opinion. */
export function checkLeaderEpoch(partition: Partition, clientEpoch: number): number {
  if (clientEpoch < 0 || clientEpoch === partition.leaderEpoch) return errorCodes.NONE;
  return clientEpoch < partition.leaderEpoch
    ? errorCodes.FENCED_LEADER_EPOCH
    : errorCodes.UNKNOWN_LEADER_EPOCH;
}
