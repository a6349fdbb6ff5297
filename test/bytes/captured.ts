/* Bytes that other programs have written, in base64. */

/**
 * Three records in one batch of each codec, by MemoryRecordsBuilder of the Java client (kafka-clients 4.3.1): base
 * offset 40, leader epoch 5, producer id 4611, producer epoch 3, base sequence 7, transactional.
 */
export const javaBatches = {
  none: 'AAAAAAAAACgAAACAAAAABQKV9UMYABAAAAACAAABi8/laHsAAAGL1QvEAAAAAAAAABIDAAMAAAAHAAAAA3AAAAAKa2V5LTE6dmFsdWUgb25lIHZhbHVlIG9uZSB2YWx1ZSBvbmUECnRyYWNlBmFiYwhub25lAQwALQIBAAAcAIruslIEAmsBAgTDvAA=',
  gzip: 'AAAAAAAAACgAAACCAAAABQLMNzQzABEAAAACAAABi8/laHsAAAGL1QvEAAAAAAAAABIDAAMAAAAHAAAAAx+LCAAAAAAAAP8rYGBg4MpOrdQ1tCpLzClNVcjPS1XAwmLhKilKTE5lS0xK5sgD8hl5GHSZGBkYZBi63m0KYmHKZmRiObyHAQBzS0vaTwAAAA==',
  snappy:
    'AAAAAAAAACgAAACHAAAABQI5jwKgABIAAAACAAABi8/laHsAAAGL1QvEAAAAAAAAABIDAAMAAAAHAAAAA4JTTkFQUFkAAAAAAQAAAAEAAABCT1BwAAAACmtleS0xOnZhbHVlIG9uZSBKCgCYBAp0cmFjZQZhYmMIbm9uZQEMAC0CAQAAHACK7rJSBAJrAQIEw7wA',
  lz4: 'AAAAAAAAACgAAACDAAAABQKQJKIkABMAAAACAAABi8/laHsAAAGL1QvEAAAAAAAAABIDAAMAAAAHAAAAAwQiTRhgQIJDAAAA/wZwAAAACmtleS0xOnZhbHVlIG9uZSAKAADwGAQKdHJhY2UGYWJjCG5vbmUBDAAtAgEAABwAiu6yUgQCawECBMO8AAAAAAA=',
  zstd: 'AAAAAAAAACgAAACAAAAABQIQeuNoABQAAAACAAABi8/laHsAAAGL1QvEAAAAAAAAABIDAAMAAAAHAAAAAyi1L/0AWBwCAMQDcAAAAAprZXktMTp2YWx1ZSBvbmUgBAp0cmFjZQZhYmMIbm9uZQEMAC0CAQAAHACK7rJSBAJrAQIEw7wAAQCbFCYBAAA=',
};

/** `letters` 40 times, by the lz4 1.9.4 command: blocks of 4 MB with checksums, content size. */
export const lz4WithChecksums =
  'BCJNGHxAOAQAAAAAAABoKgAAAP8McGFiYWwgY2FycmllcyBldmVyeSBsZXR0ZXIgGwD/////CVB0dGVyID1LRoUAAAAAxYgfTA==';

/** The first 150,000 bytes of `letters` repeated, by the lz4 1.9.4 command: linked blocks of 64 KB with checksums. */
export const lz4LinkedBlocks =
  'BCJNGFRAriYBAAD/DHBhYmFsIGNhcnJpZXMgZXZlcnkgbGV0dGVyIBsA/////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////81QYmFsIGPeDKWMCgEAAA/5///////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////oUHJpZXMgrAZH7nAAAAD/DGV2ZXJ5IGxldHRlciBwYWJhbCBjYXJyaWVzIBsA//////////////////////////////////////////////////////////////////////////////////////////////////8HUGllcyBllxpXXwAAAACKLz1Y';

/** The same by the zstd 1.5.4 command from a pipe: no content size, two blocks. */
export const zstdWithoutSize =
  'KLUv/QBYHAEA2HBhYmFsIGNhcnJpZXMgZXZlcnkgbGV0dGVyIAEAi/97PsdFAAAIZQEA7MkOhA==';

/** `letters` 40 times, by the zstd 1.5.4 command: content size and checksum. */
export const zstdWithSize = 'KLUv/WQ4Ax0BANhwYWJhbCBjYXJyaWVzIGV2ZXJ5IGxldHRlciABAGvg/xwDEHHgLw==';

export const letters = 'pabal carries every letter ';
