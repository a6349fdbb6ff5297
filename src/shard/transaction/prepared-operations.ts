import type { ByteReader, ByteWriter } from '../../bytes/index.ts';
import type { DeathReason, ReleaseOptions } from '../queue/index.ts';

/** How a message leaves its consumer's hands. */
export type Settlement =
  | { kind: 'accept' }
  | { kind: 'release'; options: ReleaseOptions }
  | { kind: 'reject'; reason: DeathReason };

/** Record batches for one partition, by its number in the shard. */
export interface PreparedAppend {
  partition: number;
  /** Whole batches one after the other. */
  bytes: Uint8Array;
}

/** The end of one delivery of a queue. */
export interface PreparedSettlement {
  partition: number;
  subscription: string;
  offset: number;
  settlement: Settlement;
}

/** What one shard will do once a transaction over several shards is decided. */
export interface PreparedOperations {
  appends: PreparedAppend[];
  settlements: PreparedSettlement[];
}

const reasons: readonly DeathReason[] = ['rejected', 'expired', 'maxlen', 'delivery-limit'];
const acceptCode = 0;
const releaseCode = 1;
const rejectCode = 2;

/**
 * u32 count, then per append: u32 partition, u32 length, batches; u32 count, then per settlement: u32 partition,
 * u16 length and utf8 of the subscription, i64 offset, u8 kind: 0 accept; 1 release, u8 is failure, i64 delay in ms
 * (-1: the queue's own); 2 reject, u8 index of the reason.
 */
export function encodeOperations(writer: ByteWriter, operations: PreparedOperations): void {
  writer.uint32(operations.appends.length);
  for (const append of operations.appends) {
    writer.uint32(append.partition);
    writer.uint32(append.bytes.length);
    writer.bytes(append.bytes);
  }
  writer.uint32(operations.settlements.length);
  for (const { partition, subscription, offset, settlement } of operations.settlements) {
    writer.uint32(partition);
    const name = Buffer.from(subscription, 'utf8');
    writer.uint16(name.length);
    writer.bytes(name);
    writer.safeInt64(offset);
    if (settlement.kind === 'accept') writer.uint8(acceptCode);
    else if (settlement.kind === 'release') {
      writer.uint8(releaseCode);
      writer.uint8(settlement.options.isFailure ? 1 : 0);
      writer.safeInt64(settlement.options.delayMs ?? -1);
    } else {
      writer.uint8(rejectCode);
      writer.uint8(reasons.indexOf(settlement.reason));
    }
  }
}

/** The batches are slices of what is read. */
export function decodeOperations(reader: ByteReader): PreparedOperations {
  const operations: PreparedOperations = { appends: [], settlements: [] };
  for (let count = reader.uint32(); count > 0; count--) {
    const partition = reader.uint32();
    operations.appends.push({ partition, bytes: reader.bytes(reader.uint32()) });
  }
  for (let count = reader.uint32(); count > 0; count--) {
    operations.settlements.push({
      partition: reader.uint32(),
      subscription: reader.utf8(reader.uint16()),
      offset: reader.safeInt64(),
      settlement: readSettlement(reader),
    });
  }
  return operations;
}

function readSettlement(reader: ByteReader): Settlement {
  const code = reader.uint8();
  if (code === acceptCode) return { kind: 'accept' };
  if (code === rejectCode) return { kind: 'reject', reason: reasons[reader.uint8()] ?? 'rejected' };
  const isFailure = reader.uint8() === 1;
  const delayMs = reader.safeInt64();
  return { kind: 'release', options: delayMs < 0 ? { isFailure } : { isFailure, delayMs } };
}
