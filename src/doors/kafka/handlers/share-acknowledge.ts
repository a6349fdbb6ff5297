// ShareAcknowledge 1-2 (KIP-932; 2: KIP-1222). It is answered when the acknowledgements are durable.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import {
  applyAcknowledgements,
  finalEpoch,
  initialEpoch,
  type ShareSession,
} from '../share-groups/index.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'ShareAcknowledge'>;
type Response = ResponseInput<'ShareAcknowledge'>;

export async function shareAcknowledge(
  context: HandlerContext,
  request: Request,
): Promise<Response> {
  const { sessions, configs } = context.door.shareGroups;
  const session = findSession(context, request);
  if (session instanceof Refusal) {
    const { errorCode, message } = session;
    return {
      errorCode,
      errorMessage: message,
      acquisitionLockTimeoutMs: 0,
      responses: [],
      nodeEndpoints: [],
    };
  }
  const { topics, isRenewAck } = request;
  const acknowledged = applyAcknowledgements(context, session, topics, isRenewAck);
  if (request.shareSessionEpoch === finalEpoch) sessions.end(session.groupId, session.memberId);
  // Of a partition that is named twice the first outcome is told.
  const outcomes = new Map((await acknowledged).toReversed().map((one) => [keyOf(one), one]));
  return {
    errorCode: errorCodes.NONE,
    acquisitionLockTimeoutMs: configs.number(session.groupId, 'share.record.lock.duration.ms'),
    responses: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partitionIndex }) => {
        const outcome = outcomes.get(keyOf({ topicId, partitionIndex }));
        return {
          partitionIndex,
          errorCode: outcome?.errorCode ?? errorCodes.NONE,
          errorMessage: outcome?.errorMessage ?? null,
          currentLeader: { leaderId: 0, leaderEpoch: 0 },
        };
      }),
    })),
    nodeEndpoints: [],
  };
}

function keyOf({ topicId, partitionIndex }: { topicId: string; partitionIndex: number }): string {
  return `${topicId}:${partitionIndex}`;
}

function findSession({ door }: HandlerContext, request: Request): ShareSession | Refusal {
  const { groupId, memberId, shareSessionEpoch } = request;
  if (groupId === null || groupId === '' || memberId === null || memberId === '') {
    return new Refusal(errorCodes.INVALID_REQUEST, 'The group id and the member id must be given.');
  }
  if (shareSessionEpoch === initialEpoch) {
    return new Refusal(
      errorCodes.INVALID_SHARE_SESSION_EPOCH,
      'Only a ShareFetch begins a share session.',
    );
  }
  return door.shareGroups.sessions.advance(groupId, memberId, shareSessionEpoch);
}
