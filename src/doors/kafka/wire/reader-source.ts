import { defaultSource, elementOf, fieldsOf, fixedBytes } from './default-source.ts';
import { type Field, isNullable, isPresent, type Struct } from './schema.ts';

/**
 * Generates the body of a function that reads one version of a message from the ByteReader `r`: straight-line code
 * over the reader's buffer, one bounds check for each run of fields of fixed size, one loop for each array.
 * Its variables: `b` the buffer, `e` its end, `p` the position, `n` the elements so far, `l`, `m`, `t` for lengths.
 */
export function readerSource(message: Struct, version: number, isFlexible: boolean): string {
  return new ReaderSource(version, isFlexible).message(message);
}

class ReaderSource {
  readonly #version: number;
  readonly #isFlexible: boolean;
  readonly #lines: string[] = [];
  #names = 0;

  constructor(version: number, isFlexible: boolean) {
    this.#version = version;
    this.#isFlexible = isFlexible;
  }

  message(message: Struct): string {
    this.#line('const b = r.buffer, e = r.limit; let p = r.position, n = 0, l = 0, m = 0, t = 0;');
    const result = this.#struct(message);
    this.#line('r.position = p;', `return ${result};`);
    return this.#lines.join('\n');
  }

  /** Emits the reading of all fields and returns the source of the object that holds them. */
  #struct(struct: Field): string {
    const values: [string, string][] = [];
    const tagged: [string, Field][] = [];
    let run: [string, Field][] = [];
    for (const [name, field] of Object.entries(fieldsOf(struct))) {
      if (!isPresent(field, this.#version)) {
        values.push([name, defaultSource(field)]);
        continue;
      }
      const value = this.#name();
      values.push([name, value]);
      if (field.tag !== undefined) {
        this.#line(`let ${value} = ${defaultSource(field)};`);
        tagged.push([value, field]);
      } else if (fixedBytes(field) !== undefined) {
        run.push([value, field]);
      } else {
        this.#run(run);
        run = [];
        this.#line(`let ${value};`);
        this.#value(field, name, value);
      }
    }
    this.#run(run);
    if (this.#isFlexible) this.#tags(tagged);
    return `{ ${values.map(([name, value]) => `${name}: ${value}`).join(', ')} }`;
  }

  /** Emits the reading of consecutive fields of fixed size. */
  #run(run: readonly [string, Field][]): void {
    let at = 0;
    const lines: string[] = [];
    for (const [value, field] of run) {
      lines.push(`const ${value} = ${fixedSource(field, at)};`);
      at += fixedBytes(field) ?? 0;
    }
    if (at > 0) this.#line(`if (e - p < ${at}) overrun();`, ...lines, `p += ${at};`);
  }

  /** Emits the reading of any value into the variable `value`. */
  #value(field: Field, name: string, value: string): void {
    const bytes = fixedBytes(field);
    if (bytes !== undefined) {
      this.#line(`if (e - p < ${bytes}) overrun();`);
      this.#line(`${value} = ${fixedSource(field, 0)};`, `p += ${bytes};`);
    } else if (field.kind === 'struct') {
      this.#nested(field, name, value);
    } else {
      this.#length(field.kind === 'string' ? 2 : 4);
      this.#line('if (l < 0) {', 'if (l !== -1) wrongLength(l);', this.#null(field, name, value));
      this.#line('} else {');
      if (field.kind === 'array') {
        this.#array(field, name, value);
      } else {
        // Compact lengths have room for more than other versions can write, and Kafka takes.
        const isText = field.kind === 'string';
        this.#line(`if (l > e - p${isText ? ' || l > textBytesMax' : ''}) wrongLength(l);`);
        const source = field.kind === 'string' ? 'text(b, p, p + l)' : 'b.subarray(p, p + l)';
        this.#line(`${value} = ${source};`, 'p += l;');
      }
      this.#line('}');
    }
  }

  #nested(field: Field, name: string, value: string): void {
    // A struct that may be null begins with a byte that tells (KIP-893).
    const canBeNull = isNullable(field, this.#version);
    if (canBeNull) {
      this.#line('if (p >= e) overrun();', 't = b[p++];');
      this.#line(`if (t > 127) ${this.#null(field, name, value)} else {`);
    } else {
      this.#line('{');
    }
    const result = this.#struct(field);
    this.#line(`${value} = ${result};`, '}');
  }

  #array(field: Field, name: string, value: string): void {
    const element = elementOf(field);
    const count = this.#name();
    const index = this.#name();
    const item = this.#name();
    this.#line(`const ${count} = l;`);
    // The count is believed only as far as the bytes that are left can hold it.
    this.#line(
      `if (${count} > (e - p) / ${this.#bytesMin(element)}) wrongLength(${count});`,
      `if ((n += ${count}) > elementsMax) tooMany();`,
      `${value} = new Array(${count});`,
      `for (let ${index} = 0; ${index} < ${count}; ${index}++) {`,
    );
    if (element.kind === 'struct') {
      const result = this.#struct(element);
      this.#line(`${value}[${index}] = ${result};`);
    } else {
      this.#line(`let ${item};`);
      this.#value(element, name, item);
      this.#line(`${value}[${index}] = ${item};`);
    }
    this.#line('}');
  }

  #null(field: Field, name: string, value: string): string {
    return isNullable(field, this.#version) ? `${value} = null;` : `wrongNull('${name}');`;
  }

  /** Emits the reading of a length, or -1 for null, into `l`. */
  #length(bytes: 2 | 4): void {
    if (this.#isFlexible) {
      this.#varint('l');
      this.#line('l -= 1;');
    } else {
      const source = bytes === 2 ? int16Source(0) : int32Source(0);
      this.#line(`if (e - p < ${bytes}) overrun();`, `l = ${source};`, `p += ${bytes};`);
    }
  }

  #varint(into: string): void {
    this.#line(`if (p >= e) overrun();`, `${into} = b[p++];`);
    this.#line(`if (${into} > 127) {`, `${into} &= 127;`);
    // The factor of the fifth and last byte is 2^28.
    this.#line('for (m = 128; ; m *= 128) {');
    this.#line('if (m > 268435456) wrongVarint();', 'if (p >= e) overrun();', 't = b[p++];');
    this.#line(`${into} += (t & 127) * m;`, 'if (t < 128) break;', '}', '}');
  }

  #tags(tagged: readonly [string, Field][]): void {
    const count = this.#name();
    this.#line(`let ${count};`);
    this.#varint(count);
    this.#line(`for (; ${count} > 0; ${count}--) {`);
    const tag = this.#name();
    const end = this.#name();
    this.#line(`let ${tag};`);
    this.#varint(tag);
    this.#varint('l');
    this.#line('if (l > e - p) wrongLength(l);', `const ${end} = p + l;`, `switch (${tag}) {`);
    for (const [value, field] of tagged) {
      this.#line(`case ${field.tag}: {`);
      this.#value(field, `tag ${field.tag}`, value);
      this.#line(`if (p !== ${end}) wrongTag(${tag});`, 'break;', '}');
    }
    // What a newer peer has added is skipped (KIP-482).
    this.#line(`default: p = ${end};`, '}', '}');
  }

  /** The fewest bytes that a value takes. */
  #bytesMin(field: Field): number {
    const fixed = fixedBytes(field);
    if (fixed !== undefined) return fixed;
    if (field.kind !== 'struct') return this.#isFlexible ? 1 : field.kind === 'string' ? 2 : 4;
    if (isNullable(field, this.#version)) return 1;
    let bytes = this.#isFlexible ? 1 : 0;
    for (const member of Object.values(fieldsOf(field))) {
      const isRead = isPresent(member, this.#version) && member.tag === undefined;
      if (isRead) bytes += this.#bytesMin(member);
    }
    return Math.max(bytes, 1);
  }

  #line(...lines: string[]): void {
    this.#lines.push(...lines);
  }

  #name(): string {
    return `v${this.#names++}`;
  }
}

/** Source of the value `at` bytes behind the position. */
function fixedSource(field: Field, at: number): string {
  switch (field.kind) {
    case 'boolean':
      return `b[p + ${at}] !== 0`;
    case 'int8':
      return `(b[p + ${at}] << 24) >> 24`;
    case 'int16':
      return int16Source(at);
    case 'uint16':
      return `(b[p + ${at}] << 8) | b[p + ${at + 1}]`;
    case 'int32':
      return int32Source(at);
    case 'uint32':
      return `(${int32Source(at)}) >>> 0`;
    case 'float64':
      return `b.readDoubleBE(p + ${at})`;
    case 'uuid':
      return `uuidText(b, p + ${at})`;
    default: {
      const value = `(${int32Source(at)}) * 4294967296 + ((${int32Source(at + 4)}) >>> 0)`;
      return `${field.saturates ? 'saturated' : 'safe'}(${value})`;
    }
  }
}

function int16Source(at: number): string {
  return `((b[p + ${at}] << 24) >> 16) | b[p + ${at + 1}]`;
}

function int32Source(at: number): string {
  const unit = (index: number): string => `b[p + ${at + index}]`;
  return `(${unit(0)} << 24) | (${unit(1)} << 16) | (${unit(2)} << 8) | ${unit(3)}`;
}
