import type { SeededRandom } from './seeded-random.ts';

/** A disk writes this many bytes wholly or not at all. */
export const sectorBytes = 512;

/** What a sector held after one change that is not durable yet; no bytes: a hole, zeros. */
interface Version {
  bytes: Uint8Array | undefined;
  stamp: number;
  isTruncation: boolean;
}

interface Sector {
  /** What certainly survives power loss; none: a hole. */
  durable: Uint8Array | undefined;
  /** Changes since, oldest first: after power loss the sector is in one of these states. */
  versions: Version[];
  /** What reads see instead of `durable` after a failed sync has called it clean. */
  clean: Version | undefined;
}

/**
 * One file as a disk under a page cache has it: for each sector what is durable and what is only in memory. Sectors'
 * bytes are never changed in place, so images may share them.
 */
export class FileImage {
  #size = 0;
  #durableSize = 0;
  /** Changes of the size that are not durable yet, oldest first. */
  #sizes: { size: number; stamp: number }[] = [];
  readonly #sectors = new Map<number, Sector>();
  /** Sectors with versions. */
  readonly #dirty = new Set<number>();
  #stamp = 0;
  #sectorCount = 0;

  get size(): number {
    return this.#size;
  }

  /** Changes up to now are at most this; `flush` takes it as of when the flush began. */
  get stamp(): number {
    return this.#stamp;
  }

  /** Sectors that take room on the disk, as reads see it. */
  get sectorCount(): number {
    return this.#sectorCount;
  }

  /** The largest prefix of a write that needs at most `sectorsFree` new sectors; in bytes. */
  fittingBytes(position: number, length: number, sectorsFree: number): number {
    let free = sectorsFree;
    for (let at = position; at < position + length; at = nextSector(at)) {
      const sector = this.#sectors.get(sectorAt(at));
      if (sector && current(sector)) continue;
      if (free-- <= 0) return at - position;
    }
    return length;
  }

  read(into: Uint8Array, position: number): number {
    const end = Math.min(position + into.length, this.#size);
    for (let at = position; at < end; ) {
      const until = Math.min(nextSector(at), end);
      const sector = this.#sectors.get(sectorAt(at));
      const bytes = sector && current(sector);
      const offset = at % sectorBytes;
      const target = into.subarray(at - position, until - position);
      if (bytes) target.set(bytes.subarray(offset, offset + until - at));
      else target.fill(0);
      at = until;
    }
    return Math.max(end - position, 0);
  }

  /** Writes to memory only. */
  write(bytes: Uint8Array, position: number): void {
    const stamp = ++this.#stamp;
    const copy = Uint8Array.from(bytes);
    const end = position + copy.length;
    for (let at = position; at < end; ) {
      const until = Math.min(nextSector(at), end);
      const part = copy.subarray(at - position, until - position);
      this.#change(
        sectorAt(at),
        (old) => {
          if (part.length === sectorBytes) return part;
          const merged = new Uint8Array(sectorBytes);
          if (old) merged.set(old);
          merged.set(part, at % sectorBytes);
          return merged;
        },
        stamp,
        false,
      );
      at = until;
    }
    if (end > this.#size && copy.length > 0) this.#setSize(end, stamp);
  }

  truncate(length: number): void {
    if (length === this.#size) return;
    const stamp = ++this.#stamp;
    if (length < this.#size) {
      for (const index of this.#sectors.keys()) {
        const start = index * sectorBytes;
        if (start + sectorBytes <= length) continue;
        this.#change(index, (old) => cutSector(old, length - start), stamp, true);
      }
    }
    this.#setSize(length, stamp);
  }

  /** Everything up to `stamp` is durable. */
  flush(stamp: number): void {
    for (const index of this.#dirty) this.#settle(index, stamp, keepDurable);
    this.#flushSize(stamp);
  }

  /**
   * What a durable write does for its range: its sectors become durable, and with them the changes of the size up to
   * now, without which they could not be found.
   */
  flushRange(position: number, length: number): void {
    for (let at = position; at < position + length; at = nextSector(at)) {
      this.#settle(sectorAt(at), this.#stamp, keepDurable);
    }
    for (const index of this.#dirty) {
      this.#settle(index, this.#stamp, keepDurable, (version) => version.isTruncation);
    }
    this.#flushSize(this.#stamp);
  }

  /**
   * A flush that fails as Linux's does: each sector is called clean, whether its bytes are durable or not; another
   * flush does not write it again. Reads see the bytes until they are dropped from memory, which may be at once.
   */
  failFlush(random: SeededRandom, stamp: number, position = 0, length = this.#size): void {
    const isDropped = random.chance(0.5);
    for (const index of this.#dirty) {
      const start = index * sectorBytes;
      if (start + sectorBytes <= position || start >= position + length) continue;
      this.#settle(index, stamp, (sector, version) => {
        const isDurable = random.chance(0.5);
        sector.clean = isDurable || isDropped ? undefined : version;
        if (isDurable) sector.durable = version.bytes;
      });
    }
  }

  /** The file as power loss may leave it. */
  afterPowerLoss(random: SeededRandom): FileImage {
    // Often all or nothing of what was not durable is there; otherwise each sector is on its own.
    const kept = random.pick(['nothing', 'all', 'some', 'some']);
    const choose = (count: number): number => {
      if (kept === 'nothing') return 0;
      return kept === 'all' ? count : random.nextInt(count + 1);
    };
    const lastSize = this.#sizes[choose(this.#sizes.length) - 1];
    const result = new FileImage();
    const size = lastSize?.size ?? this.#durableSize;
    result.#size = size;
    result.#durableSize = size;
    for (const [index, sector] of this.#sectors) {
      // A truncation is lost or kept as a whole with its size; older bytes do not come back behind one that was kept.
      const states: (Uint8Array | undefined)[] = [sector.durable];
      for (const version of sector.versions) {
        const isKept = version.stamp <= (lastSize?.stamp ?? -1);
        if (version.isTruncation && !isKept) continue;
        if (version.isTruncation) states.length = 0;
        states.push(version.bytes);
      }
      const start = index * sectorBytes;
      const bytes = cutSector(states[choose(states.length - 1)], size - start);
      if (!bytes) continue;
      result.#sectors.set(index, { durable: bytes, versions: [], clean: undefined });
      result.#sectorCount++;
    }
    return result;
  }

  /** Flips one bit of what is durable; false where there is none. */
  flipBit(position: number, bit: number): boolean {
    const sector = this.#sectors.get(sectorAt(position));
    if (!sector?.durable || position >= this.#durableSize) return false;
    const bytes = Uint8Array.from(sector.durable);
    bytes[position % sectorBytes]! ^= 1 << bit;
    sector.durable = bytes;
    return true;
  }

  #change(
    index: number,
    next: (old: Uint8Array | undefined) => Uint8Array | undefined,
    stamp: number,
    isTruncation: boolean,
  ): void {
    let sector = this.#sectors.get(index);
    if (!sector) {
      sector = { durable: undefined, versions: [], clean: undefined };
      this.#sectors.set(index, sector);
    }
    const old = current(sector);
    const bytes = next(old);
    sector.versions.push({ bytes, stamp, isTruncation });
    this.#sectorCount += (bytes ? 1 : 0) - (old ? 1 : 0);
    this.#dirty.add(index);
  }

  #setSize(size: number, stamp: number): void {
    this.#size = size;
    this.#sizes.push({ size, stamp });
  }

  /** Takes the versions up to `stamp` off a sector and hands over the last of them. */
  #settle(
    index: number,
    stamp: number,
    settle: (sector: Sector, version: Version) => void,
    isWanted: (version: Version) => boolean = () => true,
  ): void {
    const sector = this.#sectors.get(index);
    if (!sector) return;
    const at = sector.versions.findLastIndex(
      (version) => version.stamp <= stamp && isWanted(version),
    );
    const version = sector.versions[at];
    if (!version) return;
    const before = current(sector);
    sector.versions.splice(0, at + 1);
    settle(sector, version);
    this.#sectorCount += (current(sector) ? 1 : 0) - (before ? 1 : 0);
    if (sector.versions.length === 0) this.#dirty.delete(index);
  }

  #flushSize(stamp: number): void {
    const count = this.#sizes.findLastIndex((change) => change.stamp <= stamp) + 1;
    const last = this.#sizes[count - 1];
    if (!last) return;
    this.#durableSize = last.size;
    this.#sizes.splice(0, count);
  }
}

function keepDurable(sector: Sector, version: Version): void {
  sector.durable = version.bytes;
  sector.clean = undefined;
}

/** What reads see. */
function current(sector: Sector): Uint8Array | undefined {
  const version = sector.versions.at(-1) ?? sector.clean;
  return version ? version.bytes : sector.durable;
}

/** The first `length` bytes of a sector, then zeros; a hole when nothing is left. */
function cutSector(bytes: Uint8Array | undefined, length: number): Uint8Array | undefined {
  if (!bytes || length <= 0) return undefined;
  if (length >= sectorBytes) return bytes;
  const result = new Uint8Array(sectorBytes);
  result.set(bytes.subarray(0, length));
  return result;
}

function sectorAt(position: number): number {
  return Math.floor(position / sectorBytes);
}

function nextSector(position: number): number {
  return (sectorAt(position) + 1) * sectorBytes;
}
