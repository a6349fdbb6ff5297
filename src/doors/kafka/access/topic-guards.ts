import { ProtocolError } from '../../../base/index.ts';
import { errorCodes } from '../error-codes.ts';
import { hasTransactionalBatches } from '../produce-transaction.ts';
import { isTopicName } from '../topic-creation.ts';
import { type RequestOf, type ResponseInput, zeroUuid } from '../wire/index.ts';
import { after, both, each, type Gate, type Guard, split, whole } from './guard.ts';

const refused = errorCodes.TOPIC_AUTHORIZATION_FAILED;
const message = 'Topic authorization failed.';

/** With a transactional id that nothing is written in, anybody may write. */
function mayProduceIn(gate: Gate, request: RequestOf<'Produce'>): boolean {
  const { transactionalId } = request;
  if (!hasTransactionalBatches(request)) return true;
  return transactionalId !== null && gate.may('write', 'transaction', transactionalId);
}

const producesAnswered: Guard<'Produce'> = both(
  whole(mayProduceIn, ({ topicData }) => ({
    responses: topicData.map((topic) =>
      refuseProduce(topic, errorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
    ),
  })),
  each({
    of: 'topicData',
    into: 'responses',
    isAllowed: (gate, { name, topicId }) => gate.mayWithTopic('write', name, topicId),
    refuse: (topic) => refuseProduce(topic, refused),
  }),
);

/** Without acks nothing is answered: closing the connection is all that can be told, once what is allowed was taken. */
export const produce: Guard<'Produce'> = (gate, request, proceed, version) => {
  const { acks, topicData } = request;
  if (acks !== 0) return producesAnswered(gate, request, proceed, version);
  const allowed = mayProduceIn(gate, request)
    ? topicData.filter(({ name, topicId }) => gate.mayWithTopic('write', name, topicId))
    : [];
  if (allowed.length === topicData.length) return proceed(request);
  return Promise.resolve(proceed({ ...request, topicData: allowed })).then(() => {
    throw new ProtocolError('produce without acks, and without the right to');
  });
};

function refuseProduce(
  { name, topicId, partitionData }: RequestOf<'Produce'>['topicData'][number],
  errorCode: number,
): ResponseInput<'Produce'>['responses'][number] {
  return {
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => ({ index, errorCode, baseOffset: -1 })),
  };
}

export const listOffsets: Guard<'ListOffsets'> = each({
  of: 'topics',
  into: 'topics',
  isAllowed: (gate, { name }) => gate.may('describe', 'topic', name),
  refuse: ({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: refused,
    })),
  }),
});

export const offsetForLeaderEpoch: Guard<'OffsetForLeaderEpoch'> = each({
  of: 'topics',
  into: 'topics',
  isAllowed: (gate, { topic }) => gate.may('describe', 'topic', topic),
  refuse: ({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({ partition, errorCode: refused })),
  }),
});

/** Topics that may not be described are left out of lists; those that are asked for are refused, be they there or not. */
export const metadata: Guard<'Metadata'> = (gate, request, proceed, version) => {
  const { topics } = request;
  const isForAll = topics === null || (version === 0 && topics.length === 0);
  const [allowed, denied] = isForAll
    ? [topics, []]
    : split(topics, ({ name, topicId }) => isShown(gate, request, name, topicId));
  return after<'Metadata'>(
    isForAll || allowed === null || allowed.length > 0
      ? proceed({ ...request, topics: allowed })
      : // An empty list means none since version 1; before, it would mean all.
        proceed({ ...request, topics: version === 0 ? [nobody] : [] }),
    (response) => ({
      ...response,
      topics: [
        ...response.topics
          .filter(({ name }) => !isForAll || gate.may('describe', 'topic', name ?? ''))
          .filter(({ name }) => name !== nobody.name)
          .map((topic) => withPermitted(gate, topic)),
        ...denied.map(({ name, topicId }) => ({
          errorCode: refused,
          name: topicId === zeroUuid ? name : null,
          topicId,
          partitions: [],
        })),
      ],
      clusterAuthorizedOperations: gate.permittedWithCluster(response.clusterAuthorizedOperations),
    }),
  );
};

/** No topic can be called so. */
const nobody = { name: '', topicId: zeroUuid };

function isShown(
  gate: Gate,
  request: RequestOf<'Metadata'>,
  name: string | null,
  topicId: string,
): boolean {
  const { broker } = gate.context;
  if (!gate.mayWithTopic('describe', name, topicId)) return false;
  if (topicId !== zeroUuid || name === null || broker.topics.find(name) !== undefined) return true;
  const wouldCreate =
    request.allowAutoTopicCreation && broker.options.createTopicsOnUse && isTopicName(name);
  return !wouldCreate || mayCreate(gate, name);
}

function mayCreate(gate: Gate, name: string): boolean {
  return gate.mayWithCluster('create') || gate.may('create', 'topic', name);
}

/** Also pages are of topics that may be described only: where the next one begins is told by name. */
export const describeTopicPartitions: Guard<'DescribeTopicPartitions'> = (
  gate,
  request,
  proceed,
) => {
  const isForAll = request.topics.length === 0;
  const asked = isForAll ? gate.context.broker.topics.list() : request.topics;
  const [allowed, denied] = split(asked, ({ name }) => gate.may('describe', 'topic', name));
  const refusals = (isForAll ? [] : denied).map(({ name }) => ({
    errorCode: refused,
    name,
    partitions: [],
  }));
  if (allowed.length === 0) return { topics: refusals };
  const topics = allowed.map(({ name }) => ({ name }));
  return after<'DescribeTopicPartitions'>(proceed({ ...request, topics }), (response) => ({
    ...response,
    topics: [...response.topics.map((topic) => withPermitted(gate, topic)), ...refusals],
  }));
};

export const createTopics: Guard<'CreateTopics'> = (gate, request, proceed) => {
  const [allowed, denied] = split(request.topics, ({ name }) => mayCreate(gate, name));
  return after<'CreateTopics'>(proceed({ ...request, topics: allowed }), (response) => ({
    ...response,
    topics: [
      ...response.topics.map((topic) =>
        topic.errorCode !== errorCodes.NONE || gate.may('describe-configs', 'topic', topic.name)
          ? topic
          : {
              ...topic,
              numPartitions: -1,
              replicationFactor: -1,
              configs: null,
              topicConfigErrorCode: refused,
            },
      ),
      ...denied.map(({ name }) => ({
        name,
        errorCode: refused,
        errorMessage: 'Authorization failed.',
        configs: null,
      })),
    ],
  }));
};

export const deleteTopics: Guard<'DeleteTopics'> = (gate, request, proceed) => {
  const [topics, denied] = split(request.topics, ({ name, topicId }) =>
    gate.mayWithTopic('delete', name, topicId),
  );
  const [topicNames, deniedNames] = split(request.topicNames, (name) =>
    gate.may('delete', 'topic', name),
  );
  return after<'DeleteTopics'>(proceed({ ...request, topics, topicNames }), (response) => ({
    ...response,
    responses: [
      ...response.responses,
      ...denied.map(({ name, topicId }) => ({
        // Who may know of the topic is told its name.
        name:
          name ??
          (gate.mayWithTopic('describe', name, topicId)
            ? (gate.nameOf(name, topicId) ?? null)
            : null),
        topicId,
        errorCode: refused,
        errorMessage: message,
      })),
      ...deniedNames.map((name) => ({ name, errorCode: refused, errorMessage: message })),
    ],
  }));
};

export const deleteRecords: Guard<'DeleteRecords'> = each({
  of: 'topics',
  into: 'topics',
  isAllowed: (gate, { name }) => gate.may('delete', 'topic', name),
  refuse: ({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      lowWatermark: -1,
      errorCode: refused,
    })),
  }),
});

export const createPartitions: Guard<'CreatePartitions'> = each({
  of: 'topics',
  into: 'results',
  isAllowed: (gate, { name }) => gate.may('alter', 'topic', name),
  refuse: ({ name }) => ({ name, errorCode: refused, errorMessage: message }),
});

export const describeProducers: Guard<'DescribeProducers'> = each({
  of: 'topics',
  into: 'topics',
  isAllowed: (gate, { name }) => gate.may('read', 'topic', name),
  refuse: ({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      errorCode: refused,
      errorMessage: message,
      activeProducers: [],
    })),
  }),
});

function withPermitted<
  T extends {
    readonly name?: string | null | undefined;
    readonly topicAuthorizedOperations?: number | undefined;
  },
>(gate: Gate, topic: T): T {
  const { topicAuthorizedOperations, name } = topic;
  return {
    ...topic,
    topicAuthorizedOperations: gate.permitted(topicAuthorizedOperations, 'topic', name ?? ''),
  };
}
