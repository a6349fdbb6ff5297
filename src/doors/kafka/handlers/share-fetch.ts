// ShareFetch 1-2 (KIP-932; 2: KIP-1206 and KIP-1222). Deviation: it answers as soon as there are records, whatever
// MinBytes says. An acknowledgement is answered when it is durable.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import {
  applyAcknowledgements,
  finalEpoch,
  initialEpoch,
  ShareFetchRun,
  type ShareSession,
} from '../share-groups/index.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'ShareFetch'>;
type Response = ResponseInput<'ShareFetch'>;
type PartitionResponse = Response['responses'][number]['partitions'][number];

/** KIP-1206. The other mode, 0, is that of version 1: what is begun of a batch comes whole, also beyond MaxRecords. */
const recordLimit = 1;

/** What the two halves of a request, fetching and acknowledging, have to say of a partition. */
type Part = Omit<PartitionResponse, 'currentLeader'> & { readonly topicId: string };

export async function shareFetch(context: HandlerContext, request: Request): Promise<Response> {
  const { groupId, shareSessionEpoch, topics, isRenewAck } = request;
  const session = findSession(context, request);
  if (session instanceof Refusal) return refused(session);
  const isFinal = shareSessionEpoch === finalEpoch;
  if (!isFinal) changeSession(session, request);
  const acknowledged = applyAcknowledgements(context, session, topics, isRenewAck);
  const { sessions, configs } = context.door.shareGroups;
  const isFetching = !isFinal && !isRenewAck && request.maxRecords > 0 && request.maxBytes > 0;
  const fetched = isFetching
    ? new ShareFetchRun(context, session, {
        maxWaitMs: request.maxWaitMs,
        maxBytes: request.maxBytes,
        maxRecords: request.maxRecords,
        takesWholeBatches: request.shareAcquireMode !== recordLimit,
        batchSize: Math.max(request.batchSize, 1),
      }).run()
    : undefined;
  if (isFinal) sessions.end(session.groupId, session.memberId);
  const [acknowledgements, outcomes] = await Promise.all([acknowledged, fetched]);
  if (session.isClosed && !isFinal) {
    return refused(
      new Refusal(errorCodes.SHARE_SESSION_NOT_FOUND, 'The share session has ended meanwhile.'),
    );
  }
  const parts = new Map<string, Part>();
  for (const outcome of outcomes?.values() ?? []) {
    const { topicId, partitionIndex, errorCode, records, acquiredRecords } = outcome;
    // Incremental answers leave out what there is nothing to say of.
    const isNews = errorCode !== errorCodes.NONE || acquiredRecords.length > 0;
    if (!isNews && shareSessionEpoch !== initialEpoch) continue;
    parts.set(`${topicId}:${partitionIndex}`, {
      ...emptyPart(topicId, partitionIndex),
      errorCode,
      errorMessage: outcome.errorMessage,
      records,
      acquiredRecords,
    });
  }
  for (const { topicId, partitionIndex, errorCode, errorMessage } of acknowledgements) {
    const key = `${topicId}:${partitionIndex}`;
    const part = parts.get(key) ?? emptyPart(topicId, partitionIndex);
    parts.set(key, {
      ...part,
      acknowledgeErrorCode: errorCode,
      acknowledgeErrorMessage: errorMessage,
    });
  }
  return {
    errorCode: errorCodes.NONE,
    acquisitionLockTimeoutMs: configs.number(groupId ?? '', 'share.record.lock.duration.ms'),
    responses: byTopic(parts.values()),
    nodeEndpoints: [],
  };
}

function findSession(
  { connection, door }: HandlerContext,
  request: Request,
): ShareSession | Refusal {
  const { groupId, memberId, shareSessionEpoch: epoch, topics } = request;
  if (groupId === null || groupId === '' || memberId === null || memberId === '') {
    return new Refusal(errorCodes.INVALID_REQUEST, 'The group id and the member id must be given.');
  }
  const { sessions } = door.shareGroups;
  if (epoch !== initialEpoch) return sessions.advance(groupId, memberId, epoch);
  const hasAcknowledgements = topics.some(({ partitions }) =>
    partitions.some(({ acknowledgementBatches }) => acknowledgementBatches.length > 0),
  );
  if (hasAcknowledgements) {
    return new Refusal(
      errorCodes.INVALID_REQUEST,
      'The first request of a share session cannot acknowledge anything.',
    );
  }
  return sessions.open(connection, groupId, memberId);
}

function changeSession(session: ShareSession, { topics, forgottenTopicsData }: Request): void {
  for (const { topicId, partitions } of topics) {
    for (const { partitionIndex } of partitions) session.add(topicId, partitionIndex);
  }
  for (const { topicId, partitions } of forgottenTopicsData) {
    for (const partition of partitions) session.remove(topicId, partition);
  }
}

function emptyPart(topicId: string, partitionIndex: number): Part {
  return {
    topicId,
    partitionIndex,
    errorCode: errorCodes.NONE,
    errorMessage: null,
    acknowledgeErrorCode: errorCodes.NONE,
    acknowledgeErrorMessage: null,
    records: [],
    acquiredRecords: [],
  };
}

function byTopic(parts: Iterable<Part>): Response['responses'] {
  const topics = new Map<string, PartitionResponse[]>();
  for (const { topicId, ...part } of parts) {
    const partition = { ...part, currentLeader: { leaderId: 0, leaderEpoch: 0 } };
    const known = topics.get(topicId);
    if (known === undefined) topics.set(topicId, [partition]);
    else known.push(partition);
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions }));
}

function refused({ errorCode, message }: Refusal): Response {
  return {
    errorCode,
    errorMessage: message,
    acquisitionLockTimeoutMs: 0,
    responses: [],
    nodeEndpoints: [],
  };
}
