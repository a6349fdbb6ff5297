// EndTxn 0-5. Since version 5 each transaction has an epoch of its own, and the answer has the next (KIP-890).
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { transactionErrorCode } from '../transaction-errors.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function endTxn(
  { broker }: HandlerContext,
  request: RequestOf<'EndTxn'>,
  version: number,
): Promise<ResponseInput<'EndTxn'>> {
  const { transactionalId, producerId, producerEpoch: epoch, committed } = request;
  const identity = { transactionalId, producerId, epoch };
  try {
    const outcome = committed ? 'commit' : 'abort';
    const next = await broker.transactions.end(identity, outcome, version >= 5);
    const { NONE: errorCode } = errorCodes;
    return { errorCode, producerId: next.producerId, producerEpoch: next.epoch };
  } catch (error) {
    return { errorCode: transactionErrorCode(error, version >= 2) };
  }
}
