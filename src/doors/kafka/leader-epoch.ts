import type { Partition } from '../../shard/index.ts';
import { errorCodes } from './error-codes.ts';

/**
 * Whether the client has an opinion on the epoch. -1 is none by the protocol. 0 is none because ours begin at 1: whoever says it was
 * not told it here, but takes every log for one that never changed its leader, as one of Kafka's begins.
 */
export function isLeaderEpoch(clientEpoch: number): boolean {
  return clientEpoch > 0;
}

/** Compares the leader epoch that a client believes in with ours (KIP-320). */
export function checkLeaderEpoch(partition: Partition, clientEpoch: number): number {
  if (!isLeaderEpoch(clientEpoch) || clientEpoch === partition.leaderEpoch) return errorCodes.NONE;
  return clientEpoch < partition.leaderEpoch
    ? errorCodes.FENCED_LEADER_EPOCH
    : errorCodes.UNKNOWN_LEADER_EPOCH;
}
