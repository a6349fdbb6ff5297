export type { BatchCheck } from './batch-header.ts';
export {
  batchAttributes,
  batchBaseOffset,
  batchBaseSequence,
  batchBaseTimestamp,
  batchCompression,
  batchCrc,
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
  isAppendTimeBatch,
  isControlBatch,
  isTransactionalBatch,
  patchBatchAppendTime,
  patchBatchCrc,
  patchBatchOffset,
} from './batch-header.ts';
export { crc32c, crc32cRange } from './crc32c.ts';
export { asBuffer, ByteReader, readInt32, readInt64 } from './reader.ts';
export { ByteWriter, writeInt32, writeInt64 } from './writer.ts';
