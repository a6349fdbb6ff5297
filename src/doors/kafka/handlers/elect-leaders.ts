// ElectLeaders 0-2 (KIP-183, KIP-460): every partition has the only leader that it can have.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function electLeaders(
  { broker }: HandlerContext,
  request: RequestOf<'ElectLeaders'>,
): ResponseInput<'ElectLeaders'> {
  // Asked for all of them, Kafka names only those whose leader has changed.
  const asked = request.topicPartitions ?? [];
  return {
    errorCode: errorCodes.NONE,
    replicaElectionResults: asked.map(({ topic, partitions }) => {
      const known = broker.topics.find(topic)?.partitions;
      return {
        topic,
        partitionResult: partitions.map((partitionId) =>
          known?.[partitionId] === undefined
            ? {
                partitionId,
                errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
                errorMessage:
                  known === undefined
                    ? `No such topic as ${topic}`
                    : `No such partition as ${topic}-${partitionId}`,
              }
            : {
                partitionId,
                errorCode: errorCodes.ELECTION_NOT_NEEDED,
                errorMessage: 'Leader election not needed for topic partition.',
              },
        ),
      };
    }),
  };
}
