import { api, boolean, int16, int32, int64, string, struct } from '../schema.ts';

/** Since version 5 the response hands the producer the epoch of its next transaction (KIP-890). */
export const endTxn = api({
  key: 26,
  versions: [0, 5],
  flexibleSince: 3,
  request: struct({
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerId: int64({ since: 5, default: -1, ignorable: true }),
    producerEpoch: int16({ since: 5, default: -1, ignorable: true }),
  }),
});
