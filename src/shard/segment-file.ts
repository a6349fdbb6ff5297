import { ByteWriter } from '../bytes/index.ts';

/**
 * A level-1 segment: record batches that were moved out of journal files, contiguous per partition and in order.
 *
 * Layout: u32 magic "PBLS", u8 version, u24 0, i64 number; then entries of kind `records`, each as in a chunk. Positions
 * in its index are distances from the start of the segment.
 */
export const segmentHeaderBytes = 16;
const magic = 0x50424c53;
const layoutVersion = 1;

export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.segment`;
}

/** The first bytes of a segment. */
export function segmentHeader(number: number): Uint8Array {
  const writer = new ByteWriter(segmentHeaderBytes);
  writer.uint32(magic);
  writer.uint8(layoutVersion);
  writer.zeros(3);
  writer.safeInt64(number);
  return writer.take();
}
