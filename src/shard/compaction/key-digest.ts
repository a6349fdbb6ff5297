import { assert } from '../../base/index.ts';

/**
 * A keyed digest of 128 bits (the construction of Chaskey-12, Mouha et al. 2014, which needs 32-bit words only). The key
 * is random and never leaves the process, so that nobody can write two record keys with one digest on purpose; by
 * accident it does not happen.
 */
export class KeyDigest {
  /** The digest of the last `update`. */
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  readonly #key: Int32Array;
  /** For a last block that is whole, and for one that was padded. */
  readonly #whole: Int32Array;
  readonly #padded: Int32Array;
  readonly #last = new Uint8Array(16);

  /** `key` is of 16 bytes. */
  constructor(key: Uint8Array) {
    assert(key.length === 16, 'a key of 16 bytes');
    this.#key = Int32Array.from([0, 4, 8, 12], (at) => readWord(key, at));
    this.#whole = timesTwo(this.#key);
    this.#padded = timesTwo(this.#whole);
  }

  /** Digests `bytes[from, to)`. */
  update(bytes: Uint8Array, from: number, to: number): void {
    const key = this.#key;
    this.a = key[0]!;
    this.b = key[1]!;
    this.c = key[2]!;
    this.d = key[3]!;
    let at = from;
    for (; to - at > 16; at += 16) this.#absorb(bytes, at);
    let last = this.#padded;
    let block = this.#last;
    let start = 0;
    if (to - at === 16) {
      last = this.#whole;
      block = bytes as Uint8Array<ArrayBuffer>;
      start = at;
    } else {
      let index = 0;
      while (at < to) block[index++] = bytes[at++]!;
      block[index++] = 1;
      while (index < 16) block[index++] = 0;
    }
    this.a ^= last[0]!;
    this.b ^= last[1]!;
    this.c ^= last[2]!;
    this.d ^= last[3]!;
    this.#absorb(block, start);
    this.a ^= last[0]!;
    this.b ^= last[1]!;
    this.c ^= last[2]!;
    this.d ^= last[3]!;
  }

  #absorb(bytes: Uint8Array, at: number): void {
    let a = this.a ^ readWord(bytes, at);
    let b = this.b ^ readWord(bytes, at + 4);
    let c = this.c ^ readWord(bytes, at + 8);
    let d = this.d ^ readWord(bytes, at + 12);
    for (let round = 0; round < 12; round++) {
      a = (a + b) | 0;
      b = ((b << 5) | (b >>> 27)) ^ a;
      a = (a << 16) | (a >>> 16);
      c = (c + d) | 0;
      d = ((d << 8) | (d >>> 24)) ^ c;
      a = (a + d) | 0;
      d = ((d << 13) | (d >>> 19)) ^ a;
      c = (c + b) | 0;
      b = ((b << 7) | (b >>> 25)) ^ c;
      c = (c << 16) | (c >>> 16);
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }
}

function readWord(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Doubling in the field of 2^128 elements, words in little-endian order. */
function timesTwo(words: Int32Array): Int32Array {
  const result = new Int32Array(4);
  for (let word = 0; word < 4; word++) {
    const carry = word === 0 ? 0 : words[word - 1]! >>> 31;
    result[word] = (words[word]! << 1) | carry;
  }
  if (words[3]! < 0) result[0] = result[0]! ^ 0x87;
  return result;
}
