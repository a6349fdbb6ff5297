// DescribeLogDirs 1-5. There is one directory; partitions share its files, so a partition's size is that of its
// record batches.
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type TopicResponse = ResponseInput<'DescribeLogDirs'>['results'][number]['topics'][number];

export function describeLogDirs(
  { broker }: HandlerContext,
  request: RequestOf<'DescribeLogDirs'>,
): ResponseInput<'DescribeLogDirs'> {
  const asked =
    request.topics ??
    broker.topics.list().map(({ name, partitions }) => ({
      topic: name,
      partitions: partitions.map((partition) => partition.index),
    }));
  const topics: TopicResponse[] = [];
  for (const { topic: name, partitions: indexes } of asked) {
    const topic = broker.topics.find(name);
    const partitions: Array<TopicResponse['partitions'][number]> = [];
    for (const partitionIndex of indexes) {
      const partition = topic?.partitions[partitionIndex];
      if (partition === undefined) continue;
      partitions.push({
        partitionIndex,
        partitionSize: partition.sizeBytes,
        offsetLag: 0,
        isFutureKey: false,
      });
    }
    if (partitions.length > 0) topics.push({ name, partitions });
  }
  const { path, totalBytes, freeBytes } = broker.storage();
  return {
    errorCode: errorCodes.NONE,
    results: [
      { errorCode: errorCodes.NONE, logDir: path, topics, totalBytes, usableBytes: freeBytes },
    ],
  };
}
