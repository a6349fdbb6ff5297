// InitProducerId 0-6 for idempotent producers (KIP-98, KIP-360): as in Kafka, one without a transactional id always
// gets a fresh producer id, whatever it had. Transactional ids are refused as not authorised, which every client
// takes as final, until the broker has transactions.
import { BrokerError } from '../../../base/index.ts';
import { errorCodes, kafkaErrorCode } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function initProducerId(
  { broker }: HandlerContext,
  request: RequestOf<'InitProducerId'>,
): Promise<ResponseInput<'InitProducerId'>> {
  const { transactionalId, producerId, producerEpoch } = request;
  const isHalfGiven = (producerId === -1) !== (producerEpoch === -1);
  if (transactionalId === '' || isHalfGiven) return failure(errorCodes.INVALID_REQUEST);
  if (transactionalId !== null) return failure(errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
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
