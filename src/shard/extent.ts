import type { RunList } from './run-list.ts';

/** A stretch of one partition's offsets and the file that holds it. */
export interface Extent {
  /** A sealed or active journal file (level 0), or a segment (level 1). */
  kind: 'journal' | 'segment';
  /** Base LSN of the journal file, or number of the segment. */
  fileId: number;
  firstOffset: number;
  /** First offset behind it. */
  endOffset: number;
  /** Bytes of the record batches. */
  batchBytes: number;
  maxTimestampMs: number;
  /** The runs, while they are kept in memory: the file is active, or its index is not stored yet. */
  runs: RunList | undefined;
  /** Where the runs are in the file's stored index, once they are. */
  runsAt: number;
  runCount: number;
}
