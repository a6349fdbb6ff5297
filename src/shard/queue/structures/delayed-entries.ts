/** Messages of one bucket, decoded: an array for each fact. */
export class DelayedEntries {
  count = 0;
  readonly offsets: Float64Array<ArrayBuffer>;
  readonly dues: Float64Array<ArrayBuffer>;
  readonly bodies: Uint32Array<ArrayBuffer>;
  readonly ranks: Uint32Array<ArrayBuffer>;
  readonly deliveries: Uint32Array<ArrayBuffer>;
  readonly failures: Uint32Array<ArrayBuffer>;

  constructor(capacity: number) {
    this.offsets = new Float64Array(capacity);
    this.dues = new Float64Array(capacity);
    this.bodies = new Uint32Array(capacity);
    this.ranks = new Uint32Array(capacity);
    this.deliveries = new Uint32Array(capacity);
    this.failures = new Uint32Array(capacity);
  }

  /** Positions by due time; those of one time keep their order. */
  order(): Uint32Array {
    const { count, dues } = this;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < count; at++) {
      min = Math.min(min, dues[at]!);
      max = Math.max(max, dues[at]!);
    }
    const order = new Uint32Array(count);
    if ((max - min + 1) * count <= Number.MAX_SAFE_INTEGER) {
      // Time and position in one number: sorting numbers needs no function to be called.
      const keys = new Float64Array(count);
      for (let at = 0; at < count; at++) keys[at] = (dues[at]! - min) * count + at;
      keys.sort();
      for (let at = 0; at < count; at++) order[at] = keys[at]! % count;
      return order;
    }
    for (let at = 0; at < count; at++) order[at] = at;
    return order.toSorted((a, b) => dues[a]! - dues[b]! || a - b);
  }

  /** A time that leaves messages on both sides: those before it and those from it on. Not all are due at once. */
  middleDueMs(): number {
    const sorted = this.dues.subarray(0, this.count).toSorted();
    const middle = sorted[this.count >>> 1]!;
    if (middle > sorted[0]!) return middle;
    return sorted.find((dueMs) => dueMs > middle) ?? middle;
  }
}
