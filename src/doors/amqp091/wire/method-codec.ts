import { isUtf8 } from 'node:buffer';
import { ProtocolError } from '../../../base/index.ts';
import { ByteWriter } from '../../../bytes/index.ts';
import { frameEnd, frameHeadBytes, frameType } from './constants.ts';
import {
  type FieldTable,
  readLongNumber,
  readTable,
  writeShortText,
  writeTable,
} from './field-table.ts';
import {
  type FieldKind,
  type MethodArguments,
  type MethodName,
  methodNames,
  methods,
} from './methods.ts';

/** The bytes of a method's arguments are not those that its description asks for: too few, or too many. */
export class ArgumentsMismatch extends ProtocolError {}

/** A short string that is not UTF-8: RabbitMQ answers it with FRAME_ERROR, and not with SYNTAX_ERROR. */
export class MalformedText extends ProtocolError {}

/**
 * Reads the arguments of a method from `bytes[start, end)`, which begins behind class and method id. Throws a
 * ProtocolError when they do not fill it exactly.
 */
export function decodeArguments<Name extends MethodName>(
  name: Name,
  bytes: Buffer,
  start: number,
  end: number,
): MethodArguments<Name> {
  const reader = new ArgumentReader(bytes, start, end);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reader was generated from the same description
  const result = readers[name](reader) as MethodArguments<Name>;
  reader.finish();
  return result;
}

/** Appends a whole frame with a method. Short strings are cut at 255 bytes. */
export function writeMethod<Name extends MethodName>(
  writer: ByteWriter,
  channel: number,
  name: Name,
  values: MethodArguments<Name>,
): void {
  const frameAt = writer.position;
  writer.ensure(frameHeadBytes + 4);
  writer.uint8(frameType.method);
  writer.uint16(channel);
  writer.uint32(0);
  writer.uint16(methods[name].classId);
  writer.uint16(methods[name].methodId);
  writers[name](writer, values, primitives);
  writer.patchInt32(frameAt + 3, writer.position - frameAt - frameHeadBytes);
  writer.uint8(frameEnd);
}

/** A frame with a method, in memory of its own. */
export function encodeMethod<Name extends MethodName>(
  channel: number,
  name: Name,
  values: MethodArguments<Name>,
): Buffer {
  const writer = new ByteWriter(128);
  writeMethod(writer, channel, name, values);
  return writer.take();
}

/** Reads values one after the other; what does not fit throws a ProtocolError. */
class ArgumentReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  octet(): number {
    return this.#bytes[this.#take(1)]!;
  }

  short(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  long(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  longlong(): number {
    const at = this.#take(8);
    return readLongNumber(this.#bytes, at);
  }

  shortstr(): string {
    const length = this.octet();
    const at = this.#take(length);
    return readShortText(this.#bytes, at, length);
  }

  longstr(): Uint8Array {
    const length = this.long();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  table(): FieldTable {
    const length = this.long();
    const at = this.#take(length);
    return readTable(this.#bytes, at, at + length);
  }

  finish(): void {
    if (this.#at !== this.#end) {
      throw new ArgumentsMismatch(`${this.#end - this.#at} bytes follow the arguments`);
    }
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw new ArgumentsMismatch('the arguments end too early');
    this.#at = at + length;
    return at;
  }
}

/** Throws MalformedText for what is not UTF-8. */
export function readShortText(bytes: Buffer, at: number, length: number): string {
  const end = at + length;
  let index = at;
  while (index < end && bytes[index]! < 0x80) index += 1;
  if (index === end) return bytes.toString('latin1', at, end);
  if (!isUtf8(bytes.subarray(at, end))) throw new MalformedText('Malformed UTF-8 in shortstr');
  return bytes.toString('utf8', at, end);
}

const primitives = {
  shortstr: writeShortText,
  table: writeTable,
  longstr(writer: ByteWriter, value: Uint8Array): void {
    writer.uint32(value.length);
    writer.bytes(value);
  },
};

type Reader = (reader: ArgumentReader) => unknown;
type Writer = (writer: ByteWriter, values: unknown, parts: typeof primitives) => void;

const integerWriters: { readonly [kind in FieldKind]?: (name: string) => string } = {
  octet: (name) => `w.uint8(v.${name});`,
  short: (name) => `w.uint16(v.${name});`,
  long: (name) => `w.uint32(v.${name});`,
  longlong: (name) => `w.safeInt64(v.${name});`,
};

const readers = compileAll(readerSource, 'r') as Record<MethodName, Reader>;
const writers = compileAll(writerSource, 'w, v, x') as Record<MethodName, Writer>;

function compileAll(
  source: (fields: Array<[string, FieldKind]>) => string,
  parameters: string,
): Record<string, unknown> {
  const compiled: Record<string, unknown> = {};
  for (const name of methodNames) {
    const fields: Record<string, FieldKind> = methods[name].fields;
    const body = `'use strict'; ${source(Object.entries(fields))}`;
    // oxlint-disable-next-line typescript/no-implied-eval -- the source is made of our own descriptions only
    compiled[name] = new Function(...parameters.split(', '), body);
  }
  return compiled;
}

/** `const a = r.short(); const bits1 = r.octet(); return { a: a, b: (bits1 & 1) !== 0, ... };` */
function readerSource(fields: Array<[string, FieldKind]>): string {
  const lines: string[] = [];
  const members: string[] = [];
  let bits = 0;
  for (const [index, [name, kind]] of fields.entries()) {
    if (kind !== 'bit') {
      bits = 0;
      lines.push(`const v${index} = r.${kind}();`);
      members.push(`${name}: v${index}`);
      continue;
    }
    if (bits === 0) lines.push(`const b${index} = r.octet();`);
    members.push(`${name}: (b${index - bits} & ${1 << bits}) !== 0`);
    bits += 1;
  }
  return `${lines.join(' ')} return { ${members.join(', ')} };`;
}

/** `w.uint16(v.a); w.uint8((v.b ? 1 : 0) | (v.c ? 2 : 0)); x.shortstr(w, v.d);` */
function writerSource(fields: Array<[string, FieldKind]>): string {
  const lines: string[] = [];
  let bits: string[] = [];
  const flush = (): void => {
    if (bits.length > 0) lines.push(`w.uint8(${bits.join(' | ')});`);
    bits = [];
  };
  for (const [name, kind] of fields) {
    if (kind === 'bit') {
      bits.push(`(v.${name} ? ${1 << bits.length} : 0)`);
      continue;
    }
    flush();
    lines.push(integerWriters[kind]?.(name) ?? `x.${kind}(w, v.${name});`);
  }
  flush();
  return lines.join(' ');
}
