import {
  batchLastOffsetDelta,
  batchBaseOffset,
  batchMaxTimestamp,
  ByteReader,
} from '../bytes/index.ts';
import { chunkHeaderBytes, type ReplayedChunk } from '../journal/index.ts';
import type { SegmentStore } from '../segment/index.ts';
import {
  entryBodyBytes,
  entryHeaderBytes,
  entryKind,
  entryPartition,
  entryPayloadBytes,
  isScheduledEntry,
} from './entry.ts';
import { applyCompacted, decodeCompacted, forgetMarkers } from './compaction/index.ts';
import { applyMoved, decodeMoved } from './moved-entry.ts';
import { type LogHost, PartitionLog } from './partition-log.ts';
import { decodeSnapshot, findSnapshotLsn, type Snapshot, snapshotName } from './snapshot.ts';

/** What extensions must be told of, in journal order. */
export interface ExtensionEntry {
  /** An extension's own kind; `opened`, or `records` with scheduling headers. */
  kind: number;
  /** Number of the partition of `records`. */
  partition: number;
  /** Of the chunk: ms since the epoch. */
  storedMs: number;
  payload: Uint8Array;
}

const noPayload = new Uint8Array(0);

/** A shard's state as the storage has it. */
export class RecoveredState {
  readonly logs = new Map<number, PartitionLog>();
  readonly extensionEntries: ExtensionEntry[] = [];
  readonly extensionStates: ReadonlyMap<string, Uint8Array>;
  /** Base LSNs of the files whose chunks were replayed, in order. */
  readonly replayedFiles: number[] = [];
  replayedBytes = 0;
  epoch: number;
  nextPartition: number;
  nextProducerId: number;
  nextSegment: number;
  readonly #host: LogHost;

  constructor(host: LogHost, snapshot: Snapshot | undefined) {
    this.#host = host;
    this.epoch = snapshot?.epoch ?? 0;
    this.nextPartition = snapshot?.nextPartition ?? 1;
    this.nextProducerId = snapshot?.nextProducerId ?? 1;
    this.nextSegment = snapshot?.nextSegment ?? 1;
    this.extensionStates = snapshot?.extensions ?? new Map();
    for (const stored of snapshot?.logs ?? []) {
      const log = new PartitionLog(host, stored.number, stored.topicId, stored.index);
      log.adopt(stored);
      this.logs.set(stored.number, log);
    }
  }

  /** Applies one chunk of the journal behind the snapshot. */
  apply(replayed: ReplayedChunk): void {
    if (this.replayedFiles.at(-1) !== replayed.fileBaseLsn)
      this.replayedFiles.push(replayed.fileBaseLsn);
    this.replayedBytes += replayed.chunk.length;
    this.epoch = replayed.epoch;
    forEachEntry(replayed.chunk, replayed.payloadBytes, (kind, partition, at, length) => {
      if (kind === entryKind.records) this.#applyRecords(replayed, partition, at, length);
      else this.#applyControl(replayed, kind, replayed.chunk.subarray(at, at + length));
    });
  }

  #applyRecords(replayed: ReplayedChunk, partition: number, at: number, length: number): void {
    const log = this.logs.get(partition);
    // The partition was dropped in this chunk or before: its last records went into the same chunk.
    if (log === undefined) return;
    const entryAt = at - entryHeaderBytes;
    const bodyBytes = entryBodyBytes(replayed.chunk, entryAt);
    log.bodyBytes += bodyBytes;
    if (isScheduledEntry(replayed.chunk, entryAt)) {
      const payload = Uint8Array.from(replayed.chunk.subarray(at, at + length));
      this.#addExtensionEntry(replayed, entryKind.records, partition, payload);
    }
    const baseOffset = batchBaseOffset(replayed.chunk, at);
    const { epoch, timestampMs } = replayed;
    log.noteSequenced(replayed.chunk, at, baseOffset, epoch, timestampMs, bodyBytes);
    log.noteStored(
      replayed.fileBaseLsn,
      {
        firstOffset: baseOffset,
        lsn: replayed.lsn + at - entryHeaderBytes,
        bytes: entryHeaderBytes + length,
        maxTimestampMs: batchMaxTimestamp(replayed.chunk, at),
      },
      length,
      baseOffset + batchLastOffsetDelta(replayed.chunk, at) + 1,
    );
  }

  #addExtensionEntry(
    { timestampMs }: ReplayedChunk,
    kind: number,
    partition: number,
    payload: Uint8Array,
  ): void {
    this.extensionEntries.push({ kind, partition, storedMs: timestampMs, payload });
  }

  #applyControl(replayed: ReplayedChunk, kind: number, payload: Uint8Array): void {
    if (kind >= entryKind.extensionMin) {
      this.#addExtensionEntry(replayed, kind, 0, Uint8Array.from(payload));
      return;
    }
    const reader = new ByteReader(payload);
    switch (kind) {
      case entryKind.partitionOpened: {
        const number = reader.uint32();
        const index = reader.uint32();
        const topicId = reader.bytes(reader.remaining).toString('utf8');
        this.logs.set(number, new PartitionLog(this.#host, number, topicId, index));
        this.nextPartition = Math.max(this.nextPartition, number + 1);
        return;
      }
      case entryKind.partitionDropped:
        this.logs.delete(reader.uint32());
        return;
      case entryKind.startAdvanced: {
        const log = this.logs.get(reader.uint32());
        log?.trim(reader.safeInt64());
        return;
      }
      case entryKind.moved: {
        const moved = decodeMoved(reader);
        applyMoved(moved, this.logs.values());
        this.nextSegment = Math.max(this.nextSegment, moved.segment + 1);
        return;
      }
      case entryKind.compacted: {
        const compacted = decodeCompacted(reader);
        this.nextSegment = Math.max(this.nextSegment, compacted.segment + 1);
        const log = this.logs.get(compacted.partition);
        if (log === undefined) return;
        forgetMarkers(compacted, log);
        applyCompacted(compacted, log);
        return;
      }
      case entryKind.producerIds:
        this.nextProducerId = Math.max(this.nextProducerId, reader.safeInt64());
        return;
      case entryKind.opened:
        // Its epoch is in every chunk; extensions end what belonged to the owner before.
        this.#addExtensionEntry(replayed, kind, 0, noPayload);
        return;
      default:
        return;
    }
  }
}

/** Calls `visit` for each entry of a chunk; `at` is where its payload begins. */
export function forEachEntry(
  chunk: Uint8Array,
  payloadBytes: number,
  visit: (kind: number, partition: number, at: number, length: number) => void,
): void {
  const end = chunkHeaderBytes + payloadBytes;
  for (let at = chunkHeaderBytes; at < end; ) {
    const length = entryPayloadBytes(chunk, at);
    visit(chunk[at] as number, entryPartition(chunk, at), at + entryHeaderBytes, length);
    at += entryHeaderBytes + length;
  }
}

/** The newest snapshot that is whole, and the LSNs of all that are stored, oldest first. */
export async function loadSnapshot(
  segments: SegmentStore,
): Promise<{ snapshot: Snapshot | undefined; stored: number[]; damaged: string[] }> {
  const stored: number[] = [];
  for (const { name } of await segments.list()) {
    const lsn = findSnapshotLsn(name);
    if (lsn !== undefined) stored.push(lsn);
  }
  stored.sort((a, b) => a - b);
  const damaged: string[] = [];
  for (const lsn of stored.toReversed()) {
    const snapshot = decodeSnapshot(await segments.read(snapshotName(lsn)));
    if (snapshot !== undefined) return { snapshot, stored, damaged };
    damaged.push(snapshotName(lsn));
  }
  return { snapshot: undefined, stored, damaged };
}
