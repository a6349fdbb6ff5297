import type { ByteReader, ByteWriter } from '../../bytes/index.ts';

/** Partitions by the id of their topic; the lists are in order and never empty. */
export type PartitionSet = ReadonlyMap<string, readonly number[]>;

/** Partitions that a member has, each with the epoch of the member in which it got it. */
export type HeldPartitions = ReadonlyMap<string, ReadonlyMap<number, number>>;

export interface TopicPartitionList {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

export const noPartitions: PartitionSet = new Map();
export const nothingHeld: HeldPartitions = new Map();

export function holds(held: HeldPartitions, topicId: string, partition: number): boolean {
  return held.get(topicId)?.has(partition) === true;
}

/** Whether every partition of the list is held. */
export function holdsAll(held: HeldPartitions, list: readonly TopicPartitionList[]): boolean {
  return list.every(({ topicId, partitions }) => {
    const own = held.get(topicId);
    return partitions.every((partition) => own?.has(partition) === true);
  });
}

/** Whether some partition of the list is held. */
export function holdsAny(held: HeldPartitions, list: readonly TopicPartitionList[]): boolean {
  return list.some(({ topicId, partitions }) => {
    const own = held.get(topicId);
    return own !== undefined && partitions.some((partition) => own.has(partition));
  });
}

export function isSameSet(a: PartitionSet, b: PartitionSet): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId);
    if (others === undefined || others.length !== partitions.length) return false;
    if (partitions.some((partition, index) => partition !== others[index])) return false;
  }
  return true;
}

/** Whether the same partitions are held, whenever they came. */
export function isSameHeld(a: HeldPartitions, b: HeldPartitions): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId);
    if (others === undefined || others.size !== partitions.size) return false;
    for (const partition of partitions.keys()) if (!others.has(partition)) return false;
  }
  return true;
}

export function hold(set: PartitionSet, epoch: number): HeldPartitions {
  const held = new Map<string, Map<number, number>>();
  for (const [topicId, partitions] of set) {
    held.set(topicId, new Map(partitions.map((partition) => [partition, epoch])));
  }
  return held;
}

/** Sorted lists, for those outside. */
export function listHeld(held: HeldPartitions): TopicPartitionList[] {
  return [...held].map(([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()].toSorted((a, b) => a - b),
  }));
}

export function listSet(set: PartitionSet): TopicPartitionList[] {
  return [...set].map(([topicId, partitions]) => ({ topicId, partitions }));
}

/** unsigned varint count, then per topic: text id, varint count, varint partitions. */
export function writeSet(writer: ByteWriter, set: PartitionSet): void {
  writer.unsignedVarint(set.size);
  for (const [topicId, partitions] of set) {
    writeText(writer, topicId);
    writer.unsignedVarint(partitions.length);
    for (const partition of partitions) writer.unsignedVarint(partition);
  }
}

export function readSet(reader: ByteReader): PartitionSet {
  const set = new Map<string, number[]>();
  for (let topics = reader.unsignedVarint(); topics > 0; topics--) {
    const partitions: number[] = [];
    set.set(readText(reader), partitions);
    for (let count = reader.unsignedVarint(); count > 0; count--) {
      partitions.push(reader.unsignedVarint());
    }
  }
  return set;
}

/** As a set, with the epoch as varint behind each partition. */
export function writeHeld(writer: ByteWriter, held: HeldPartitions): void {
  writer.unsignedVarint(held.size);
  for (const [topicId, partitions] of held) {
    writeText(writer, topicId);
    writer.unsignedVarint(partitions.size);
    for (const [partition, epoch] of partitions) {
      writer.unsignedVarint(partition);
      writer.unsignedVarint(epoch);
    }
  }
}

export function readHeld(reader: ByteReader): HeldPartitions {
  const held = new Map<string, Map<number, number>>();
  for (let topics = reader.unsignedVarint(); topics > 0; topics--) {
    const partitions = new Map<number, number>();
    held.set(readText(reader), partitions);
    for (let count = reader.unsignedVarint(); count > 0; count--) {
      partitions.set(reader.unsignedVarint(), reader.unsignedVarint());
    }
  }
  return held;
}

/** Unsigned varint of the length in bytes, then UTF-8. */
export function writeText(writer: ByteWriter, text: string): void {
  writer.unsignedVarint(Buffer.byteLength(text));
  writer.utf8(text);
}

export function readText(reader: ByteReader): string {
  return reader.utf8(reader.unsignedVarint());
}
