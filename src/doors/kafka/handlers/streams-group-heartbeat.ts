// StreamsGroupHeartbeat 0 (KIP-1071). Internal topics are made before the answer, so that members have tasks at once. The
// broker deals tasks out as active and standby ones; warm-up tasks there are none, as in Kafka 4.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { ensureInternalTopic, internalTopics } from '../internal-topics.ts';
import { Refusal } from '../refusal.ts';
import {
  type Beaten,
  hasToRevoke,
  type InternalTopic,
  listEndpoints,
  type Status,
  statusCodes,
  toWire,
} from '../streams-groups/index.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';
import { createTopics } from './create-topics.ts';

type Request = RequestOf<'StreamsGroupHeartbeat'>;
type Response = ResponseInput<'StreamsGroupHeartbeat'>;

/** Members that wait for others ask again after this long. */
const waitingBeatMs = 500;
/** Kafka's defaults, which mean something to clients that have warm-up tasks. */
const acceptableRecoveryLag = 10_000;
const taskOffsetIntervalMs = 60_000;

export async function streamsGroupHeartbeat(
  context: HandlerContext,
  request: Request,
): Promise<Response> {
  const { connection, door } = context;
  const { clientId, clientHost } = connection;
  if (request.topology !== null) await ensureInternalTopic(context, internalTopics.offsets);
  if (door.shareGroups.has(request.groupId)) {
    const message = `Group ${request.groupId} is not a streams group.`;
    return refuse(request, new Refusal(errorCodes.GROUP_ID_NOT_FOUND, message));
  }
  let beaten = await door.streamsGroups.heartbeat(request, { clientId, clientHost });
  if (beaten instanceof Refusal) return refuse(request, beaten);
  if (request.memberEpoch < 0) return answer(context, request, beaten, []);
  const { missing } = beaten.group.configured;
  if (missing.length === 0) return answer(context, request, beaten, []);
  const problems = await createMissing(context, missing);
  beaten = door.streamsGroups.refresh(beaten, request);
  return answer(context, request, beaten, problems);
}

function refuse({ memberId }: Request, { errorCode, message }: Refusal): Response {
  return {
    errorCode,
    errorMessage: message,
    memberId,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    acceptableRecoveryLag: 0,
    taskOffsetIntervalMs: 0,
    endpointInformationEpoch: 0,
  };
}

function answer(
  { door }: HandlerContext,
  request: Request,
  { group, member, isTold }: Beaten,
  problems: readonly string[],
): Response {
  const base = {
    errorCode: errorCodes.NONE,
    memberId: member.memberId,
    memberEpoch: member.epoch,
    acceptableRecoveryLag,
    taskOffsetIntervalMs,
  };
  if (member.epoch < 0) {
    return { ...base, heartbeatIntervalMs: 0, endpointInformationEpoch: 0, status: null };
  }
  const { configs } = door.shareGroups;
  const intervalMs = configs.number(group.id, 'streams.heartbeat.interval.ms');
  const isWaiting = group.isGathering || member.isWaiting || hasToRevoke(member);
  const tasks = isTold
    ? {
        activeTasks: toWire(member.assigned.active),
        standbyTasks: toWire(member.assigned.standby),
        warmupTasks: [],
      }
    : {};
  const isNews = request.endpointInformationEpoch !== group.endpointEpoch;
  return {
    ...base,
    heartbeatIntervalMs: isWaiting ? Math.min(waitingBeatMs, intervalMs) : intervalMs,
    status: listStatus({ group, member, isTold }, problems),
    ...tasks,
    endpointInformationEpoch: group.endpointEpoch,
    partitionsByUserEndpoint: isNews ? listEndpoints(group) : null,
  };
}

/** Null where there is nothing to say. */
function listStatus({ group, member }: Beaten, problems: readonly string[]): Status[] | null {
  const list: Status[] = [];
  if (member.topologyEpoch < group.topology.epoch) {
    list.push({
      statusCode: statusCodes.staleTopology,
      statusDetail: `The member's topology epoch ${member.topologyEpoch} is behind the group's topology epoch ${group.topology.epoch}.`,
    });
  }
  const { problem } = group.configured;
  if (problem !== undefined) {
    const statusDetail = [problem.statusDetail, ...problems].join('; ');
    list.push({ statusCode: problem.statusCode, statusDetail });
  }
  if (group.shutdownMemberId !== undefined) {
    list.push({
      statusCode: statusCodes.shutdownApplication,
      statusDetail: `Streams group member ${group.shutdownMemberId} encountered a fatal error and requested a shutdown for the entire application.`,
    });
  }
  return list.length === 0 ? null : list;
}

/** Why topics could not be made, one text for each. */
async function createMissing(
  context: HandlerContext,
  missing: readonly InternalTopic[],
): Promise<string[]> {
  const { access } = context.connection;
  const mayCreate = ({ name }: InternalTopic): boolean =>
    access.isUnlimited || access.mayWithCluster('create') || access.may('create', 'topic', name);
  const denied = missing.filter((topic) => !mayCreate(topic));
  const problems =
    denied.length === 0
      ? []
      : [`Unauthorized to CREATE on topics ${denied.map(({ name }) => name).join(', ')}.`];
  const topics = missing
    .filter(mayCreate)
    .map(({ name, partitions, replicationFactor, topicConfigs }) => ({
      name,
      numPartitions: partitions,
      replicationFactor: replicationFactor === 0 ? -1 : replicationFactor,
      assignments: [],
      configs: topicConfigs.map(({ key, value }) => ({ name: key, value })),
    }));
  if (topics.length === 0) return problems;
  const made = await createTopics(context, { topics, timeoutMs: 0, validateOnly: false }, 7);
  for (const { name, errorCode, errorMessage } of made.topics) {
    // Another member may have asked for it at the same time.
    if (errorCode === errorCodes.NONE || errorCode === errorCodes.TOPIC_ALREADY_EXISTS) continue;
    problems.push(`Topic ${name}: ${errorMessage ?? `error ${errorCode}`}`);
  }
  return problems;
}
