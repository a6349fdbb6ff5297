import { api, array, boolean, int16, int32, int64, int8, string, struct, uuid } from '../schema.ts';
import { nodeEndpoints } from './node-endpoint.ts';

export const shareAcknowledge = api({
  key: 79,
  versions: [1, 2],
  flexibleSince: 0,
  request: struct({
    groupId: string({ nullable: 0, default: null }),
    memberId: string({ nullable: 0 }),
    shareSessionEpoch: int32(),
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
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    acquisitionLockTimeoutMs: int32({ since: 2, ignorable: true }),
    responses: array(
      struct({
        topicId: uuid(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ nullable: 0, default: null }),
            currentLeader: struct({ leaderId: int32(), leaderEpoch: int32() }),
          }),
        ),
      }),
    ),
    nodeEndpoints: nodeEndpoints(),
  }),
});
