/** Features whose level decides how clients speak (KIP-584): what is supported, and the level that is in force for good. */
export const features: ReadonlyArray<{
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly level: number;
}> = [
  // Level 1: groups whose work the broker divides (KIP-848).
  { name: 'group.version', minVersion: 0, maxVersion: 1, level: 1 },
  // Level 1: share groups (KIP-932). Level 2: their dead-letter topics (KIP-1191).
  { name: 'share.version', minVersion: 0, maxVersion: 2, level: 2 },
  // Level 1: streams groups (KIP-1071).
  { name: 'streams.version', minVersion: 0, maxVersion: 1, level: 1 },
  // Level 2: each transaction has an epoch of its own, and a Produce takes its partitions in (KIP-890).
  { name: 'transaction.version', minVersion: 0, maxVersion: 2, level: 2 },
];

/** They never change: every answer tells of the same epoch. */
export const featuresEpoch = 0;
