import { api, int16, int32, int64, string, struct } from '../schema.ts';

export const addOffsetsToTxn = api({
  key: 25,
  versions: [0, 4],
  flexibleSince: 3,
  request: struct({
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    groupId: string(),
  }),
  response: struct({ throttleTimeMs: int32({ default: 0 }), errorCode: int16() }),
});
