import type { Partition } from '../../shard/index.ts';
import { AmqpError } from './amqp-error.ts';
import type { Field } from './wire/index.ts';

/** Where a reader of a log begins: the argument `x-stream-offset`. */
export interface StreamStart {
  find(partition: Partition): number | Promise<number>;
}

const intervalUnits: Readonly<Record<string, number>> = {
  Y: 365 * 24 * 3600,
  M: 30 * 24 * 3600,
  D: 24 * 3600,
  h: 3600,
  m: 60,
  s: 1,
};

/** Undefined stands for `next`. Throws an AmqpError for what is no place. */
export function readStreamStart(field: Field | undefined, nowMs: number): StreamStart {
  if (field === undefined) return atNext;
  if (field.type === 'T') return atTime(Number(field.value) * 1000);
  if (typeof field.value === 'number' || typeof field.value === 'bigint') {
    const offset = Number(field.value);
    if (Number.isSafeInteger(offset) && offset >= 0) return atOffset(offset);
  }
  if (field.type === 'S') {
    if (field.value === 'first') return { find: (partition) => partition.logStartOffset };
    if (field.value === 'last') return atLast;
    if (field.value === 'next') return atNext;
    const interval = /^(\d{1,9})([YMDhms])$/.exec(field.value);
    if (interval !== null) {
      return atTime(nowMs - Number(interval[1]) * intervalUnits[interval[2]!]! * 1000);
    }
  }
  throw new AmqpError(
    'PRECONDITION_FAILED',
    `invalid arg 'x-stream-offset': ${field.type === 'S' ? field.value : `type ${field.type}`}`,
  );
}

const atNext: StreamStart = { find: (partition) => partition.highWatermark };

/** RabbitMQ begins with the last chunk; here it is the last message. */
const atLast: StreamStart = {
  find: (partition) => Math.max(partition.logStartOffset, partition.lastStableOffset - 1),
};

/** Beyond the end it is the end. */
function atOffset(offset: number): StreamStart {
  return {
    find: (partition) =>
      Math.min(Math.max(offset, partition.logStartOffset), partition.highWatermark),
  };
}

function atTime(timeMs: number): StreamStart {
  return {
    find: async (partition) =>
      (await partition.findByTime(timeMs))?.offset ?? partition.highWatermark,
  };
}
