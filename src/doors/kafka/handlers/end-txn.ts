// EndTxn 0-4. Version 5 goes with epochs that change with each transaction (KIP-890), which is not advertised.
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
    await broker.transactions.end(identity, committed ? 'commit' : 'abort', false);
    return { errorCode: errorCodes.NONE };
  } catch (error) {
    return { errorCode: transactionErrorCode(error, version >= 2) };
  }
}
