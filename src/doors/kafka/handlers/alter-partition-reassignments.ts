// AlterPartitionReassignments 0-1 (KIP-455, KIP-860): this broker has every partition, and no other can have one.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function alterPartitionReassignments(
  { broker }: HandlerContext,
  request: RequestOf<'AlterPartitionReassignments'>,
): ResponseInput<'AlterPartitionReassignments'> {
  return {
    allowReplicationFactorChange: request.allowReplicationFactorChange,
    errorCode: errorCodes.NONE,
    errorMessage: null,
    responses: request.topics.map(({ name, partitions }) => {
      const known = broker.topics.find(name)?.partitions;
      return {
        name,
        partitions: partitions.map(({ partitionIndex, replicas }) => {
          const refusal =
            known?.[partitionIndex] === undefined
              ? new Refusal(
                  errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
                  `There is no partition ${partitionIndex} of ${name}.`,
                )
              : judge(replicas, broker.brokerId);
          return {
            partitionIndex,
            errorCode: refusal?.errorCode ?? errorCodes.NONE,
            errorMessage: refusal?.message ?? null,
          };
        }),
      };
    }),
  };
}

/** Where it is already is where it may go. */
function judge(replicas: readonly number[] | null, brokerId: number): Refusal | undefined {
  if (replicas === null)
    return new Refusal(errorCodes.NO_REASSIGNMENT_IN_PROGRESS, 'The partition is not moving.');
  if (replicas.length === 1 && replicas[0] === brokerId) return undefined;
  return new Refusal(
    errorCodes.INVALID_REPLICA_ASSIGNMENT,
    `The only broker is ${brokerId}: its one replica of each partition is all there can be.`,
  );
}
