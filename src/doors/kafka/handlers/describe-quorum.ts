// DescribeQuorum 0-2 (KIP-595, KIP-836, KIP-853). There is no metadata log: this broker alone decides, so it is the one
// voter of a quorum of one. Offsets are 0 and times now: nobody lags.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';

const metadataTopic = '__cluster_metadata';

export function describeQuorum(
  { broker, clock, connection }: HandlerContext,
  request: RequestOf<'DescribeQuorum'>,
  version: number,
): ResponseInput<'DescribeQuorum'> {
  const { topics } = request;
  const [first] = topics;
  const isQuorum =
    topics.length === 1 &&
    first?.topicName === metadataTopic &&
    first.partitions.length === 1 &&
    first.partitions[0]?.partitionIndex === 0;
  if (!isQuorum) {
    return { errorCode: errorCodes.INVALID_REQUEST, errorMessage: null, topics: [] };
  }
  const nowMs = clock.nowMs();
  const voter = {
    replicaId: broker.brokerId,
    ...(version < 2 ? {} : { replicaDirectoryId: zeroUuid }),
    logEndOffset: 0,
    lastFetchTimestamp: nowMs,
    lastCaughtUpTimestamp: nowMs,
  };
  const listener = { name: 'PLAINTEXT', ...connection.advertised };
  const partition = {
    partitionIndex: 0,
    errorCode: errorCodes.NONE,
    errorMessage: null,
    leaderId: broker.brokerId,
    leaderEpoch: 0,
    highWatermark: 0,
    currentVoters: [voter],
    observers: [],
  };
  return {
    errorCode: errorCodes.NONE,
    errorMessage: null,
    topics: [{ topicName: metadataTopic, partitions: [partition] }],
    ...(version < 2 ? {} : { nodes: [{ nodeId: broker.brokerId, listeners: [listener] }] }),
  };
}
