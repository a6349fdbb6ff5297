import { limits, ProtocolError } from '../base/index.ts';
import {
  batchBaseOffset,
  batchLeaderEpoch,
  batchMaxTimestamp,
  RecordCursor,
} from '../bytes/index.ts';
import type { TimedOffset } from './partition.ts';

/**
 * The first record of the batch at `at` whose timestamp is at least `timestampMs` and whose offset is at least
 * `minOffset`. A batch whose records cannot be read counts as one record, stamped with its greatest timestamp.
 */
export function firstRecordAt(
  bytes: Uint8Array,
  at: number,
  timestampMs: number,
  minOffset: number,
): TimedOffset | undefined {
  const leaderEpoch = batchLeaderEpoch(bytes, at);
  try {
    const cursor = new RecordCursor(bytes, at, limits.decompressedBytesMax);
    while (cursor.next()) {
      if (cursor.timestampMs >= timestampMs && cursor.offset >= minOffset) {
        return { offset: cursor.offset, timestampMs: cursor.timestampMs, leaderEpoch };
      }
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const offset = Math.max(batchBaseOffset(bytes, at), minOffset);
    return { offset, timestampMs: batchMaxTimestamp(bytes, at), leaderEpoch };
  }
}

/** Notes the timestamps of the batch's records from `minOffset` on. */
export function noteTimestampsFrom(
  bytes: Uint8Array,
  at: number,
  minOffset: number,
  note: (timestampMs: number) => void,
): void {
  try {
    const cursor = new RecordCursor(bytes, at, limits.decompressedBytesMax);
    while (cursor.next()) if (cursor.offset >= minOffset) note(cursor.timestampMs);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    note(batchMaxTimestamp(bytes, at));
  }
}
