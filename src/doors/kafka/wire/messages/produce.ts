import { api, array, int16, int32, int64, records, string, struct, uuid } from '../schema.ts';
import { nodeEndpoints } from './node-endpoint.ts';

/** Version 3 is the first that carries record batches of the present layout; 13 names topics by id (KIP-516). */
export const produce = api({
  key: 0,
  versions: [3, 13],
  flexibleSince: 9,
  request: struct({
    transactionalId: string({ nullable: 3, default: null }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array(
      struct({
        name: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitionData: array(struct({ index: int32(), records: records({ nullable: 0 }) })),
      }),
    ),
  }),
  response: struct({
    responses: array(
      struct({
        name: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitionResponses: array(
          struct({
            index: int32(),
            errorCode: int16(),
            baseOffset: int64(),
            logAppendTimeMs: int64({ default: -1, ignorable: true }),
            logStartOffset: int64({ since: 5, default: -1, ignorable: true }),
            recordErrors: array(
              struct({
                batchIndex: int32(),
                batchIndexErrorMessage: string({ nullable: 8, default: null }),
              }),
              { since: 8, ignorable: true },
            ),
            errorMessage: string({ since: 8, nullable: 8, default: null, ignorable: true }),
            currentLeader: struct(
              { leaderId: int32({ default: -1 }), leaderEpoch: int32({ default: -1 }) },
              { since: 10, tag: 0 },
            ),
          }),
        ),
      }),
    ),
    throttleTimeMs: int32({ ignorable: true }),
    nodeEndpoints: nodeEndpoints({ since: 10, tag: 0 }),
  }),
});
