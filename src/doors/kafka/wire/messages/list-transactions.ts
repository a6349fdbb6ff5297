import { api, array, int16, int32, int64, string, struct } from '../schema.ts';

export const listTransactions = api({
  key: 66,
  versions: [0, 2],
  flexibleSince: 0,
  request: struct({
    stateFilters: array(string()),
    producerIdFilters: array(int64()),
    durationFilter: int64({ since: 1, default: -1, saturates: true }),
    transactionalIdPattern: string({ since: 2, nullable: 2, default: null }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    unknownStateFilters: array(string()),
    transactionStates: array(
      struct({ transactionalId: string(), producerId: int64(), transactionState: string() }),
    ),
  }),
});
