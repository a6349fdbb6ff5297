export type { BatchCheck } from './batch-header.ts';
export {
  batchAttributes,
  batchBaseOffset,
  batchBaseSequence,
  batchBaseTimestamp,
  batchCompression,
  batchCrc,
  batchDeleteHorizon,
  batchHeaderBytes,
  batchLastOffset,
  batchLastOffsetDelta,
  batchLeaderEpoch,
  batchMagic,
  batchMaxTimestamp,
  batchPrefixBytes,
  batchProducerEpoch,
  batchProducerId,
  batchRecordCount,
  batchTotalBytes,
  checkBatch,
  deleteHorizonBit,
  isAppendTimeBatch,
  isControlBatch,
  isTransactionalBatch,
  patchBatchAppendTime,
  patchBatchCrc,
  patchBatchLastOffset,
  patchBatchOffset,
} from './batch-header.ts';
export { BatchRewriter, emptyBatch } from './batch-rewriter.ts';
export type { Codec } from './compression.ts';
export { codecId, codecs, compress, decompress, findCodec } from './compression.ts';
export { crc32c, crc32cRange } from './crc32c.ts';
export { keyHash, partitionOfKey } from './key-hash.ts';
export { asBuffer, ByteReader, readInt32, readInt64 } from './reader.ts';
export type { BatchOptions, NewRecord, RecordHeader } from './record-batch.ts';
export { RecordBatchBuilder } from './record-batch.ts';
export type { LogRecord } from './record-cursor.ts';
export { decodeBatch, forEachRecord, RecordCursor, splitBatches } from './record-cursor.ts';
export {
  ByteWriter,
  decimalBytes,
  varintBytes,
  varlongBytes,
  writeInt32,
  writeInt64,
} from './writer.ts';
