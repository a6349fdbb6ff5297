import type { FieldValue, Fields } from '../../../broker/index.ts';

/*
 * Erlang's `phash2`, portable by its documentation, over the terms that a binding's arguments are to RabbitMQ: a list of
 * {Name, Type, Value}. Tools keep the `properties_key` of a binding, which has this hash in it, so that the same binding has
 * to have the same key here. Mixing: Bob Jenkins, "Hash functions", 1997.
 */

type Term =
  | { readonly kind: 'atom'; readonly name: string }
  | { readonly kind: 'binary'; readonly bytes: Uint8Array }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'tuple'; readonly items: readonly Term[] }
  | { readonly kind: 'list'; readonly items: readonly Term[] };

/** URL-safe base64 of the hash of a binding's arguments, in order of name. */
export function hashArguments(fields: Fields): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(portableHash(listOf(fields)));
  return bytes.toString('base64url');
}

function listOf(fields: Fields): Term {
  const names = Object.keys(fields).toSorted((a, b) => Buffer.compare(utf8(a), utf8(b)));
  return {
    kind: 'list',
    items: names.map((name) => {
      const [type, value] = typed(fields[name]!);
      return { kind: 'tuple', items: [{ kind: 'binary', bytes: utf8(name) }, atom(type), value] };
    }),
  };
}

/** As JSON is taken: integers are `long`, whatever type they had on the wire. */
function typed(value: FieldValue): [type: string, value: Term] {
  if (typeof value === 'string') return ['longstr', { kind: 'binary', bytes: utf8(value) }];
  if (typeof value === 'boolean') return ['bool', atom(String(value))];
  if (typeof value === 'bigint') return ['long', { kind: 'integer', value: Number(value) }];
  if (typeof value === 'number') {
    return Number.isInteger(value)
      ? ['long', { kind: 'integer', value }]
      : ['double', { kind: 'double', value }];
  }
  if (value instanceof Uint8Array) return ['binary', { kind: 'binary', bytes: value }];
  if (value instanceof Date) {
    return ['timestamp', { kind: 'integer', value: Math.floor(value.getTime() / 1000) }];
  }
  if (Array.isArray(value)) {
    const items = value.map(
      (item: FieldValue): Term => ({
        kind: 'tuple',
        items: typedTuple(item),
      }),
    );
    return ['array', { kind: 'list', items }];
  }
  if (value === null || value === undefined) return ['void', atom('undefined')];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is left of the values is a table
  return ['table', listOf(value as Fields)];
}

function typedTuple(value: FieldValue): Term[] {
  const [type, term] = typed(value);
  return [atom(type), term];
}

function atom(name: string): Term {
  return { kind: 'atom', name };
}

function utf8(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

const golden = 0x9e3779b9;
/** The constants that keep kinds of terms apart are multiples of the golden ratio's. */
const constant = (multiple: number): number => Math.imul(golden, multiple) >>> 0;

/** The state of the three numbers that are mixed. */
class Mixer {
  a = 0;
  b = 0;
  c = 0;

  mix(): void {
    let { a, b, c } = this;
    a = (a - b - c) ^ (c >>> 13);
    b = (b - c - a) ^ (a << 8);
    c = (c - a - b) ^ (b >>> 13);
    a = (a - b - c) ^ (c >>> 12);
    b = (b - c - a) ^ (a << 16);
    c = (c - a - b) ^ (b >>> 5);
    a = (a - b - c) ^ (c >>> 3);
    b = (b - c - a) ^ (a << 10);
    c = (c - a - b) ^ (b >>> 15);
    this.a = a >>> 0;
    this.b = b >>> 0;
    this.c = c >>> 0;
  }

  pair(first: number, second: number, kind: number): void {
    this.a = (kind + first) >>> 0;
    this.b = (kind + second) >>> 0;
    this.mix();
  }

  /** The hash goes through `c`. */
  block(bytes: Uint8Array, initial: number): void {
    this.a = golden;
    this.b = golden;
    this.c = initial;
    const wholeEnd = bytes.length - (bytes.length % 12);
    for (let at = 0; at < wholeEnd; at += 12) {
      this.a = (this.a + word(bytes, at, 4)) >>> 0;
      this.b = (this.b + word(bytes, at + 4, 4)) >>> 0;
      this.c = (this.c + word(bytes, at + 8, 4)) >>> 0;
      this.mix();
    }
    const rest = bytes.length - wholeEnd;
    this.a = (this.a + word(bytes, wholeEnd, Math.min(rest, 4))) >>> 0;
    this.b = (this.b + word(bytes, wholeEnd + 4, Math.min(rest - 4, 4))) >>> 0;
    // The lowest byte of the last number is the length's.
    this.c = (this.c + bytes.length + word(bytes, wholeEnd + 8, Math.min(rest - 8, 3)) * 256) >>> 0;
    this.mix();
  }
}

/** Little endian, of `count` bytes at most. */
function word(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index -= 1) value = value * 256 + bytes[at + index]!;
  return value;
}

function portableHash(term: Term): number {
  const mixer = new Mixer();
  const waiting: Term[] = [term];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    hashOne(mixer, next, waiting);
  }
  return mixer.c;
}

function hashOne(mixer: Mixer, term: Term, waiting: Term[]): void {
  switch (term.kind) {
    case 'atom': {
      const value = atomHash(term.name);
      if (mixer.c === 0) mixer.c = value;
      else mixer.pair(value, 0, constant(3));
      break;
    }
    case 'binary': {
      const initial = (constant(13) + mixer.c) >>> 0;
      if (term.bytes.length === 0) mixer.c = initial;
      else mixer.block(term.bytes, initial);
      break;
    }
    case 'integer':
      hashInteger(mixer, term.value);
      break;
    case 'double': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(term.value === 0 ? 0 : term.value);
      mixer.pair(bytes.readUInt32LE(4), bytes.readUInt32LE(0), constant(12));
      break;
    }
    case 'tuple':
      mixer.pair(term.items.length, 0, constant(9));
      waiting.push(...term.items.toReversed());
      break;
    default: {
      // Lists are pairs: the first item, then the rest, which is hashed as a list of its own.
      const [first, ...rest] = term.items;
      if (first === undefined) {
        mixer.pair(nilWord, 0, constant(2));
      } else waiting.push({ kind: 'list', items: rest }, first);
    }
  }
}

/** What stands for the empty list. */
const nilWord = 2;

function hashInteger(mixer: Mixer, value: number): void {
  if (value >= -0x800_0000 && value < 0x800_0000) {
    // Negative ones are mixed twice.
    if (value < 0) mixer.pair(-value, 0, golden);
    mixer.pair(value >>> 0, 0, golden);
    return;
  }
  const size = BigInt(Math.abs(value));
  const low = Number(size & 0xffff_ffffn);
  mixer.pair(low, Number(size >> 32n), constant(value < 0 ? 10 : 11));
}

/** P. J. Weinberger's hash of the name. */
function atomHash(name: string): number {
  let hash = 0;
  for (const byte of Buffer.from(name, 'latin1')) {
    hash = ((hash << 4) + byte) >>> 0;
    const high = hash & 0xf000_0000;
    if (high !== 0) hash = (hash ^ (high >>> 24) ^ high) >>> 0;
  }
  return hash;
}
