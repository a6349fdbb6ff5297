// AlterReplicaLogDirs 1-2 (KIP-113): there is one directory, so whatever is there stays, and nothing can go elsewhere.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function alterReplicaLogDirs(
  { broker }: HandlerContext,
  request: RequestOf<'AlterReplicaLogDirs'>,
): ResponseInput<'AlterReplicaLogDirs'> {
  const { path: ownPath } = broker.storage();
  const results = request.dirs.flatMap(({ path, topics }) =>
    topics.map(({ name, partitions }) => {
      const known = broker.topics.find(name)?.partitions;
      return {
        topicName: name,
        partitions: partitions.map((partitionIndex) => ({
          partitionIndex,
          errorCode: judge(known?.[partitionIndex] !== undefined, path === ownPath),
        })),
      };
    }),
  );
  return { results };
}

function judge(isKnown: boolean, isOwn: boolean): number {
  if (!isOwn) return errorCodes.LOG_DIR_NOT_FOUND;
  return isKnown ? errorCodes.NONE : errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
}
