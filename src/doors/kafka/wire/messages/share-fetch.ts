import {
  api,
  array,
  boolean,
  int16,
  int32,
  int64,
  int8,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts';
import { nodeEndpoints } from './node-endpoint.ts';

/** Fetching for a share group: the request also settles what was delivered before (KIP-932). */
export const shareFetch = api({
  key: 78,
  versions: [1, 2],
  flexibleSince: 0,
  request: struct({
    groupId: string({ nullable: 0, default: null }),
    memberId: string({ nullable: 0 }),
    shareSessionEpoch: int32(),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: 0x7fffffff }),
    maxRecords: int32(),
    batchSize: int32(),
    shareAcquireMode: int8({ since: 2, default: 0, ignorable: true }),
    isRenewAck: boolean({ since: 2 }),
    topics: array(
      struct({
        topicId: uuid(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            acknowledgementBatches: array(
              struct({
                firstOffset: int64(),
                lastOffset: int64(),
                acknowledgeTypes: array(int8()),
              }),
            ),
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(struct({ topicId: uuid(), partitions: array(int32()) })),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    acquisitionLockTimeoutMs: int32(),
    responses: array(
      struct({
        topicId: uuid(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ nullable: 0, default: null }),
            acknowledgeErrorCode: int16(),
            acknowledgeErrorMessage: string({ nullable: 0, default: null }),
            currentLeader: struct({ leaderId: int32(), leaderEpoch: int32() }),
            records: records(),
            acquiredRecords: array(
              struct({ firstOffset: int64(), lastOffset: int64(), deliveryCount: int16() }),
            ),
          }),
        ),
      }),
    ),
    nodeEndpoints: nodeEndpoints(),
  }),
});
