import { decodeConsumerAssignment } from '../doors/kafka/wire/index.ts';
import type { Connection } from './connection.ts';
import { checkError, ServerError, serverErrors } from './server-error.ts';

/** What a member reads: partitions of a topic, or of a part of a topology (a streams group). */
export interface Assigned {
  readonly name: string;
  readonly partitions: readonly number[];
}

export interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
  readonly clientHost: string;
  readonly assigned: readonly Assigned[];
}

/** The protocol that a group's members speak, as ListGroups names it. */
export type GroupType = 'classic' | 'consumer' | 'share' | 'streams';

export interface GroupDescription {
  readonly groupId: string;
  readonly type: GroupType;
  readonly state: string;
  readonly members: readonly GroupMember[];
}

/** Each protocol has a request of its own, which does not know the others' groups. Rejects with ServerError. */
export async function describeGroup(
  connection: Connection,
  groupId: string,
  type: GroupType,
): Promise<GroupDescription> {
  const { errorCode, errorMessage, state, members } = await ask[type](connection, groupId);
  checkError(errorCode, `group "${groupId}"`, errorMessage);
  return { groupId, type, state, members };
}

interface Answer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly state: string;
  readonly members: readonly GroupMember[];
}

const ask: Record<GroupType, (connection: Connection, groupId: string) => Promise<Answer>> = {
  async classic(connection, groupId) {
    const { groups } = await connection.request('DescribeGroups', { groups: [groupId] });
    const group = theOne(groups, groupId);
    const isConsumers = group.protocolType === 'consumer';
    return {
      ...group,
      state: group.groupState,
      members: group.members.map((member) => {
        const { memberAssignment: message } = member;
        // What members of other kinds tell each other is theirs; one that has just joined has nothing yet.
        return toMember(member, isConsumers && message.length > 0 ? readAssigned(message) : []);
      }),
    };
  },

  async consumer(connection, groupId) {
    const { groups } = await connection.request('ConsumerGroupDescribe', {
      groupIds: [groupId],
      includeAuthorizedOperations: false,
    });
    return toAnswer(theOne(groups, groupId));
  },

  async share(connection, groupId) {
    const { groups } = await connection.request('ShareGroupDescribe', {
      groupIds: [groupId],
      includeAuthorizedOperations: false,
    });
    return toAnswer(theOne(groups, groupId));
  },

  async streams(connection, groupId) {
    const { groups } = await connection.request('StreamsGroupDescribe', {
      groupIds: [groupId],
      includeAuthorizedOperations: false,
    });
    const group = theOne(groups, groupId);
    return {
      ...group,
      state: group.groupState,
      members: group.members.map((member) => {
        const { activeTasks } = member.assignment;
        return toMember(
          member,
          activeTasks.map(({ subtopologyId, partitions }) => ({ name: subtopologyId, partitions })),
        );
      }),
    };
  },
};

interface TopicsGroup {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly groupState: string;
  readonly members: ReadonlyArray<
    Member & {
      readonly assignment: {
        readonly topicPartitions: ReadonlyArray<{
          readonly topicName: string;
          readonly partitions: readonly number[];
        }>;
      };
    }
  >;
}

/** The fields that all protocols' members have. */
type Member = Omit<GroupMember, 'assigned'>;

function toMember(member: Member, assigned: readonly Assigned[]): GroupMember {
  const { memberId, clientId, clientHost } = member;
  return { memberId, clientId, clientHost, assigned };
}

function toAnswer({ errorCode, errorMessage, groupState, members }: TopicsGroup): Answer {
  return {
    errorCode,
    errorMessage,
    state: groupState,
    members: members.map((member) => {
      const { topicPartitions } = member.assignment;
      return toMember(
        member,
        topicPartitions.map(({ topicName, partitions }) => ({ name: topicName, partitions })),
      );
    }),
  };
}

function readAssigned(message: Uint8Array): Assigned[] {
  const { assignedPartitions } = decodeConsumerAssignment(message);
  return assignedPartitions.map(({ topic, partitions }) => ({ name: topic, partitions }));
}

function theOne<T>(groups: readonly T[], groupId: string): T {
  const [group] = groups;
  if (group === undefined) throw new ServerError(serverErrors.groupNotFound, groupId);
  return group;
}
