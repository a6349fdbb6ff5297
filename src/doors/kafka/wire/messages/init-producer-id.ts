import { api, boolean, int16, int32, int64, string, struct } from '../schema.ts';

/** Version 6 is the one of two-phase commit (KIP-939). */
export const initProducerId = api({
  key: 22,
  versions: [0, 6],
  flexibleSince: 2,
  request: struct({
    transactionalId: string({ nullable: 0 }),
    transactionTimeoutMs: int32(),
    producerId: int64({ since: 3, default: -1 }),
    producerEpoch: int16({ since: 3, default: -1 }),
    enable2Pc: boolean({ since: 6 }),
    keepPreparedTxn: boolean({ since: 6 }),
  }),
  response: struct({
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
    ongoingTxnProducerId: int64({ since: 6, default: -1 }),
    ongoingTxnProducerEpoch: int16({ since: 6, default: -1 }),
  }),
});
