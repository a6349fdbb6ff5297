// AddOffsetsToTxn 0-4.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { transactionErrorCode } from '../transaction-errors.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function addOffsetsToTxn(
  { broker }: HandlerContext,
  request: RequestOf<'AddOffsetsToTxn'>,
  version: number,
): Promise<ResponseInput<'AddOffsetsToTxn'>> {
  const { transactionalId, producerId, producerEpoch: epoch, groupId } = request;
  try {
    await broker.transactions.addGroup({ transactionalId, producerId, epoch }, groupId);
    return { errorCode: errorCodes.NONE };
  } catch (error) {
    return { errorCode: transactionErrorCode(error, version >= 2) };
  }
}
