import { BrokerError } from '../base/index.ts';
import {
  batchAttributes,
  batchLastOffsetDelta,
  batchMaxTimestamp,
  batchRecordCount,
  batchTotalBytes,
  checkBatch,
  isControlBatch,
} from '../bytes/index.ts';
import { checkKeys, checkTimes } from './append-form.ts';
import { isCompacted, type PartitionSettings } from './partition-settings.ts';

/**
 * Checks the batch at `at`, which came from a client, against itself and the topic; returns its length. Throws batch-corrupt,
 * batch-invalid, batch-too-large, timestamp-invalid.
 */
export function checkStorable(
  bytes: Uint8Array,
  at: number,
  settings: PartitionSettings,
  nowMs: number,
  isCrcKnown: boolean,
): number {
  const check = checkBatch(bytes, at, bytes.length, isCrcKnown);
  if (check === 'crc') throw new BrokerError('batch-corrupt', 'the CRC does not match');
  if (check === 'truncated' || check === 'length') throw new BrokerError('batch-corrupt', check);
  if (check !== 'ok') throw new BrokerError('batch-invalid', check);
  const length = batchTotalBytes(bytes, at);
  checkSize(length, settings);
  if (batchRecordCount(bytes, at) !== batchLastOffsetDelta(bytes, at) + 1) {
    throw new BrokerError('batch-invalid', 'its offsets have gaps');
  }
  if (isControlBatch(batchAttributes(bytes, at)))
    throw new BrokerError('batch-invalid', 'clients may not write control records');
  if (settings.timestampType === 'create') checkTimestamps(bytes, at, settings, nowMs);
  if (isCompacted(settings)) checkKeys(bytes, at);
  return length;
}

/** Throws batch-too-large. */
export function checkSize(length: number, { batchBytesMax }: PartitionSettings): void {
  if (length > batchBytesMax) {
    throw new BrokerError(
      'batch-too-large',
      `${length} bytes are more than the ${batchBytesMax} that the topic allows`,
    );
  }
}

function checkTimestamps(
  bytes: Uint8Array,
  at: number,
  { timestampBehindMaxMs, timestampAheadMaxMs }: PartitionSettings,
  nowMs: number,
): void {
  const maxMs = batchMaxTimestamp(bytes, at);
  const firstMs = Math.max(0, nowMs - timestampBehindMaxMs);
  const lastMs = nowMs + timestampAheadMaxMs;
  // Where any past is taken, the batch's own word for its newest record is enough.
  if (firstMs === 0 && maxMs <= lastMs) return;
  checkTimes(bytes, at, firstMs, lastMs);
  if (maxMs > lastMs)
    throw new BrokerError('timestamp-invalid', `${maxMs} is later than ${lastMs}`);
}
