import { randomBytes, randomUUID } from 'node:crypto';

/** Randomness as the broker sees it, so that one seed can replay a run. */
export interface Random {
  /** A uniform integer in `[0, below)`; `below` is at most 2^32. */
  nextInt(below: number): number;
  /** `length` random bytes. */
  nextBytes(length: number): Uint8Array;
  /** A version 4 UUID in its canonical text form. */
  nextUuid(): string;
}

/** Randomness from the operating system. */
export class SystemRandom implements Random {
  nextInt(below: number): number {
    return Math.floor(Math.random() * below);
  }

  nextBytes(length: number): Uint8Array {
    return randomBytes(length);
  }

  nextUuid(): string {
    return randomUUID();
  }
}
