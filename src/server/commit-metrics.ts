import type { Buckets } from './exposition.ts';

const KIB = 1024;

const latencyBoundsSeconds: readonly number[] = [
  0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5,
  10,
];
const chunkBounds: readonly number[] = [
  KIB,
  4 * KIB,
  16 * KIB,
  64 * KIB,
  256 * KIB,
  1024 * KIB,
  2048 * KIB,
  4096 * KIB,
  8192 * KIB,
];

/** Measures of the group commits of all shards. Counting one costs a few additions. */
export class CommitMetrics {
  batches = 0;
  readonly latency = new Histogram(latencyBoundsSeconds);
  readonly chunkBytes = new Histogram(chunkBounds);

  /** One chunk is durable. */
  committed(chunkBytes: number, batches: number, latencyMs: number): void {
    this.batches += batches;
    this.latency.observe(latencyMs / 1000);
    this.chunkBytes.observe(chunkBytes);
  }
}

class Histogram implements Buckets {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] ?? 0)) index++;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
  }
}
