import { errorCodes } from '../error-codes.ts';
import type { HandlerResult } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';
import { after, both, type Gate, type Guard, split, whole } from './guard.ts';

const groupMessage = 'Group authorization failed.';
const topicMessage = 'Topic authorization failed.';
const hiddenTopics =
  'The group has described topic(s) that the client is not authorized to describe.';

// Heartbeats: who may read the group may be its member, by topics that it may describe.

type HeartbeatApi = 'ConsumerGroupHeartbeat' | 'ShareGroupHeartbeat' | 'StreamsGroupHeartbeat';

function heartbeat<N extends HeartbeatApi>(
  topicsOf: (request: RequestOf<N>) => readonly string[],
  refuse: (request: RequestOf<N>, errorCode: number, errorMessage: string) => HandlerResult<N>,
): Guard<N> {
  return both(
    whole(
      (gate, { groupId }) => gate.may('read', 'group', groupId),
      (request) => refuse(request, errorCodes.GROUP_AUTHORIZATION_FAILED, groupMessage),
    ),
    whole(
      (gate, request) => mayDescribeAll(gate, topicsOf(request)),
      (request) => refuse(request, errorCodes.TOPIC_AUTHORIZATION_FAILED, topicMessage),
    ),
  );
}

function refuseMember(_request: unknown, errorCode: number, errorMessage: string) {
  return { memberEpoch: 0, heartbeatIntervalMs: 0, errorCode, errorMessage };
}

/** What a pattern matches is looked for where the topics are. */
export const consumerGroupHeartbeat = heartbeat<'ConsumerGroupHeartbeat'>(
  ({ subscribedTopicNames }) => subscribedTopicNames ?? [],
  refuseMember,
);

export const shareGroupHeartbeat = heartbeat<'ShareGroupHeartbeat'>(
  ({ subscribedTopicNames }) => subscribedTopicNames ?? [],
  refuseMember,
);

/** Whether topics may be made is asked when one is missing. */
export const streamsGroupHeartbeat = heartbeat<'StreamsGroupHeartbeat'>(
  ({ topology }) => namesIn(topology?.subtopologies),
  (request, errorCode, errorMessage) => ({
    ...refuseMember(request, errorCode, errorMessage),
    memberId: request.memberId,
    acceptableRecoveryLag: 0,
    taskOffsetIntervalMs: 0,
    endpointInformationEpoch: 0,
  }),
);

// Descriptions: of a group that may be described, if that may be said of all its topics.

type DescribeApi = 'ConsumerGroupDescribe' | 'ShareGroupDescribe' | 'StreamsGroupDescribe';
type Described<N extends DescribeApi> = ResponseInput<N>['groups'][number];

function description<N extends DescribeApi>(
  topicsOf: (group: Described<N>) => readonly string[],
  hide: (groupId: string, errorCode: number, errorMessage: string) => Described<N>,
): Guard<N> {
  return (gate, request, proceed) => {
    const [groupIds, denied] = split(request.groupIds, (id) => gate.may('describe', 'group', id));
    return after(proceed({ ...request, groupIds }), (response) => {
      // All three have a list of groups; that it is the one of this API, the compiler cannot follow.
      const groups = response.groups as ReadonlyArray<Described<N>>;
      const shown = groups.map((group) =>
        mayDescribeAll(gate, topicsOf(group))
          ? withPermitted(gate, group)
          : hide(group.groupId, errorCodes.TOPIC_AUTHORIZATION_FAILED, hiddenTopics),
      );
      const refused = denied.map((id) =>
        hide(id, errorCodes.GROUP_AUTHORIZATION_FAILED, groupMessage),
      );
      return { ...response, groups: [...shown, ...refused] };
    });
  };
}

function hideGroup(groupId: string, errorCode: number, errorMessage: string) {
  const nothing = { groupState: '', groupEpoch: 0, assignmentEpoch: 0, assignorName: '' };
  return { ...nothing, members: [], groupId, errorCode, errorMessage };
}

export const consumerGroupDescribe = description<'ConsumerGroupDescribe'>(
  ({ members }) =>
    members.flatMap(({ subscribedTopicNames, assignment, targetAssignment }) => [
      ...subscribedTopicNames,
      ...[...assignment.topicPartitions, ...targetAssignment.topicPartitions].map(nameOf),
    ]),
  hideGroup,
);

export const shareGroupDescribe = description<'ShareGroupDescribe'>(
  ({ members }) =>
    members.flatMap(({ subscribedTopicNames, assignment }) => [
      ...subscribedTopicNames,
      ...assignment.topicPartitions.map(nameOf),
    ]),
  hideGroup,
);

export const streamsGroupDescribe = description<'StreamsGroupDescribe'>(
  ({ topology }) => namesIn(topology?.subtopologies),
  (groupId, errorCode, errorMessage) => {
    const { assignorName: _, ...hidden } = hideGroup(groupId, errorCode, errorMessage);
    return hidden;
  },
);

/** Of what a handler says that can be done with a group, what this client may do. */
export function withPermitted<
  G extends { readonly groupId: string; readonly authorizedOperations?: number | undefined },
>(gate: Gate, group: G): G {
  const { authorizedOperations, groupId } = group;
  return {
    ...group,
    authorizedOperations: gate.permitted(authorizedOperations, 'group', groupId),
  };
}

function mayDescribeAll(gate: Gate, topics: readonly string[]): boolean {
  return topics.every((name) => gate.may('describe', 'topic', name));
}

function nameOf({ topicName }: { readonly topicName: string }): string {
  return topicName;
}

interface Named {
  readonly name: string;
}

interface Subtopology {
  readonly sourceTopics: readonly string[];
  readonly repartitionSourceTopics: readonly Named[];
  readonly stateChangelogTopics: readonly Named[];
}

function namesIn(subtopologies: readonly Subtopology[] | null | undefined): string[] {
  return (subtopologies ?? []).flatMap(
    ({ sourceTopics, repartitionSourceTopics, stateChangelogTopics }) => {
      const internal = repartitionSourceTopics.concat(stateChangelogTopics);
      return sourceTopics.concat(internal.map(({ name }) => name));
    },
  );
}
