import { assert } from '../../base/index.ts';

/** Of a delivery that is not settled; positions in the arrays that the channel keeps. */
export interface UnsettledVisitor {
  (tag: number, source: number, lease: number): void;
}

/**
 * The deliveries of one channel that its client has not settled, by delivery tag: a struct of arrays, no object for
 * each. Tags grow by one, so the newest stand in a ring that is indexed by them; what stays behind while thousands of
 * newer ones are settled (a message that a client is stuck with) moves to a short sorted list, so that one old delivery
 * does not make the ring grow.
 */
export class UnsettledTable {
  /** Deliveries that are not settled. */
  count = 0;
  /** The tag of the newest delivery; also those that need no ack have one. */
  lastTag = 0;
  /** The ring holds the tags from `#firstTag` to `lastTag`; a slot of a settled or auto-acked one has the source -1. */
  #firstTag = 1;
  #sources = noSlots;
  #leases = noTimes;
  #timesMs = noTimes;
  #mask = -1;
  /** Stragglers, in order of tag; source -1 where one is settled. `#oldFrom`: all before it are settled. */
  #oldTags: number[] = [];
  #oldSources: number[] = [];
  #oldLeases: number[] = [];
  #oldTimesMs: number[] = [];
  #oldFrom = 0;

  // What `find` found.
  #foundAt = -1;
  #isFoundOld = false;

  /** Takes the next tag for a delivery that is settled already. */
  skip(): number {
    this.lastTag += 1;
    if (this.count === 0 || this.#isRingEmpty) {
      this.#firstTag = this.lastTag + 1;
    } else {
      this.#reserve();
      this.#sources[this.lastTag & this.#mask] = -1;
    }
    return this.lastTag;
  }

  /** Takes the next tag for a delivery; `source` is a number of the caller's, not negative. */
  add(source: number, lease: number, nowMs: number): number {
    this.lastTag += 1;
    const tag = this.lastTag;
    this.#reserve();
    const slot = tag & this.#mask;
    this.#sources[slot] = source;
    this.#leases[slot] = lease;
    this.#timesMs[slot] = nowMs;
    this.count += 1;
    return tag;
  }

  /** Whether the tag is of an unsettled delivery; `source` and `lease` tell of it until the next call. */
  find(tag: number): boolean {
    if (tag >= this.#firstTag) {
      if (tag > this.lastTag) return false;
      const slot = tag & this.#mask;
      if (this.#sources[slot]! < 0) return false;
      this.#foundAt = slot;
      this.#isFoundOld = false;
      return true;
    }
    const at = this.#findOld(tag);
    if (at < 0) return false;
    this.#foundAt = at;
    this.#isFoundOld = true;
    return true;
  }

  get source(): number {
    return this.#isFoundOld ? this.#oldSources[this.#foundAt]! : this.#sources[this.#foundAt]!;
  }

  get lease(): number {
    return this.#isFoundOld ? this.#oldLeases[this.#foundAt]! : this.#leases[this.#foundAt]!;
  }

  /** Settles what `find` has found. */
  removeFound(): void {
    this.count -= 1;
    if (this.#isFoundOld) {
      this.#oldSources[this.#foundAt] = -1;
      this.#trimOld();
      return;
    }
    this.#sources[this.#foundAt] = -1;
    if (this.count === 0 || (this.#firstTag & this.#mask) === this.#foundAt) this.#trimRing();
  }

  /** Settles all up to a tag (all there are: Infinity), oldest first; false, and nothing is done, when the tag is not there. */
  removeThrough(tag: number, visit: UnsettledVisitor): boolean {
    if (tag !== Number.POSITIVE_INFINITY && !this.find(tag)) return false;
    this.#removeOldThrough(tag, visit);
    const last = Math.min(tag, this.lastTag);
    for (let each = this.#firstTag; each <= last; each += 1) {
      const slot = each & this.#mask;
      const source = this.#sources[slot]!;
      if (source < 0) continue;
      this.#sources[slot] = -1;
      this.count -= 1;
      visit(each, source, this.#leases[slot]!);
    }
    if (last >= this.#firstTag) {
      this.#firstTag = last + 1;
      this.#trimRing();
    }
    return true;
  }

  /** Shows all, oldest first, and leaves them. */
  forEach(visit: UnsettledVisitor): void {
    for (let at = this.#oldFrom; at < this.#oldTags.length; at += 1) {
      const source = this.#oldSources[at]!;
      if (source >= 0) visit(this.#oldTags[at]!, source, this.#oldLeases[at]!);
    }
    for (let tag = this.#firstTag; tag <= this.lastTag; tag += 1) {
      const source = this.#sources[tag & this.#mask]!;
      if (source >= 0) visit(tag, source, this.#leases[tag & this.#mask]!);
    }
  }

  /** Puts one back that a transaction, which is now undone, had taken out. */
  restore(tag: number, source: number, lease: number, nowMs: number): void {
    assert(tag <= this.lastTag, 'only tags that were given out are restored');
    this.count += 1;
    if (tag >= this.#firstTag) {
      const slot = tag & this.#mask;
      this.#sources[slot] = source;
      this.#leases[slot] = lease;
      this.#timesMs[slot] = nowMs;
      return;
    }
    let at = this.#oldTags.length;
    while (at > this.#oldFrom && this.#oldTags[at - 1]! >= tag) at -= 1;
    // A settled entry of this very tag may still stand here.
    const gone = this.#oldTags[at] === tag ? 1 : 0;
    this.#oldTags.splice(at, gone, tag);
    this.#oldSources.splice(at, gone, source);
    this.#oldLeases.splice(at, gone, lease);
    this.#oldTimesMs.splice(at, gone, nowMs);
  }

  /** Shows the deliveries that were handed out before `timeMs`, oldest first, until `visit` answers false. */
  forEachBefore(timeMs: number, visit: (source: number, timeMs: number) => boolean): void {
    for (let at = this.#oldFrom; at < this.#oldTags.length; at += 1) {
      const source = this.#oldSources[at]!;
      if (source < 0 || this.#oldTimesMs[at]! >= timeMs) continue;
      if (!visit(source, this.#oldTimesMs[at]!)) return;
    }
    for (let tag = this.#firstTag; tag <= this.lastTag; tag += 1) {
      const slot = tag & this.#mask;
      if (this.#sources[slot]! < 0) continue;
      if (this.#timesMs[slot]! >= timeMs) return;
      if (!visit(this.#sources[slot]!, this.#timesMs[slot]!)) return;
    }
  }

  get #isRingEmpty(): boolean {
    return this.#firstTag > this.lastTag - 1;
  }

  /** Makes sure that the slot of `lastTag` is free. */
  #reserve(): void {
    const size = this.#mask + 1;
    if (this.lastTag - this.#firstTag < size) return;
    this.#skipSettled(this.lastTag - 1);
    if (this.lastTag - this.#firstTag < size) return;
    if (size >= sparseFrom && this.count < size / 8) this.#moveOld();
    else this.#grow();
  }

  #grow(): void {
    const size = Math.max(16, (this.#mask + 1) * 2);
    const sources = new Int32Array(size);
    const leases = new Float64Array(size);
    const timesMs = new Float64Array(size);
    for (let tag = this.#firstTag; tag < this.lastTag; tag += 1) {
      const from = tag & this.#mask;
      const to = tag & (size - 1);
      sources[to] = this.#sources[from]!;
      leases[to] = this.#leases[from]!;
      timesMs[to] = this.#timesMs[from]!;
    }
    this.#sources = sources;
    this.#leases = leases;
    this.#timesMs = timesMs;
    this.#mask = size - 1;
  }

  /** The ring is full of holes: its few unsettled ones become stragglers. */
  #moveOld(): void {
    for (let tag = this.#firstTag; tag < this.lastTag; tag += 1) {
      const slot = tag & this.#mask;
      const source = this.#sources[slot]!;
      if (source < 0) continue;
      this.#oldTags.push(tag);
      this.#oldSources.push(source);
      this.#oldLeases.push(this.#leases[slot]!);
      this.#oldTimesMs.push(this.#timesMs[slot]!);
    }
    this.#firstTag = this.lastTag;
  }

  /** Moves the ring's begin over what is settled; gives its memory back when a burst is over. */
  #trimRing(): void {
    this.#skipSettled(this.lastTag);
    if (this.count === 0 && this.#mask >= keptSlots) {
      this.#sources = noSlots;
      this.#leases = noTimes;
      this.#timesMs = noTimes;
      this.#mask = -1;
    }
  }

  #skipSettled(last: number): void {
    while (this.#firstTag <= last && this.#sources[this.#firstTag & this.#mask]! < 0) {
      this.#firstTag += 1;
    }
  }

  #findOld(tag: number): number {
    let low = this.#oldFrom;
    let high = this.#oldTags.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#oldTags[middle]!;
      if (found === tag) return this.#oldSources[middle]! < 0 ? -1 : middle;
      if (found < tag) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #removeOldThrough(tag: number, visit: UnsettledVisitor): void {
    let at = this.#oldFrom;
    for (; at < this.#oldTags.length && this.#oldTags[at]! <= tag; at += 1) {
      const source = this.#oldSources[at]!;
      if (source < 0) continue;
      this.#oldSources[at] = -1;
      this.count -= 1;
      visit(this.#oldTags[at]!, source, this.#oldLeases[at]!);
    }
    this.#trimOld();
  }

  #trimOld(): void {
    while (this.#oldFrom < this.#oldTags.length && this.#oldSources[this.#oldFrom]! < 0) {
      this.#oldFrom += 1;
    }
    if (this.#oldFrom < 1024 && this.#oldFrom < this.#oldTags.length) return;
    for (const list of [this.#oldTags, this.#oldSources, this.#oldLeases, this.#oldTimesMs]) {
      list.splice(0, this.#oldFrom);
    }
    this.#oldFrom = 0;
  }
}

const noSlots = new Int32Array(0);
const noTimes = new Float64Array(0);
/** From this size on, a ring that is mostly holes is emptied instead of doubled. */
const sparseFrom = 4096;
/** A ring of more slots is given back when it is empty. */
const keptSlots = 4096;
