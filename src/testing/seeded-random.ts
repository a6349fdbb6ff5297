import type { Random } from '../base/index.ts';

/** Randomness from a seed: the xoshiro128** generator (Blackman and Vigna), its state filled by splitmix32. */
export class SeededRandom implements Random {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    let state = seed | 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    });
  }

  nextInt(below: number): number {
    return Math.floor((this.#next() * below) / 0x100000000);
  }

  nextBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = this.#next() >>> 24;
    return bytes;
  }

  nextUuid(): string {
    const bytes = Buffer.from(this.nextBytes(16));
    // RFC 9562 §5.4: version 4, variant 10.
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = bytes.toString('hex');
    const cuts = [0, 8, 12, 16, 20, 32];
    return cuts
      .slice(1)
      .map((end, index) => hex.slice(cuts[index], end))
      .join('-');
  }

  /** A number in `[0, 1)`. */
  nextFraction(): number {
    return this.#next() / 0x100000000;
  }

  /** True about `rate` times of one. Draws a number whatever the rate is, so that rates do not move what follows. */
  chance(rate: number): boolean {
    return this.nextFraction() < rate;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.nextInt(choices.length)] ?? choices[0];
  }

  /** A generator of its own: what one draws does not move the other. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next());
  }

  #next(): number {
    const state = this.#state;
    // `!`: the state has four words.
    const mixed = Math.imul(state[1]!, 5);
    const result = Math.imul((mixed << 7) | (mixed >>> 25), 9) >>> 0;
    const shifted = state[1]! << 9;
    state[2]! ^= state[0]!;
    state[3]! ^= state[1]!;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= shifted;
    state[3] = (state[3]! << 11) | (state[3]! >>> 21);
    return result;
  }
}
