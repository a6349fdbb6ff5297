/**
 * A level-1 segment: record batches that were moved out of journal files, contiguous per partition and in order.
 *
 * Layout: u32 magic "PBLS", u8 version, u24 0, i64 number; then entries of kind `records`, each as in a chunk. Positions
 * in its index are distances from the start of the segment.
 */
export const segmentHeaderBytes = 16;
export const segmentMagic = 0x50424c53;
export const segmentLayoutVersion = 1;

export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.segment`;
}
