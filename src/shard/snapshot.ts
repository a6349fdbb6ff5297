import { ByteReader, ByteWriter, crc32c } from '../bytes/index.ts';
import type { ChunkChain } from '../journal/index.ts';
import type { Extent } from './extent.ts';
import type { LogState } from './partition-log.ts';
import { ProducerTable } from './producer-state.ts';
import { PartitionTransactions } from './transaction/index.ts';

const magic = 0x50424c54;
/** Version 1 knows no transactions, versions 1 and 2 no compaction: there was none. Up to 3 it is not stored where the records of open transactions are. */
const layoutVersion = 4;
const oldestLayoutVersion = 1;
const suffix = '.snapshot';
const fixedBytes = 16;

/** A log as far as it is sequenced and as far as it is durable; see `captureSequenced` and `captureDurable`. */
export interface SnapshotLog extends LogState {
  readonly number: number;
  readonly topicId: string;
  readonly index: number;
}

export interface SnapshotHead {
  /** Replay continues here. */
  lsn: number;
  chain: ChunkChain;
  epoch: number;
  nextPartition: number;
  nextProducerId: number;
  nextSegment: number;
}

export interface Snapshot extends SnapshotHead {
  logs: SnapshotLog[];
  extensions: Map<string, Uint8Array>;
}

export function snapshotName(lsn: number): string {
  return `${String(lsn).padStart(16, '0')}${suffix}`;
}

/** The LSN in a snapshot's name; undefined for other objects. */
export function findSnapshotLsn(name: string): number | undefined {
  const match = /^(\d{16})\.snapshot$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/**
 * The part of a snapshot that must be taken when its last chunk is built: later entries change it before that chunk is
 * durable. Integers are big-endian.
 */
export function encodeSequenced(
  logs: readonly SnapshotLog[],
  extensions: ReadonlyArray<{ name: string; state: Uint8Array }>,
): Uint8Array {
  const writer = new ByteWriter(4096);
  writer.uint32(logs.length);
  for (const log of logs) {
    writer.uint32(log.number);
    writer.uint32(log.index);
    writeText(writer, log.topicId);
    writer.safeInt64(log.nextOffset);
    writer.uint32(log.leaderEpochs.length);
    for (const entry of log.leaderEpochs) {
      writer.uint32(entry.epoch);
      writer.safeInt64(entry.startOffset);
    }
    log.producers.encodeTo(writer);
    const { transactions } = log;
    const hasTransactions = transactions !== undefined && !transactions.isEmpty;
    writer.uint8(hasTransactions ? 1 : 0);
    if (hasTransactions) transactions.encodeTo(writer);
  }
  writer.uint32(extensions.length);
  for (const extension of extensions) {
    writeText(writer, extension.name);
    writer.uint32(extension.state.length);
    writer.bytes(extension.state);
  }
  return writer.take();
}

/** The part that must be taken when the last chunk is durable: what is stored where. The logs are the same as before. */
export function encodeSnapshot(
  head: SnapshotHead,
  sequenced: Uint8Array,
  logs: readonly SnapshotLog[],
): Uint8Array {
  const writer = new ByteWriter(4096 + sequenced.length);
  writer.uint32(magic);
  writer.uint32(layoutVersion);
  writer.uint32(0);
  writer.uint32(0);
  writer.safeInt64(head.lsn);
  writer.safeInt64(head.chain.sequence);
  writer.uint32(head.chain.crc);
  writer.uint32(head.epoch);
  writer.uint32(head.nextPartition);
  writer.safeInt64(head.nextProducerId);
  writer.safeInt64(head.nextSegment);
  writer.uint32(sequenced.length);
  writer.bytes(sequenced);
  for (const log of logs) {
    writer.safeInt64(log.logStartOffset);
    writer.safeInt64(log.cleanOffset);
    writer.uint32(log.extents.length);
    for (const extent of log.extents) {
      writer.uint8(extent.kind === 'journal' ? 0 : 1);
      writer.safeInt64(extent.fileId);
      writer.safeInt64(extent.firstOffset);
      writer.safeInt64(extent.endOffset);
      writer.safeInt64(extent.batchBytes);
      writer.safeInt64(extent.maxTimestampMs);
      writer.uint32(extent.runsAt);
      writer.uint32(extent.runCount);
    }
  }
  const bytes = writer.take();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(8, bytes.length);
  view.setUint32(12, crc32c(bytes.subarray(fixedBytes)));
  return bytes;
}

/** Undefined when the bytes are not a whole snapshot: an older one must do. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot | undefined {
  if (bytes.length < fixedBytes) return undefined;
  const reader = new ByteReader(bytes);
  if (reader.uint32() !== magic) return undefined;
  const version = reader.uint32();
  if (version < oldestLayoutVersion || version > layoutVersion) return undefined;
  if (reader.uint32() !== bytes.length || reader.uint32() !== crc32c(bytes.subarray(fixedBytes)))
    return undefined;
  const lsn = reader.safeInt64();
  const chain = { sequence: reader.safeInt64(), crc: reader.uint32() };
  const epoch = reader.uint32();
  const nextPartition = reader.uint32();
  const nextProducerId = reader.safeInt64();
  const nextSegment = reader.safeInt64();
  const sequenced = new ByteReader(reader.bytes(reader.uint32()));
  const logs = readSequencedLogs(sequenced, version);
  const extensions = new Map<string, Uint8Array>();
  for (let count = sequenced.uint32(); count > 0; count--) {
    const name = readText(sequenced);
    extensions.set(name, Uint8Array.from(sequenced.bytes(sequenced.uint32())));
  }
  for (const log of logs) {
    log.logStartOffset = reader.safeInt64();
    if (version > 2) log.cleanOffset = reader.safeInt64();
    for (let count = reader.uint32(); count > 0; count--) log.extents.push(readExtent(reader));
  }
  return { lsn, chain, epoch, nextPartition, nextProducerId, nextSegment, logs, extensions };
}

function readSequencedLogs(reader: ByteReader, version: number): SnapshotLog[] {
  const logs: SnapshotLog[] = [];
  for (let count = reader.uint32(); count > 0; count--) {
    const number = reader.uint32();
    const index = reader.uint32();
    const topicId = readText(reader);
    const nextOffset = reader.safeInt64();
    const leaderEpochs: SnapshotLog['leaderEpochs'] = [];
    for (let epochs = reader.uint32(); epochs > 0; epochs--) {
      leaderEpochs.push({ epoch: reader.uint32(), startOffset: reader.safeInt64() });
    }
    const producers = ProducerTable.decode(reader);
    const hasTransactions = version > 1 && reader.uint8() === 1;
    const transactions = hasTransactions
      ? PartitionTransactions.decode(reader, nextOffset, version > 3)
      : undefined;
    logs.push({
      number,
      topicId,
      index,
      nextOffset,
      leaderEpochs,
      producers,
      transactions,
      logStartOffset: 0,
      cleanOffset: 0,
      extents: [],
    });
  }
  return logs;
}

function readExtent(reader: ByteReader): Extent {
  return {
    kind: reader.uint8() === 0 ? 'journal' : 'segment',
    fileId: reader.safeInt64(),
    firstOffset: reader.safeInt64(),
    endOffset: reader.safeInt64(),
    batchBytes: reader.safeInt64(),
    maxTimestampMs: reader.safeInt64(),
    runs: undefined,
    runsAt: reader.uint32(),
    runCount: reader.uint32(),
  };
}

function writeText(writer: ByteWriter, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  writer.uint16(bytes.length);
  writer.bytes(bytes);
}

function readText(reader: ByteReader): string {
  return reader.bytes(reader.uint16()).toString('utf8');
}
