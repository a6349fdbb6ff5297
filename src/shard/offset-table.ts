import { ByteReader, ByteWriter } from '../bytes/index.ts';
import { entryKind } from './entry.ts';
import type { StateExtension } from './extension.ts';
import type { GroupStore, OffsetCommit, PartitionKey, StoredOffset } from './group/index.ts';

/** Entry kinds of groups. */
const groupEntryKind = {
  /** i64 time, text group id, u32 count, then per offset: text topic id, u32 partition, i64 offset, i32 leader epoch, text metadata. */
  offsetsCommitted: entryKind.extensionMin,
  /** text group id, u32 count, then per key: text topic id, u32 partition. */
  offsetsDeleted: entryKind.extensionMin + 1,
  /** text group id, u8 1 and the coordinator's bytes, or u8 0: removed. */
  groupSaved: entryKind.extensionMin + 2,
  /** i64 producer id, then as `offsetsCommitted`: nobody sees them before the producer's transaction is decided. */
  offsetsPending: entryKind.extensionMin + 3,
  /** i64 producer id, u8 1: its pending offsets of the group count now, 0: they are forgotten; text group id. */
  pendingSettled: entryKind.extensionMin + 4,
  /**
   * text group id, u8 1: these members replace all, 0: they are added or replaced; u32 length and the coordinator's bytes
   * of the group; u32 count, then per member: text id, u8 1, u32 length and its bytes, or u8 0: removed.
   */
  membersSaved: entryKind.extensionMin + 5,
} as const;

interface StoredGroup {
  state: Uint8Array | undefined;
  /** What the coordinator stores of members one by one, by id. */
  members: Map<string, Uint8Array> | undefined;
  /** By topic id, then partition. */
  offsets: Map<string, Map<number, StoredOffset>>;
}

/** By topic id, then partition. */
type OffsetsByPartition = Map<string, Map<number, StoredOffset>>;

/** So many of these as can wait at once make no long chunk. */
const smallEntryBytes = 4096;

const noMembers: ReadonlyMap<string, Uint8Array> = new Map();

export interface EntrySubmitter {
  submit(kind: number, payload: Uint8Array): Promise<void>;
  /** Throws overloaded when an entry of so many bytes must wait. */
  checkEntry(bytes: number): void;
  barrier(): Promise<void>;
  nowMs(): number;
}

/** Committed offsets and the stored state of the groups of one shard. */
export class OffsetTable implements StateExtension, GroupStore {
  readonly name = 'groups';
  readonly #groups = new Map<string, StoredGroup>();
  /** By group id, then producer id. */
  readonly #pending = new Map<string, Map<number, OffsetsByPartition>>();
  #shard: EntrySubmitter | undefined;

  /** Gives the table the shard that journals its entries. */
  attach(shard: EntrySubmitter): void {
    this.#shard = shard;
  }

  // StateExtension

  owns(kind: number): boolean {
    return kind >= groupEntryKind.offsetsCommitted && kind <= groupEntryKind.membersSaved;
  }

  apply(kind: number, payload: Uint8Array): void {
    const reader = new ByteReader(payload);
    if (kind === groupEntryKind.offsetsCommitted) {
      const commitTimeMs = reader.safeInt64();
      const group = this.#getOrAdd(readText(reader));
      readOffsets(reader, commitTimeMs, group.offsets);
    } else if (kind === groupEntryKind.offsetsPending) {
      const producerId = reader.safeInt64();
      const commitTimeMs = reader.safeInt64();
      const groupId = readText(reader);
      readOffsets(reader, commitTimeMs, this.#getOrAddPending(groupId, producerId));
    } else if (kind === groupEntryKind.pendingSettled) {
      const producerId = reader.safeInt64();
      const isCommitted = reader.uint8() === 1;
      this.#applySettled(readText(reader), producerId, isCommitted);
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
    } else if (kind === groupEntryKind.membersSaved) {
      this.#applyMembers(reader);
    } else {
      const groupId = readText(reader);
      const group = this.#getOrAdd(groupId);
      group.members = undefined;
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
          writeStored(writer, partition, stored);
        }
      }
    }
    this.#encodePending(writer);
    this.#encodeMembers(writer);
    return writer.take();
  }

  restore(state: Uint8Array | undefined): void {
    this.#groups.clear();
    this.#pending.clear();
    if (state === undefined) return;
    const reader = new ByteReader(state);
    for (let groups = reader.uint32(); groups > 0; groups--) {
      const group = this.#getOrAdd(readText(reader));
      if (reader.uint8() === 1) group.state = Uint8Array.from(reader.bytes(reader.uint32()));
      for (let topics = reader.uint32(); topics > 0; topics--) {
        const partitions = new Map<number, StoredOffset>();
        group.offsets.set(readText(reader), partitions);
        for (let count = reader.uint32(); count > 0; count--) readStored(reader, partitions);
      }
    }
    // Snapshots from before there were transactions end here.
    if (reader.remaining > 0) this.#restorePending(reader);
    // Those from before members were stored one by one end here.
    if (reader.remaining > 0) this.#restoreMembers(reader);
  }

  // GroupStore

  saveGroup(groupId: string, state: Uint8Array | undefined): Promise<void> {
    const writer = new ByteWriter(64 + (state?.length ?? 0));
    writeText(writer, groupId);
    writer.uint8(state === undefined ? 0 : 1);
    if (state !== undefined) writer.bytes(state);
    return this.#submitChecked(groupEntryKind.groupSaved, writer.take());
  }

  saveMembers(
    groupId: string,
    state: Uint8Array,
    members: ReadonlyMap<string, Uint8Array | undefined>,
    isWhole: boolean,
  ): Promise<void> {
    const writer = new ByteWriter(256 + state.length);
    writeText(writer, groupId);
    writer.uint8(isWhole ? 1 : 0);
    writeSized(writer, state);
    writer.uint32(members.size);
    for (const [memberId, bytes] of members) {
      writeText(writer, memberId);
      writer.uint8(bytes === undefined ? 0 : 1);
      if (bytes !== undefined) writeSized(writer, bytes);
    }
    return this.#submitChecked(groupEntryKind.membersSaved, writer.take());
  }

  saveOffsets(groupId: string, commits: readonly OffsetCommit[]): Promise<void> {
    const writer = new ByteWriter(64 + commits.length * 64);
    this.#writeCommits(writer, groupId, commits);
    return this.#submitChecked(groupEntryKind.offsetsCommitted, writer.take());
  }

  savePending(
    groupId: string,
    producerId: number,
    commits: readonly OffsetCommit[],
  ): Promise<void> {
    const writer = new ByteWriter(64 + commits.length * 64);
    writer.safeInt64(producerId);
    this.#writeCommits(writer, groupId, commits);
    return this.#submitChecked(groupEntryKind.offsetsPending, writer.take());
  }

  /** The producer's transaction is decided; may be called again. Resolves when that is durable. */
  settlePending(groupId: string, producerId: number, isCommitted: boolean): Promise<void> {
    const writer = new ByteWriter(64);
    writer.safeInt64(producerId);
    writer.uint8(isCommitted ? 1 : 0);
    writeText(writer, groupId);
    return this.#submit(groupEntryKind.pendingSettled, writer.take());
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

  listMembers(groupId: string): ReadonlyMap<string, Uint8Array> {
    return this.#groups.get(groupId)?.members ?? noMembers;
  }

  hasPending(groupId: string, key?: PartitionKey): boolean {
    const producers = this.#pending.get(groupId);
    if (producers === undefined || key === undefined) return producers !== undefined;
    for (const topics of producers.values())
      if (topics.get(key.topicId)?.has(key.partition) === true) return true;
    return false;
  }

  listGroupIds(): string[] {
    return [...new Set([...this.#groups.keys(), ...this.#pending.keys()])];
  }

  #applyMembers(reader: ByteReader): void {
    const group = this.#getOrAdd(readText(reader));
    const isWhole = reader.uint8() === 1;
    const members =
      isWhole || group.members === undefined ? new Map<string, Uint8Array>() : group.members;
    group.members = members;
    group.state = readSized(reader);
    for (let count = reader.uint32(); count > 0; count--) {
      const memberId = readText(reader);
      if (reader.uint8() === 1) members.set(memberId, readSized(reader));
      else members.delete(memberId);
    }
  }

  #encodeMembers(writer: ByteWriter): void {
    const groups = [...this.#groups].filter(([, { members }]) => members !== undefined);
    writer.uint32(groups.length);
    for (const [groupId, { members = noMembers }] of groups) {
      writeText(writer, groupId);
      writer.uint32(members.size);
      for (const [memberId, bytes] of members) {
        writeText(writer, memberId);
        writeSized(writer, bytes);
      }
    }
  }

  #restoreMembers(reader: ByteReader): void {
    for (let groups = reader.uint32(); groups > 0; groups--) {
      const members = new Map<string, Uint8Array>();
      this.#getOrAdd(readText(reader)).members = members;
      for (let count = reader.uint32(); count > 0; count--) {
        members.set(readText(reader), readSized(reader));
      }
    }
  }

  #applySettled(groupId: string, producerId: number, isCommitted: boolean): void {
    const producers = this.#pending.get(groupId);
    const pending = producers?.get(producerId);
    if (producers === undefined || pending === undefined) return;
    producers.delete(producerId);
    if (producers.size === 0) this.#pending.delete(groupId);
    if (!isCommitted) return;
    const { offsets } = this.#getOrAdd(groupId);
    for (const [topicId, partitions] of pending) {
      const topic = offsets.get(topicId);
      if (topic === undefined) offsets.set(topicId, partitions);
      else for (const [partition, stored] of partitions) topic.set(partition, stored);
    }
  }

  #getOrAddPending(groupId: string, producerId: number): OffsetsByPartition {
    let producers = this.#pending.get(groupId);
    if (producers === undefined) this.#pending.set(groupId, (producers = new Map()));
    let topics = producers.get(producerId);
    if (topics === undefined) producers.set(producerId, (topics = new Map()));
    return topics;
  }

  #encodePending(writer: ByteWriter): void {
    writer.uint32(this.#pending.size);
    for (const [groupId, producers] of this.#pending) {
      writeText(writer, groupId);
      writer.uint32(producers.size);
      for (const [producerId, topics] of producers) {
        writer.safeInt64(producerId);
        writer.uint32(topics.size);
        for (const [topicId, partitions] of topics) {
          writeText(writer, topicId);
          writer.uint32(partitions.size);
          for (const [partition, stored] of partitions) writeStored(writer, partition, stored);
        }
      }
    }
  }

  #restorePending(reader: ByteReader): void {
    for (let groups = reader.uint32(); groups > 0; groups--) {
      const groupId = readText(reader);
      for (let producers = reader.uint32(); producers > 0; producers--) {
        const pending = this.#getOrAddPending(groupId, reader.safeInt64());
        for (let topics = reader.uint32(); topics > 0; topics--) {
          const partitions = new Map<number, StoredOffset>();
          pending.set(readText(reader), partitions);
          for (let count = reader.uint32(); count > 0; count--) readStored(reader, partitions);
        }
      }
    }
  }

  #writeCommits(writer: ByteWriter, groupId: string, commits: readonly OffsetCommit[]): void {
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
  }

  /** Members and commits decide how long these are. */
  #submitChecked(kind: number, payload: Uint8Array): Promise<void> {
    try {
      if (payload.length > smallEntryBytes) this.#shard?.checkEntry(payload.length);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#submit(kind, payload);
  }

  #submit(kind: number, payload: Uint8Array): Promise<void> {
    if (this.#shard === undefined)
      throw new Error('the offset table was not attached to its shard');
    return this.#shard.submit(kind, payload);
  }

  #getOrAdd(groupId: string): StoredGroup {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = { state: undefined, members: undefined, offsets: new Map() };
      this.#groups.set(groupId, group);
    }
    return group;
  }

  #dropEmpty(groupId: string, group: StoredGroup): void {
    if (group.state === undefined && group.offsets.size === 0) this.#groups.delete(groupId);
  }
}

/** The offsets of an entry: they replace those of their partitions. */
function readOffsets(reader: ByteReader, commitTimeMs: number, into: OffsetsByPartition): void {
  for (let count = reader.uint32(); count > 0; count--) {
    const topicId = readText(reader);
    const partition = reader.uint32();
    const stored = {
      offset: reader.safeInt64(),
      leaderEpoch: reader.int32(),
      metadata: readText(reader),
      commitTimeMs,
    };
    const topic = into.get(topicId);
    if (topic === undefined) into.set(topicId, new Map([[partition, stored]]));
    else topic.set(partition, stored);
  }
}

function writeStored(writer: ByteWriter, partition: number, stored: StoredOffset): void {
  writer.uint32(partition);
  writer.safeInt64(stored.offset);
  writer.int32(stored.leaderEpoch);
  writeText(writer, stored.metadata);
  writer.safeInt64(stored.commitTimeMs);
}

function readStored(reader: ByteReader, into: Map<number, StoredOffset>): void {
  into.set(reader.uint32(), {
    offset: reader.safeInt64(),
    leaderEpoch: reader.int32(),
    metadata: readText(reader),
    commitTimeMs: reader.safeInt64(),
  });
}

function writeSized(writer: ByteWriter, bytes: Uint8Array): void {
  writer.uint32(bytes.length);
  writer.bytes(bytes);
}

function readSized(reader: ByteReader): Uint8Array {
  return Uint8Array.from(reader.bytes(reader.uint32()));
}

function writeText(writer: ByteWriter, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  writer.uint16(bytes.length);
  writer.bytes(bytes);
}

function readText(reader: ByteReader): string {
  return reader.bytes(reader.uint16()).toString('utf8');
}
