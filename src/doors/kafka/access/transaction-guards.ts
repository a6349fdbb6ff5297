import { errorCodes } from '../error-codes.ts';
import { type Guard, type Gate, after, both, each, split, whole } from './guard.ts';

const refused = errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;

interface OfTransaction {
  readonly transactionalId: string;
}

function mayWrite(gate: Gate, { transactionalId }: OfTransaction): boolean {
  return gate.may('write', 'transaction', transactionalId);
}

/** Who may write to any topic may be idempotent there. */
export const initProducerId: Guard<'InitProducerId'> = both(
  whole(
    (gate, { transactionalId, enable2Pc }) =>
      transactionalId === null ||
      (gate.may('write', 'transaction', transactionalId) &&
        (!enable2Pc || gate.may('two-phase-commit', 'transaction', transactionalId))),
    () => ({ errorCode: refused, producerEpoch: -1 }),
  ),
  whole(
    (gate, { transactionalId }) =>
      transactionalId !== null ||
      gate.mayWithCluster('idempotent-write') ||
      gate.access.mayOnSome('write', 'topic'),
    () => ({ errorCode: errorCodes.CLUSTER_AUTHORIZATION_FAILED, producerEpoch: -1 }),
  ),
);

/** Up to version 3 from clients, for one transaction: all topics or none. From 4 on only brokers ask. */
export const addPartitionsToTxn: Guard<'AddPartitionsToTxn'> = (
  gate,
  request,
  proceed,
  version,
) => {
  if (version >= 4) {
    if (gate.mayWithCluster('cluster-action')) return proceed(request);
    return { errorCode: errorCodes.CLUSTER_AUTHORIZATION_FAILED };
  }
  const topics = request.v3AndBelowTopics;
  const answerAll = (codeOf: (name: string) => number) => ({
    resultsByTopicV3AndBelow: topics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: codeOf(name),
      })),
    })),
  });
  if (!gate.may('write', 'transaction', request.v3AndBelowTransactionalId)) {
    return answerAll(() => refused);
  }
  const isDenied = (name: string): boolean => !gate.may('write', 'topic', name);
  if (!topics.some(({ name }) => isDenied(name))) return proceed(request);
  return answerAll((name) =>
    isDenied(name) ? errorCodes.TOPIC_AUTHORIZATION_FAILED : errorCodes.OPERATION_NOT_ATTEMPTED,
  );
};

export const addOffsetsToTxn: Guard<'AddOffsetsToTxn'> = both(
  whole(mayWrite, () => ({ errorCode: refused })),
  whole(
    (gate, { groupId }) => gate.may('read', 'group', groupId),
    () => ({ errorCode: errorCodes.GROUP_AUTHORIZATION_FAILED }),
  ),
);

export const endTxn: Guard<'EndTxn'> = whole(mayWrite, () => ({ errorCode: refused }));

/** For brokers, and for administrators who end a transaction that hangs. */
export const writeTxnMarkers: Guard<'WriteTxnMarkers'> = whole(
  (gate) => gate.mayWithCluster('cluster-action') || gate.mayWithCluster('alter'),
  ({ markers }) => ({
    markers: markers.map(({ producerId, topics }) => ({
      producerId,
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({
          partitionIndex,
          errorCode: errorCodes.CLUSTER_AUTHORIZATION_FAILED,
        })),
      })),
    })),
  }),
);

const describeAllowed: Guard<'DescribeTransactions'> = each({
  of: 'transactionalIds',
  into: 'transactionStates',
  isAllowed: (gate, id) => gate.may('describe', 'transaction', id),
  refuse: (transactionalId) => ({
    errorCode: refused,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: -1,
    producerId: -1,
    producerEpoch: -1,
    topics: [],
  }),
});

/** Topics that may not be described are left out. */
export const describeTransactions: Guard<'DescribeTransactions'> = (
  gate,
  request,
  proceed,
  version,
) =>
  after<'DescribeTransactions'>(describeAllowed(gate, request, proceed, version), (response) => ({
    ...response,
    transactionStates: response.transactionStates.map((state) => ({
      ...state,
      topics: split(state.topics, ({ topic }) => gate.may('describe', 'topic', topic))[0],
    })),
  }));

export const listTransactions: Guard<'ListTransactions'> = (gate, request, proceed) =>
  after<'ListTransactions'>(proceed(request), (response) => ({
    ...response,
    transactionStates: response.transactionStates.filter(({ transactionalId }) =>
      gate.may('describe', 'transaction', transactionalId),
    ),
  }));

const keyTypes = { group: 0, transaction: 1 } as const;

/** Of coordinators: nothing is made for those who may not know of what is coordinated. */
export const findCoordinator: Guard<'FindCoordinator'> = (gate, request, proceed, version) => {
  const { keyType } = request;
  const isAllowed = (key: string): boolean => {
    if (keyType === keyTypes.group) return gate.may('describe', 'group', key);
    if (keyType === keyTypes.transaction) return gate.may('describe', 'transaction', key);
    return gate.mayWithCluster('cluster-action');
  };
  const errorCode = refusalOf(keyType);
  const nowhere = { errorCode, errorMessage: null, nodeId: -1, host: '', port: -1 };
  if (version < 4) return isAllowed(request.key) ? proceed(request) : nowhere;
  const [coordinatorKeys, denied] = split(request.coordinatorKeys, isAllowed);
  const refusals = denied.map((key) => Object.assign({ key }, nowhere));
  if (coordinatorKeys.length === 0) return { coordinators: refusals };
  return after<'FindCoordinator'>(proceed({ ...request, coordinatorKeys }), (response) => ({
    ...response,
    coordinators: [...(response.coordinators ?? []), ...refusals],
  }));
};

function refusalOf(keyType: number): number {
  if (keyType === keyTypes.group) return errorCodes.GROUP_AUTHORIZATION_FAILED;
  if (keyType === keyTypes.transaction) return refused;
  return errorCodes.CLUSTER_AUTHORIZATION_FAILED;
}
