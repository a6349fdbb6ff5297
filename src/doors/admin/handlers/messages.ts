import { isUtf8 } from 'node:buffer';
import { BrokerError, limits, type Random } from '../../../base/index.ts';
import {
  batchAttributes,
  batchLastOffset,
  forEachRecord,
  isControlBatch,
  type LogRecord,
  type NewRecord,
  partitionOfKey,
  RecordBatchBuilder,
  type RecordHeader,
  splitBatches,
} from '../../../bytes/index.ts';
import type { Topic } from '../../../broker/index.ts';
import type { Partition } from '../../../shard/index.ts';
import {
  asArray,
  asObject,
  asText,
  asWholeNumber,
  invalid,
  type JsonObject,
  optional,
  refuseOthers,
} from '../body.ts';
import type { AdminHandler } from '../context.ts';
import { Problem } from '../problem.ts';
import { readNumber, refuseOtherParameters } from '../query.ts';
import { getTopic } from './topics.ts';

const limitInitial = 50;

/**
 * Browses without a group: from an offset of one partition, from a time, from the earliest or (the default) the
 * latest messages.
 */
export const browseMessages: AdminHandler = async ({ broker }, { params, query, metrics }) => {
  const topic = getTopic(broker, params['name']);
  refuseOtherParameters(query, ['partition', 'offset', 'time', 'from', 'limit']);
  const limit = readNumber(query, 'limit', 1, limits.adminBrowseMessagesMax) ?? limitInitial;
  const partitions = choosePartitions(topic, query);
  const budget = { bytes: limits.adminBrowseBytesMax };
  const messages: BrowsedMessage[] = [];
  const positions: Array<{ partition: number; nextOffset: number; highWatermark: number }> = [];
  for (const partition of partitions) {
    const start = await findStart(partition, query, limit);
    const nextOffset = await browsePartition(partition, start, limit, budget, messages);
    positions.push({
      partition: partition.index,
      nextOffset,
      highWatermark: partition.highWatermark,
    });
  }
  const traffic = metrics.forTopic(topic.name);
  traffic.recordsOut += messages.length;
  traffic.bytesOut += limits.adminBrowseBytesMax - budget.bytes;
  return { status: 200, content: { json: { messages, positions } } };
};

/** Publishes a few messages; answers when all of them are durable, in their order. */
export const publishMessages: AdminHandler = async ({ broker, clock, random }, request) => {
  const topic = getTopic(broker, request.params['name']);
  const body = await request.readBody();
  refuseOthers(body, ['messages'], 'the body');
  const items = asArray(body['messages'], 'messages', limits.adminBrowseMessagesMax);
  if (items.length === 0) throw invalid('messages', 'an array of at least one message');
  const nowMs = clock.nowMs();
  const messages = items.map((item, index) => readMessage(item, `messages[${index}]`, nowMs));
  const chosen = messages.map(({ partition, record }) =>
    choosePartition(topic, partition, record.key, random),
  );
  // One batch for each partition: what one request publishes to a partition is stored together or not at all.
  const results: Array<{ partition: number; offset: number }> = [];
  const appends = [...new Set(chosen)].map(async (partition) => {
    const builder = new RecordBatchBuilder();
    const indexes: number[] = [];
    for (const [index, { record }] of messages.entries()) {
      if (chosen[index] !== partition) continue;
      builder.add(record);
      indexes.push(index);
    }
    const batch = builder.build();
    const { baseOffset } = await partition.append(batch);
    const traffic = request.metrics.forTopic(topic.name);
    traffic.recordsIn += indexes.length;
    traffic.bytesIn += batch.length;
    for (const [position, index] of indexes.entries()) {
      results[index] = { partition: partition.index, offset: baseOffset + position };
    }
  });
  await Promise.all(appends);
  return { status: 201, content: { json: { results } } };
};

interface BrowsedMessage {
  partition: number;
  offset: number;
  timestampMs: number;
  key: string | null;
  keyEncoding: Encoding;
  value: string | null;
  valueEncoding: Encoding;
  headers: Array<{ name: string; value: string | null; encoding: Encoding }>;
}

export type Encoding = 'utf8' | 'base64';

function choosePartitions(topic: Topic, query: URLSearchParams): readonly Partition[] {
  const index = readNumber(query, 'partition', 0, topic.partitions.length - 1);
  if (index !== undefined) return topic.partitions.slice(index, index + 1);
  if (query.has('offset') && topic.partitions.length > 1) {
    throw new Problem(400, 'query-invalid', 'an offset needs a partition: add partition=0');
  }
  return topic.partitions;
}

async function findStart(
  partition: Partition,
  query: URLSearchParams,
  limit: number,
): Promise<number> {
  const offset = readNumber(query, 'offset', 0, Number.MAX_SAFE_INTEGER);
  if (offset !== undefined) return offset;
  const time = query.get('time');
  if (time !== null) {
    const timeMs = /^\d+$/.test(time) ? Number(time) : Date.parse(time);
    if (!Number.isSafeInteger(timeMs)) {
      throw new Problem(400, 'query-invalid', 'time must be milliseconds or an ISO 8601 time');
    }
    return (await partition.findByTime(timeMs))?.offset ?? partition.highWatermark;
  }
  const from = query.get('from') ?? 'latest';
  if (from === 'earliest') return partition.logStartOffset;
  if (from !== 'latest') {
    throw new Problem(400, 'query-invalid', 'from must be earliest or latest');
  }
  return Math.max(partition.logStartOffset, partition.highWatermark - limit);
}

/** Adds messages from `start` on; returns the offset to go on from. */
async function browsePartition(
  partition: Partition,
  start: number,
  limit: number,
  budget: { bytes: number },
  into: BrowsedMessage[],
): Promise<number> {
  let offset = start;
  const lengthMax = into.length + limit;
  while (into.length < lengthMax && budget.bytes > 0 && offset < partition.highWatermark) {
    const read = await partition.read(offset, {
      maxBytes: Math.min(budget.bytes, 1024 * 1024),
      minOneBatch: true,
    });
    if (read.bytes === 0) break;
    budget.bytes -= read.bytes;
    for (const slice of read.slices) {
      for (const at of splitBatches(slice)) {
        // Markers of transactions are no messages.
        const isControl = isControlBatch(batchAttributes(slice, at));
        let isCut = false;
        forEachRecord(slice, at, limits.frameBytesMax, (record) => {
          if (record.offset < offset) return true;
          isCut = into.length === lengthMax;
          if (isCut) return false;
          offset = record.offset + 1;
          if (isControl) return true;
          into.push(show(partition.index, record));
          return true;
        });
        if (isCut) return offset;
        // A batch may stand for offsets behind its last record that compaction has removed.
        offset = Math.max(offset, batchLastOffset(slice, at) + 1);
      }
    }
  }
  return offset;
}

function show(partition: number, record: LogRecord): BrowsedMessage {
  const key = encode(record.key);
  const value = encode(record.value);
  return {
    partition,
    offset: record.offset,
    timestampMs: record.timestampMs,
    key: key.text,
    keyEncoding: key.encoding,
    value: value.text,
    valueEncoding: value.encoding,
    headers: record.headers.map(([name, content]) => {
      const { text, encoding } = encode(content);
      return { name, value: text, encoding };
    }),
  };
}

export function encode(bytes: Uint8Array | null): { text: string | null; encoding: Encoding } {
  if (bytes === null) return { text: null, encoding: 'utf8' };
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return { text: buffer.toString('utf8'), encoding: 'utf8' };
  return { text: buffer.toString('base64'), encoding: 'base64' };
}

interface NewMessage {
  partition: number | undefined;
  record: NewRecord;
}

function readMessage(item: unknown, where: string, nowMs: number): NewMessage {
  const message = asObject(item, where);
  refuseOthers(
    message,
    ['key', 'keyEncoding', 'value', 'valueEncoding', 'headers', 'partition', 'timestampMs'],
    where,
  );
  const headers = optional(message, 'headers', (value, key) => asArray(value, key, 1000)) ?? [];
  return {
    partition: optional(message, 'partition', asWholeNumber),
    record: {
      key: decode(message, 'key', 'keyEncoding'),
      value: decode(message, 'value', 'valueEncoding'),
      headers: headers.map(readHeader),
      timestampMs: optional(message, 'timestampMs', asWholeNumber) ?? nowMs,
    },
  };
}

function readHeader(item: unknown): RecordHeader {
  const header = asObject(item, 'a header');
  refuseOthers(header, ['name', 'value', 'encoding'], 'a header');
  return [asText(header['name'], 'name'), decode(header, 'value', 'encoding')];
}

export function decode(object: JsonObject, key: string, encodingKey: string): Buffer | null {
  const text = optional(object, key, asText);
  const encoding = optional(object, encodingKey, asText) ?? 'utf8';
  if (encoding !== 'utf8' && encoding !== 'base64') {
    throw invalid(encodingKey, '"utf8" or "base64"');
  }
  return text === undefined ? null : Buffer.from(text, encoding);
}

function choosePartition(
  topic: Topic,
  index: number | undefined,
  key: Uint8Array | null,
  random: Random,
): Partition {
  const { partitions } = topic;
  const wanted =
    index ??
    (key === null ? random.nextInt(partitions.length) : partitionOfKey(key, partitions.length));
  const partition = partitions[wanted];
  if (partition === undefined) {
    throw new BrokerError('partition-not-found', `${topic.name} has ${partitions.length}`);
  }
  return partition;
}
