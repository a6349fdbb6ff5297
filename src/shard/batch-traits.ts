import { limits, ProtocolError } from '../base/index.ts';
import { RecordCursor } from '../bytes/index.ts';
import { Schedule } from '../message/index.ts';
import type { AppendTraits } from './partition.ts';

/** The traits of the batch at `at`, from its records; a batch that cannot be read has no bodies. */
export function findTraits(bytes: Uint8Array, at: number): AppendTraits {
  let bodyBytes = 0;
  let isScheduled = false;
  try {
    const cursor = new RecordCursor(bytes, at, limits.decompressedBytesMax);
    const schedule = new Schedule();
    while (cursor.next()) {
      bodyBytes += Math.max(cursor.valueBytes, 0);
      if (!isScheduled && cursor.headerCount > 0)
        isScheduled = schedule.read(cursor.bytes, cursor.headersAt, cursor.headerCount);
    }
  } catch (error) {
    // The log takes what it cannot read: its checksum is right, and somebody may understand it.
    if (!(error instanceof ProtocolError)) throw error;
  }
  return { bodyBytes, isScheduled };
}
