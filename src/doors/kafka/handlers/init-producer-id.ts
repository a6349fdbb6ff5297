// InitProducerId 0-6 (KIP-98, KIP-360): as in Kafka, a producer without a transactional id always gets a fresh producer
// id, whatever it had. Two-phase commit from outside (KIP-939, version 6) is refused as not authorised, as Kafka does
// where it is not enabled.
import { BrokerError } from '../../../base/index.ts';
import { errorCodes, kafkaErrorCode } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { transactionErrorCode } from '../transaction-errors.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function initProducerId(
  { broker }: HandlerContext,
  request: RequestOf<'InitProducerId'>,
  version: number,
): Promise<ResponseInput<'InitProducerId'>> {
  const { transactionalId, producerId, producerEpoch } = request;
  const isHalfGiven = (producerId === -1) !== (producerEpoch === -1);
  if (transactionalId === '' || isHalfGiven) return failure(errorCodes.INVALID_REQUEST);
  if (request.enable2Pc || request.keepPreparedTxn)
    return failure(errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  if (transactionalId !== null) {
    try {
      const expected = producerId === -1 ? undefined : { producerId, epoch: producerEpoch };
      const timeoutMs = request.transactionTimeoutMs;
      const asked = { transactionalId, timeoutMs, expected };
      const identity = await broker.transactions.initProducer(asked);
      const { epoch } = identity;
      return { errorCode: errorCodes.NONE, producerId: identity.producerId, producerEpoch: epoch };
    } catch (error) {
      return failure(transactionErrorCode(error, version >= 4));
    }
  }
  try {
    return {
      errorCode: errorCodes.NONE,
      producerId: await broker.allocateProducerId(),
      producerEpoch: 0,
    };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return failure(kafkaErrorCode(error.code));
  }
}

function failure(errorCode: number): ResponseInput<'InitProducerId'> {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}
