// FindCoordinator 0-6. Every group and every transactional id is coordinated by the broker that is asked.
// So is every share partition (type 2, KIP-932: group, topic id and partition), though only brokers ask for them.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { ensureInternalTopic, internalTopics } from '../internal-topics.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

const keyTypes = { group: 0, transaction: 1, sharePartition: 2 } as const;
const isKnown = new Set<number>(Object.values(keyTypes));

export async function findCoordinator(
  context: HandlerContext,
  request: RequestOf<'FindCoordinator'>,
  version: number,
): Promise<ResponseInput<'FindCoordinator'>> {
  const { broker, connection } = context;
  const { host, port } = connection.advertised;
  if (request.keyType === keyTypes.group)
    await ensureInternalTopic(context, internalTopics.offsets);
  if (request.keyType === keyTypes.transaction) {
    await ensureInternalTopic(context, internalTopics.transactions);
  }
  const place = isKnown.has(request.keyType)
    ? { errorCode: errorCodes.NONE, errorMessage: null, nodeId: broker.brokerId, host, port }
    : {
        errorCode: errorCodes.INVALID_REQUEST,
        errorMessage: `unknown key type ${request.keyType}`,
        nodeId: -1,
        host: '',
        port: -1,
      };
  if (version < 4) return place;
  const { errorCode, errorMessage, nodeId } = place;
  return {
    coordinators: request.coordinatorKeys.map((key) => ({
      key,
      errorCode,
      errorMessage,
      nodeId,
      host: place.host,
      port: place.port,
    })),
  };
}
