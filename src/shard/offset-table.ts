import { ByteReader, ByteWriter } from '../bytes/index.ts';
import { entryKind } from './entry.ts';
import type { StateExtension } from './extension.ts';
import type { GroupStore, OffsetCommit, PartitionKey, StoredOffset } from './group/index.ts';

/** Entry kinds of groups. */
export const groupEntryKind = {
  /** i64 time, text group id, u32 count, then per offset: text topic id, u32 partition, i64 offset, i32 leader epoch, text metadata. */
  offsetsCommitted: entryKind.extensionMin,
  /** text group id, u32 count, then per key: text topic id, u32 partition. */
  offsetsDeleted: entryKind.extensionMin + 1,
  /** text group id, u8 1 and the coordinator's bytes, or u8 0: removed. */
  groupSaved: entryKind.extensionMin + 2,
} as const;

interface StoredGroup {
  state: Uint8Array | undefined;
  /** By topic id, then partition. */
  offsets: Map<string, Map<number, StoredOffset>>;
}

export interface EntrySubmitter {
  submit(kind: number, payload: Uint8Array): Promise<void>;
  barrier(): Promise<void>;
  nowMs(): number;
}

/** Committed offsets and the stored state of the groups of one shard. */
export class OffsetTable implements StateExtension, GroupStore {
  readonly name = 'groups';
  readonly #groups = new Map<string, StoredGroup>();
  #shard: EntrySubmitter | undefined;

  /** Gives the table the shard that journals its entries. */
  attach(shard: EntrySubmitter): void {
    this.#shard = shard;
  }

  // StateExtension

  owns(kind: number): boolean {
    return kind >= groupEntryKind.offsetsCommitted && kind <= groupEntryKind.groupSaved;
  }

  apply(kind: number, payload: Uint8Array): void {
    const reader = new ByteReader(payload);
    if (kind === groupEntryKind.offsetsCommitted) {
      const commitTimeMs = reader.safeInt64();
      const group = this.#getOrAdd(readText(reader));
      for (let count = reader.uint32(); count > 0; count--) {
        const topicId = readText(reader);
        const partition = reader.uint32();
        const stored = {
          offset: reader.safeInt64(),
          leaderEpoch: reader.int32(),
          metadata: readText(reader),
          commitTimeMs,
        };
        const topic = group.offsets.get(topicId);
        if (topic === undefined) group.offsets.set(topicId, new Map([[partition, stored]]));
        else topic.set(partition, stored);
      }
    } else if (kind === groupEntryKind.offsetsDeleted) {
      const groupId = readText(reader);
      const group = this.#getOrAdd(groupId);
      for (let count = reader.uint32(); count > 0; count--) {
        const topicId = readText(reader);
        const topic = group.offsets.get(topicId);
        topic?.delete(reader.uint32());
        if (topic?.size === 0) group.offsets.delete(topicId);
      }
      this.#dropEmpty(groupId, group);
    } else {
      const groupId = readText(reader);
      const group = this.#getOrAdd(groupId);
      group.state =
        reader.uint8() === 1 ? Uint8Array.from(reader.bytes(reader.remaining)) : undefined;
      this.#dropEmpty(groupId, group);
    }
  }

  encode(): Uint8Array {
    const writer = new ByteWriter(1024);
    writer.uint32(this.#groups.size);
    for (const [groupId, group] of this.#groups) {
      writeText(writer, groupId);
      writer.uint8(group.state === undefined ? 0 : 1);
      if (group.state !== undefined) {
        writer.uint32(group.state.length);
        writer.bytes(group.state);
      }
      writer.uint32(group.offsets.size);
      for (const [topicId, partitions] of group.offsets) {
        writeText(writer, topicId);
        writer.uint32(partitions.size);
        for (const [partition, stored] of partitions) {
          writer.uint32(partition);
          writer.safeInt64(stored.offset);
          writer.int32(stored.leaderEpoch);
          writeText(writer, stored.metadata);
          writer.safeInt64(stored.commitTimeMs);
        }
      }
    }
    return writer.take();
  }

  restore(state: Uint8Array | undefined): void {
    this.#groups.clear();
    if (state === undefined) return;
    const reader = new ByteReader(state);
    for (let groups = reader.uint32(); groups > 0; groups--) {
      const group = this.#getOrAdd(readText(reader));
      if (reader.uint8() === 1) group.state = Uint8Array.from(reader.bytes(reader.uint32()));
      for (let topics = reader.uint32(); topics > 0; topics--) {
        const partitions = new Map<number, StoredOffset>();
        group.offsets.set(readText(reader), partitions);
        for (let count = reader.uint32(); count > 0; count--) {
          partitions.set(reader.uint32(), {
            offset: reader.safeInt64(),
            leaderEpoch: reader.int32(),
            metadata: readText(reader),
            commitTimeMs: reader.safeInt64(),
          });
        }
      }
    }
  }

  // GroupStore

  saveGroup(groupId: string, state: Uint8Array | undefined): Promise<void> {
    const writer = new ByteWriter(64 + (state?.length ?? 0));
    writeText(writer, groupId);
    writer.uint8(state === undefined ? 0 : 1);
    if (state !== undefined) writer.bytes(state);
    return this.#submit(groupEntryKind.groupSaved, writer.take());
  }

  saveOffsets(groupId: string, commits: readonly OffsetCommit[]): Promise<void> {
    const writer = new ByteWriter(64 + commits.length * 64);
    writer.safeInt64(this.#shard?.nowMs() ?? 0);
    writeText(writer, groupId);
    writer.uint32(commits.length);
    for (const commit of commits) {
      writeText(writer, commit.topicId);
      writer.uint32(commit.partition);
      writer.safeInt64(commit.offset);
      writer.int32(commit.leaderEpoch);
      writeText(writer, commit.metadata);
    }
    return this.#submit(groupEntryKind.offsetsCommitted, writer.take());
  }

  deleteOffsets(groupId: string, keys: readonly PartitionKey[]): Promise<void> {
    const writer = new ByteWriter(64 + keys.length * 48);
    writeText(writer, groupId);
    writer.uint32(keys.length);
    for (const key of keys) {
      writeText(writer, key.topicId);
      writer.uint32(key.partition);
    }
    return this.#submit(groupEntryKind.offsetsDeleted, writer.take());
  }

  barrier(): Promise<void> {
    return this.#shard?.barrier() ?? Promise.resolve();
  }

  findOffset(groupId: string, key: PartitionKey): StoredOffset | undefined {
    return this.#groups.get(groupId)?.offsets.get(key.topicId)?.get(key.partition);
  }

  listOffsets(groupId: string): Array<PartitionKey & StoredOffset> {
    const list: Array<PartitionKey & StoredOffset> = [];
    for (const [topicId, partitions] of this.#groups.get(groupId)?.offsets ?? []) {
      for (const [partition, stored] of partitions) list.push({ topicId, partition, ...stored });
    }
    return list;
  }

  findGroup(groupId: string): Uint8Array | undefined {
    return this.#groups.get(groupId)?.state;
  }

  listGroupIds(): string[] {
    return [...this.#groups.keys()];
  }

  #submit(kind: number, payload: Uint8Array): Promise<void> {
    if (this.#shard === undefined)
      throw new Error('the offset table was not attached to its shard');
    return this.#shard.submit(kind, payload);
  }

  #getOrAdd(groupId: string): StoredGroup {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = { state: undefined, offsets: new Map() };
      this.#groups.set(groupId, group);
    }
    return group;
  }

  #dropEmpty(groupId: string, group: StoredGroup): void {
    if (group.state === undefined && group.offsets.size === 0) this.#groups.delete(groupId);
  }
}

function writeText(writer: ByteWriter, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  writer.uint16(bytes.length);
  writer.bytes(bytes);
}

function readText(reader: ByteReader): string {
  return reader.bytes(reader.uint16()).toString('utf8');
}
