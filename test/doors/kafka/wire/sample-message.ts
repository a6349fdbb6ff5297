import { present } from '../../../../src/base/index.ts';
import {
  type Field,
  isNullable,
  isPresent,
  zeroUuid,
} from '../../../../src/doors/kafka/wire/schema.ts';

/** `full`: no field has its default. `bare`: null or empty or zero wherever allowed. `mixed`: anything. */
export type SampleStyle = 'full' | 'bare' | 'mixed';
export const sampleStyles: readonly SampleStyle[] = ['full', 'bare', 'mixed'];

/** Makes up messages that follow a description; the same seed makes the same ones. */
export class SampleMaker {
  readonly #version: number;
  readonly #style: SampleStyle;
  #state: number;

  constructor(version: number, style: SampleStyle, seed: number) {
    this.#version = version;
    this.#style = style;
    this.#state = seed;
  }

  /** What decoding must yield: fields that the version does not have are there with their default. */
  make(field: Field): unknown {
    if (isNullable(field, this.#version)) {
      if (this.#style === 'bare' || (this.#style === 'mixed' && this.#below(3) === 0)) return null;
    }
    return this.#value(field);
  }

  #value(field: Field): unknown {
    const isBare = this.#style === 'bare';
    switch (field.kind) {
      case 'boolean':
        return field.default === undefined ? !isBare : field.default === isBare;
      case 'int8':
        return this.#integer(field, -0x80, 0x7f);
      case 'int16':
        return this.#integer(field, -0x8000, 0x7fff);
      case 'uint16':
        return this.#integer(field, 0, 0xffff);
      case 'int32':
        return this.#integer(field, -0x80000000, 0x7fffffff);
      case 'uint32':
        return this.#integer(field, 0, 0xffffffff);
      case 'int64':
        return this.#integer(field, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      case 'float64':
        return isBare ? 0 : this.#below(1_000_000) / 64 - 1000;
      case 'uuid':
        return isBare ? zeroUuid : this.#uuid();
      case 'string':
        return isBare ? '' : this.#text();
      case 'bytes':
        return this.#bytes(isBare ? 0 : 1 + this.#below(20));
      case 'records':
        return this.#bytes(isBare ? 0 : 1 + this.#below(60));
      case 'array':
        return Array.from({ length: isBare ? 0 : 1 + this.#below(2) }, () =>
          this.make(present(field.element, 'an array has elements')),
        );
      default:
        return this.#struct(field);
    }
  }

  #struct(field: Field): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(present(field.fields, 'a struct has fields'))) {
      result[name] = isPresent(member, this.#version) ? this.make(member) : defaultOf(member);
    }
    return result;
  }

  #integer(field: Field, min: number, max: number): number {
    if (this.#style === 'bare') return Number(field.default ?? 0);
    const edges = [min, max, -1, 0, 1, 127, 128, 255, 256, 65_535, 2 ** 31, 2 ** 32, 2 ** 40 + 7];
    const edge = present(edges[this.#below(edges.length)], 'the index is inside');
    const value = this.#below(2) === 0 ? edge : this.#below(1000);
    const isAllowed =
      value >= min && value <= max && (this.#style !== 'full' || value !== field.default);
    return isAllowed && value !== 0 ? value : 77;
  }

  #uuid(): string {
    const hex = this.#bytes(16).toString('hex');
    return [0, 8, 12, 16, 20]
      .map((start, index, starts) => hex.slice(start, starts[index + 1]))
      .join('-');
  }

  #text(): string {
    // The long ones straddle the lengths at which coding changes; they are rare to keep the fixtures small.
    const long = ['naïve', 'a'.repeat(42), 'b'.repeat(43), '🐎'.repeat(22), 'c'.repeat(130)];
    const texts = this.#below(16) === 0 ? long : ['x', 'orders', '파발', ''];
    return present(texts[this.#below(texts.length)], 'the index is inside') + this.#below(100);
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#below(256)));
  }

  /** A uniform integer below the bound (mulberry32). */
  #below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }
}

export function defaultOf(field: Field): unknown {
  if (field.default !== undefined) return field.default;
  switch (field.kind) {
    case 'boolean':
      return false;
    case 'string':
      return '';
    case 'uuid':
      return zeroUuid;
    case 'bytes':
    case 'records':
      return Buffer.alloc(0);
    case 'array':
      return [];
    case 'struct':
      return Object.fromEntries(
        Object.entries(present(field.fields, 'a struct has fields')).map(([name, member]) => [
          name,
          defaultOf(member),
        ]),
      );
    default:
      return 0;
  }
}
