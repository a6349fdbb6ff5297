/**
 * What the members of a consumer group say about themselves, and what the leader tells each one, as bytes that the
 * coordinator only carries. Big endian; `text` is an int16 length and UTF-8, `nullable` has length -1 for nothing,
 * `list` is an int32 count and its elements.
 *
 *   subscription   version       int16
 *                  topics        list of text
 *                  userData      int32 length, nullable bytes
 *     from v1      owned         list of (topic text, partitions list of int32)
 *     from v2      generation    int32   of the owned partitions, -1 when there are none
 *     from v3      rackId        nullable text
 *
 *   assignment     version       int16   0 to 3, all alike
 *                  partitions    list of (topic text, partitions list of int32)
 *                  userData      int32 length, nullable bytes
 *
 * A reader takes what it knows of a newer version, which may only add fields at the end, and so must a change here.
 */
import { ProtocolError } from '../../base/index.ts';
import { ByteReader, ByteWriter } from '../../bytes/index.ts';
import { noBytes } from './member.ts';

/** The protocol type of groups whose members use these layouts. */
export const consumerProtocolType = 'consumer';

export interface TopicPartitions {
  topic: string;
  partitions: number[];
}

export interface Subscription {
  topics: string[];
  userData: Uint8Array;
  /** What the member holds already, and since which generation. */
  owned: TopicPartitions[];
  generation: number;
  rackId?: string;
}

export interface Assignment {
  partitions: TopicPartitions[];
  userData: Uint8Array;
}

const newestVersion = 3;

export function encodeSubscription(subscription: Subscription, version = newestVersion): Buffer {
  const writer = new ByteWriter();
  writer.int16(version);
  writer.int32(subscription.topics.length);
  for (const topic of subscription.topics) writeText(writer, topic);
  writeBytes(writer, subscription.userData);
  if (version >= 1) writePartitions(writer, subscription.owned);
  if (version >= 2) writer.int32(subscription.generation);
  if (version >= 3) writeText(writer, subscription.rackId);
  return writer.take();
}

/** Throws a ProtocolError for bytes that are no subscription; copies what it returns. */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const reader = new ByteReader(bytes);
  const version = readVersion(reader);
  const topics = readList(reader, () => readText(reader));
  const userData = readBytes(reader);
  const owned = version >= 1 ? readPartitions(reader) : [];
  const generation = version >= 2 ? reader.int32() : -1;
  const rackId = version >= 3 ? readNullableText(reader) : undefined;
  const subscription = { topics, userData, owned, generation };
  return rackId === undefined ? subscription : { ...subscription, rackId };
}

export function encodeAssignment(assignment: Assignment, version = newestVersion): Buffer {
  const writer = new ByteWriter();
  writer.int16(version);
  writePartitions(writer, assignment.partitions);
  writeBytes(writer, assignment.userData);
  return writer.take();
}

/** Throws a ProtocolError for bytes that are no assignment. Nothing at all is an empty one. */
export function decodeAssignment(bytes: Uint8Array): Assignment {
  if (bytes.length === 0) return { partitions: [], userData: noBytes };
  const reader = new ByteReader(bytes);
  readVersion(reader);
  const partitions = readPartitions(reader);
  return { partitions, userData: readBytes(reader) };
}

/**
 * The topics in a subscription; undefined for bytes that are none. Only what version 0 has is read:
 * some clients tell a newer version than they write, and their group gets along with each other.
 */
export function findSubscribedTopics(bytes: Uint8Array): Set<string> | undefined {
  try {
    const reader = new ByteReader(bytes);
    readVersion(reader);
    const topics = readList(reader, () => readText(reader));
    readBytes(reader);
    return new Set(topics);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function readVersion(reader: ByteReader): number {
  const version = reader.int16();
  if (version < 0) throw new ProtocolError(`A version is negative: ${version}`);
  return version;
}

function writePartitions(writer: ByteWriter, list: readonly TopicPartitions[]): void {
  writer.int32(list.length);
  for (const { topic, partitions } of list) {
    writeText(writer, topic);
    writer.int32(partitions.length);
    for (const partition of partitions) writer.int32(partition);
  }
}

function readPartitions(reader: ByteReader): TopicPartitions[] {
  return readList(reader, () => ({
    topic: readText(reader),
    partitions: readList(reader, () => reader.int32()),
  }));
}

function readList<Item>(reader: ByteReader, readItem: () => Item): Item[] {
  const count = reader.int32();
  // Some writers have -1 for an empty list.
  if (count < -1) throw new ProtocolError(`A count is negative: ${count}`);
  const items: Item[] = [];
  // A huge count ends with the bytes: every element takes at least two.
  for (let index = 0; index < count; index++) items.push(readItem());
  return items;
}

function writeText(writer: ByteWriter, text: string | undefined): void {
  if (text === undefined) return writer.int16(-1);
  writer.int16(Buffer.byteLength(text));
  writer.utf8(text);
}

function readText(reader: ByteReader): string {
  return reader.utf8(reader.int16());
}

function readNullableText(reader: ByteReader): string | undefined {
  const length = reader.int16();
  return length === -1 ? undefined : reader.utf8(length);
}

/** None are written as null: some clients would read what has no length. */
function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.int32(bytes.length === 0 ? -1 : bytes.length);
  writer.bytes(bytes);
}

function readBytes(reader: ByteReader): Uint8Array {
  const length = reader.int32();
  return length === -1 ? noBytes : new Uint8Array(reader.bytes(length));
}
