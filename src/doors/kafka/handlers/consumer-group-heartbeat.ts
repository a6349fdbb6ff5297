// ConsumerGroupHeartbeat 0-1 (KIP-848). Version 1 brings patterns for topics, which are RE2's and must match the whole
// name, and member ids that the client makes (KIP-1082). A pattern leads nobody to topics that it may not describe; in Kafka it
// does where another member with the same pattern may. Answered when what it tells is durable. A member that lost
// count starts again with epoch 0 at once, where Kafka has it wait for the end of its session. The first members of a
// group wait for each other a little, so that the work is divided once;
// who waits for partitions of others is asked to come back sooner than the interval that is configured.
import { BrokerError, limits } from '../../../base/index.ts';
import { type Beat, divisionNames } from '../../../shard/index.ts';
import { coordinatorErrorCode, errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'ConsumerGroupHeartbeat'>;
type Response = ResponseInput<'ConsumerGroupHeartbeat'>;

/** Members that wait for partitions of others ask again after this long; the others notice within their interval. */
const waitingBeatMs = 500;
const leaving = -1;
const away = -2;

export async function consumerGroupHeartbeat(
  { broker, connection, door }: HandlerContext,
  request: Request,
  version: number,
): Promise<Response> {
  const refusal = check(request, version);
  if (refusal !== undefined) return refuse(refusal);
  const { groupId, memberEpoch } = request;
  const isOther = (): boolean =>
    door.shareGroups.has(groupId) || door.streamsGroups.hasMembers(groupId);
  const { configs } = door.shareGroups;
  const beat: Beat = {
    groupId,
    memberId: request.memberId,
    epoch: memberEpoch,
    clientId: connection.clientId,
    clientHost: connection.clientHost,
    sessionTimeoutMs: configs.number(groupId, 'consumer.session.timeout.ms'),
  };
  if (request.instanceId !== null) beat.instanceId = request.instanceId;
  if (request.rackId !== null) beat.rackId = request.rackId;
  if (request.rebalanceTimeoutMs !== -1) {
    beat.rebalanceTimeoutMs = Math.max(request.rebalanceTimeoutMs, 0);
  }
  if (request.subscribedTopicNames !== null) beat.topics = request.subscribedTopicNames;
  if (request.subscribedTopicRegex !== null) beat.pattern = request.subscribedTopicRegex;
  const { topicViewer } = connection.access;
  if (topicViewer !== undefined) beat.viewer = topicViewer;
  if (request.serverAssignor !== null) beat.assignorName = request.serverAssignor;
  if (request.topicPartitions !== null) beat.owned = request.topicPartitions;
  try {
    // A streams group without members is whose who comes first.
    if (memberEpoch === 0 && !isOther()) await door.streamsGroups.forget(groupId);
    if (isOther()) {
      const message = `Group ${groupId} is not a consumer group.`;
      return refuse(new Refusal(errorCodes.GROUP_ID_NOT_FOUND, message));
    }
    const { memberId, epoch, isWaiting, assignment } = await broker.groupsFor(groupId).beat(beat);
    const isGone = memberEpoch === leaving || memberEpoch === away;
    const intervalMs = configs.number(groupId, 'consumer.heartbeat.interval.ms');
    return {
      errorCode: errorCodes.NONE,
      memberId,
      memberEpoch: epoch,
      heartbeatIntervalMs: isGone
        ? 0
        : isWaiting
          ? Math.min(waitingBeatMs, intervalMs)
          : intervalMs,
      assignment: assignment === undefined ? null : { topicPartitions: [...assignment] },
    };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return refuse(new Refusal(coordinatorErrorCode(error.code), error.message));
  }
}

function refuse({ errorCode, message }: Refusal): Response {
  return { errorCode, errorMessage: message, memberEpoch: 0, heartbeatIntervalMs: 0 };
}

/** What Kafka asks of a request before it looks at the group. */
function check(request: Request, version: number): Refusal | undefined {
  const problem = findProblem(request, version);
  if (problem !== undefined) return new Refusal(errorCodes.INVALID_REQUEST, problem);
  const { serverAssignor } = request;
  if (serverAssignor === null || divisionNames.some((name) => name === serverAssignor)) {
    return undefined;
  }
  const names = divisionNames.join(', ');
  const message = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${names}.`;
  return new Refusal(errorCodes.UNSUPPORTED_ASSIGNOR, message);
}

function findProblem(request: Request, version: number): string | undefined {
  const { memberEpoch, memberId, instanceId, rackId } = request;
  if (request.groupId.trim() === '') return "GroupId can't be empty.";
  if (instanceId?.trim() === '') return "InstanceId can't be empty.";
  if (rackId?.trim() === '') return "RackId can't be empty.";
  if (memberEpoch < away) return 'MemberEpoch is invalid.';
  const mayLackId = version === 0 && memberEpoch === 0;
  if (memberId.trim() === '' && !mayLackId) return "MemberId can't be empty.";
  if (memberId.length > limits.groupIdCharsMax) return 'MemberId is too long.';
  if (memberEpoch === away && instanceId === null) return "InstanceId can't be null.";
  if ((request.subscribedTopicNames?.length ?? 0) > limits.groupMemberTopicsMax) {
    return `At most ${limits.groupMemberTopicsMax} topics can be subscribed to.`;
  }
  return memberEpoch === 0 ? findJoinProblem(request) : undefined;
}

function findJoinProblem(request: Request): string | undefined {
  if (request.rebalanceTimeoutMs === -1) {
    return 'RebalanceTimeoutMs must be provided in first request.';
  }
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return 'TopicPartitions must be empty when (re-)joining.';
  }
  // Empty ones are of members that want nothing yet: clients with patterns of their own, which match no topic so far.
  return request.subscribedTopicNames === null && request.subscribedTopicRegex === null
    ? 'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.'
    : undefined;
}
