/** Finds which of a few fixed ASCII names some bytes are, without a string. The index is the name's place in the list. */
export class NameTable {
  readonly #names: readonly Uint8Array[];
  /** By length: the indexes of the names that have it. */
  readonly #byLength: ReadonlyArray<readonly number[]>;

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => Buffer.from(name, 'latin1'));
    const byLength: number[][] = [];
    for (const [index, name] of this.#names.entries()) {
      while (byLength.length <= name.length) byLength.push([]);
      byLength[name.length]!.push(index);
    }
    this.#byLength = byLength;
  }

  /** The name's encoded bytes; not to be written to. */
  bytesOf(index: number): Uint8Array {
    return this.#names[index]!;
  }

  /** −1 when `bytes[at, at + length)` is none of them. The caller has checked that the range is inside. */
  find(bytes: Uint8Array, at: number, length: number): number {
    const candidates = this.#byLength[length];
    if (candidates === undefined) return -1;
    for (let place = 0; place < candidates.length; place++) {
      const index = candidates[place]!;
      if (matchesAt(bytes, at, this.#names[index]!)) return index;
    }
    return -1;
  }
}

/** Compared from the end, where names that share a beginning differ. */
export function matchesAt(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let index = name.length - 1; index >= 0; index--) {
    if (bytes[at + index] !== name[index]) return false;
  }
  return true;
}
