import { errorCodes } from '../error-codes.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';
import { after, both, each, type Gate, type Guard, split, whole } from './guard.ts';
import { withPermitted } from './member-guards.ts';

const groupRefused = errorCodes.GROUP_AUTHORIZATION_FAILED;
const topicRefused = errorCodes.TOPIC_AUTHORIZATION_FAILED;
const groupMessage = 'Group authorization failed.';
const topicMessage = 'Topic authorization failed.';

const empty = new Uint8Array(0);

interface OfGroup {
  readonly groupId: string;
}

function mayRead(gate: Gate, { groupId }: OfGroup): boolean {
  return gate.may('read', 'group', groupId);
}

export const joinGroup: Guard<'JoinGroup'> = whole(mayRead, ({ memberId }, version) => ({
  errorCode: groupRefused,
  generationId: -1,
  protocolName: version >= 7 ? null : '',
  leader: '',
  memberId,
  members: [],
}));

export const syncGroup: Guard<'SyncGroup'> = whole(mayRead, () => ({
  errorCode: groupRefused,
  assignment: empty,
}));

export const heartbeat: Guard<'Heartbeat'> = whole(mayRead, () => ({ errorCode: groupRefused }));

export const leaveGroup: Guard<'LeaveGroup'> = whole(mayRead, () => ({
  errorCode: groupRefused,
  members: [],
}));

interface OffsetTopic {
  readonly name: string;
  readonly topicId?: string;
  readonly partitions: ReadonlyArray<{ readonly partitionIndex: number }>;
}

function refuseOffsets({ name, topicId = zeroUuid, partitions }: OffsetTopic, errorCode: number) {
  return {
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  };
}

export const offsetCommit: Guard<'OffsetCommit'> = both(
  whole(mayRead, ({ topics }) => ({
    topics: topics.map((topic) => refuseOffsets(topic, groupRefused)),
  })),
  each({
    of: 'topics',
    into: 'topics',
    isAllowed: (gate, { name, topicId }) => gate.mayWithTopic('read', name, topicId),
    refuse: (topic) => refuseOffsets(topic, topicRefused),
  }),
);

export const txnOffsetCommit: Guard<'TxnOffsetCommit'> = both(
  both(
    whole(
      (gate, { transactionalId }) => gate.may('write', 'transaction', transactionalId),
      ({ topics }) => ({
        topics: topics.map((topic) =>
          refuseOffsets(topic, errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        ),
      }),
    ),
    whole(mayRead, ({ topics }) => ({
      topics: topics.map((topic) => refuseOffsets(topic, groupRefused)),
    })),
  ),
  each({
    of: 'topics',
    into: 'topics',
    isAllowed: (gate, { name }) => gate.may('read', 'topic', name),
    refuse: (topic) => refuseOffsets(topic, topicRefused),
  }),
);

export const offsetDelete: Guard<'OffsetDelete'> = both(
  whole(
    (gate, { groupId }) => gate.may('delete', 'group', groupId),
    () => ({ errorCode: groupRefused, topics: [] }),
  ),
  each({
    of: 'topics',
    into: 'topics',
    isAllowed: (gate, { name }) => gate.may('read', 'topic', name),
    refuse: (topic) => refuseOffsets(topic, topicRefused),
  }),
);

/** Up to version 7 for one group. Where all offsets are asked for, those of other topics are left out. */
const offsetFetchOfOne: Guard<'OffsetFetch'> = (gate, request, proceed, version) => {
  const { topics } = request;
  if (!gate.may('describe', 'group', request.groupId)) {
    // Version 1 has no other place for the group's error.
    return {
      errorCode: groupRefused,
      topics: version === 1 ? (topics ?? []).map((topic) => refuseFetch(topic, groupRefused)) : [],
    };
  }
  if (topics === null) {
    return after<'OffsetFetch'>(proceed(request), (response) => ({
      ...response,
      topics: (response.topics ?? []).filter(({ name }) => gate.may('describe', 'topic', name)),
    }));
  }
  const [allowed, denied] = split(topics, ({ name }) => gate.may('describe', 'topic', name));
  return after<'OffsetFetch'>(proceed({ ...request, topics: allowed }), (response) => ({
    ...response,
    topics: [
      ...(response.topics ?? []),
      ...denied.map((topic) => refuseFetch(topic, topicRefused)),
    ],
  }));
};

type FetchedGroup = RequestOf<'OffsetFetch'>['groups'][number];

const offsetFetchOfMany: Guard<'OffsetFetch'> = (gate, request, proceed) => {
  const [groups, refused] = split(request.groups, ({ groupId }) =>
    gate.may('describe', 'group', groupId),
  );
  const isShown = ({ name = '', topicId = zeroUuid }: OffsetTopicName): boolean =>
    gate.mayWithTopic('describe', name, topicId);
  // In the order of the groups, which is that of their answers: a group may be named more than once.
  const refusals: Array<ReturnType<typeof refuseFetch>[]> = [];
  const narrow = (group: FetchedGroup): FetchedGroup => {
    const [topics, denied] = split(group.topics ?? [], isShown);
    refusals.push(denied.map((topic) => refuseFetch(topic, topicRefused)));
    return group.topics === null ? group : { ...group, topics };
  };
  const allowed = { ...request, groups: groups.map(narrow) };
  return after<'OffsetFetch'>(proceed(allowed), (response) => ({
    ...response,
    groups: [
      ...(response.groups ?? []).map(({ groupId, topics, errorCode }, index) => ({
        groupId,
        errorCode,
        topics: [...topics.filter(isShown), ...(refusals[index] ?? [])],
      })),
      ...refused.map(({ groupId }) => ({ groupId, topics: [], errorCode: groupRefused })),
    ],
  }));
};

export const offsetFetch: Guard<'OffsetFetch'> = (gate, request, proceed, version) =>
  (version >= 8 ? offsetFetchOfMany : offsetFetchOfOne)(gate, request, proceed, version);

interface OffsetTopicName {
  readonly name?: string | undefined;
  readonly topicId?: string | undefined;
}

function refuseFetch(
  { name = '', topicId = zeroUuid, partitionIndexes }: FetchedTopic,
  errorCode: number,
) {
  return {
    name,
    topicId,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      committedLeaderEpoch: -1,
      metadata: '',
      errorCode,
    })),
  };
}

interface FetchedTopic extends OffsetTopicName {
  readonly partitionIndexes: readonly number[];
}

export const describeGroups: Guard<'DescribeGroups'> = (gate, request, proceed) => {
  const [groups, refused] = split(request.groups, (id) => gate.may('describe', 'group', id));
  return after<'DescribeGroups'>(proceed({ ...request, groups }), (response) => ({
    ...response,
    groups: [
      ...response.groups.map((group) => withPermitted(gate, group)),
      ...refused.map((groupId) => ({
        errorCode: groupRefused,
        errorMessage: groupMessage,
        groupId,
        groupState: '',
        protocolType: '',
        protocolData: '',
        members: [],
      })),
    ],
  }));
};

export const listGroups: Guard<'ListGroups'> = (gate, request, proceed) =>
  after<'ListGroups'>(proceed(request), (response) =>
    gate.mayWithCluster('describe')
      ? response
      : {
          ...response,
          groups: response.groups.filter(({ groupId }) => gate.may('describe', 'group', groupId)),
        },
  );

export const deleteGroups: Guard<'DeleteGroups'> = each({
  of: 'groupsNames',
  into: 'results',
  isAllowed: (gate, groupId) => gate.may('delete', 'group', groupId),
  refuse: (groupId) => ({ groupId, errorCode: groupRefused }),
});

/** Topics are checked where the records are read, for a session is longer than a request. */
export const shareFetch: Guard<'ShareFetch'> = whole(
  (gate, { groupId }) => gate.may('read', 'group', groupId ?? ''),
  () => ({
    errorCode: groupRefused,
    errorMessage: groupMessage,
    acquisitionLockTimeoutMs: 0,
    responses: [],
    nodeEndpoints: [],
  }),
);

/** Topics are checked where they are acknowledged, which both requests do. */
export const shareAcknowledge: Guard<'ShareAcknowledge'> = whole(
  (gate, { groupId }) => gate.may('read', 'group', groupId ?? ''),
  () => ({
    errorCode: groupRefused,
    errorMessage: groupMessage,
    responses: [],
    nodeEndpoints: [],
  }),
);

type ShareOffsetsRequest = RequestOf<'DescribeShareGroupOffsets'>['groups'][number];
type ShareOffsetsTopic =
  ResponseInput<'DescribeShareGroupOffsets'>['groups'][number]['topics'][number];

export const describeShareGroupOffsets: Guard<'DescribeShareGroupOffsets'> = (
  gate,
  request,
  proceed,
) => {
  const [groups, refused] = split(request.groups, ({ groupId }) =>
    gate.may('describe', 'group', groupId),
  );
  const isShown = ({ topicName }: { readonly topicName: string }): boolean =>
    gate.may('describe', 'topic', topicName);
  // In the order of the groups, which is that of their answers: a group may be named more than once.
  const refusals: ShareOffsetsTopic[][] = [];
  const narrow = (group: ShareOffsetsRequest): ShareOffsetsRequest => {
    const [topics, denied] = split(group.topics ?? [], isShown);
    refusals.push(denied.map(refuseShareOffsets));
    return group.topics === null ? group : { ...group, topics };
  };
  const allowed = { ...request, groups: groups.map(narrow) };
  return after<'DescribeShareGroupOffsets'>(proceed(allowed), (response) => ({
    ...response,
    groups: [
      ...response.groups.map(({ groupId, topics, errorCode, errorMessage }, index) => ({
        groupId,
        errorCode,
        errorMessage,
        topics: [...topics.filter(isShown), ...(refusals[index] ?? [])],
      })),
      ...refused.map(({ groupId }) => ({
        groupId,
        topics: [],
        errorCode: groupRefused,
        errorMessage: groupMessage,
      })),
    ],
  }));
};

function refuseShareOffsets({
  topicName,
  partitions,
}: {
  readonly topicName: string;
  readonly partitions: readonly number[];
}): ShareOffsetsTopic {
  return {
    topicName,
    topicId: zeroUuid,
    partitions: partitions.map((partitionIndex) => ({
      partitionIndex,
      startOffset: -1,
      leaderEpoch: 0,
      errorCode: topicRefused,
      errorMessage: topicMessage,
    })),
  };
}

export const alterShareGroupOffsets: Guard<'AlterShareGroupOffsets'> = both(
  whole(mayRead, () => ({ errorCode: groupRefused, errorMessage: groupMessage, responses: [] })),
  each({
    of: 'topics',
    into: 'responses',
    isAllowed: (gate, { topicName }) => gate.may('read', 'topic', topicName),
    refuse: ({ topicName, partitions }) => ({
      topicName,
      topicId: zeroUuid,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: topicRefused,
        errorMessage: topicMessage,
      })),
    }),
  }),
);

export const deleteShareGroupOffsets: Guard<'DeleteShareGroupOffsets'> = both(
  whole(
    (gate, { groupId }) => gate.may('delete', 'group', groupId),
    () => ({ errorCode: groupRefused, errorMessage: groupMessage, responses: [] }),
  ),
  each({
    of: 'topics',
    into: 'responses',
    isAllowed: (gate, { topicName }) => gate.may('read', 'topic', topicName),
    refuse: ({ topicName }) => ({
      topicName,
      topicId: zeroUuid,
      errorCode: topicRefused,
      errorMessage: topicMessage,
    }),
  }),
);
