import { assert } from '../../../base/index.ts';
import {
  defaultSource,
  elementOf,
  fieldsOf,
  fixedBytes,
  isDefaultSource,
} from './default-source.ts';
import { type Field, isNullable, isPresent, type Struct } from './schema.ts';

/**
 * Generates the body of a function that writes one version of the message `s` with the FrameWriter `w`.
 * Its variables: `b` the buffer, `p` the position, `c` the tagged fields to write, `l` a length.
 */
export function writerSource(message: Struct, version: number, isFlexible: boolean): string {
  return new WriterSource(version, isFlexible).message(message);
}

class WriterSource {
  readonly #version: number;
  readonly #isFlexible: boolean;
  readonly #lines: string[] = [];
  #names = 0;

  constructor(version: number, isFlexible: boolean) {
    this.#version = version;
    this.#isFlexible = isFlexible;
  }

  message(message: Struct): string {
    this.#line('let b = w.buffer, p = w.position, c = 0, l = 0;');
    this.#struct(message, 's');
    this.#line('w.position = p;');
    return this.#lines.join('\n');
  }

  #struct(struct: Field, source: string): void {
    const tagged: [string, Field][] = [];
    let run: [string, Field][] = [];
    for (const [name, field] of Object.entries(fieldsOf(struct))) {
      const path = `${source}.${name}`;
      if (!isPresent(field, this.#version)) {
        this.#absent(field, name, path);
      } else if (field.tag !== undefined) {
        tagged.push([path, field]);
      } else if (fixedBytes(field) !== undefined) {
        run.push([this.#resolved(field, path), field]);
      } else {
        this.#run(run);
        run = [];
        this.#value(field, name, this.#resolved(field, path));
      }
    }
    this.#run(run);
    if (this.#isFlexible) this.#tags(tagged);
  }

  /** A value that this version cannot carry may be dropped only if the field says so. */
  #absent(field: Field, name: string, path: string): void {
    if (field.ignorable) return;
    const isDefault = isDefaultSource(field, path);
    this.#line(`if (${path} !== undefined && !(${isDefault})) {`);
    this.#line(`unsupported('${name}', ${this.#version});`, '}');
  }

  /** Emits a variable that holds the value, or the default where the caller has left it out. */
  #resolved(field: Field, path: string): string {
    const value = this.#name();
    this.#line(`let ${value} = ${path};`);
    this.#line(`if (${value} === undefined) ${value} = ${defaultSource(field)};`);
    return value;
  }

  #run(run: readonly [string, Field][]): void {
    let at = 0;
    const lines: string[] = [];
    for (const [value, field] of run) {
      lines.push(...fixedSource(field, value, at));
      at += fixedBytes(field) ?? 0;
    }
    if (at === 0) return;
    this.#room(`${at}`);
    this.#line(...lines, `p += ${at};`);
  }

  #value(field: Field, name: string, value: string): void {
    if (fixedBytes(field) !== undefined) {
      this.#run([[value, field]]);
      return;
    }
    const canBeNull = isNullable(field, this.#version);
    if (canBeNull) {
      this.#line(`if (${value} === null) {`);
      this.#null(field);
      this.#line('} else {');
    } else if (field.nullable !== undefined) {
      this.#line(`if (${value} === null) unsupported('${name}', ${this.#version});`);
    }
    switch (field.kind) {
      case 'struct':
        if (canBeNull) {
          this.#room('1');
          this.#line('b[p++] = 1;');
        }
        this.#struct(field, value);
        break;
      case 'array':
        this.#array(field, name, value);
        break;
      case 'string':
        this.#room(`${value}.length * 3 + 5`);
        this.#line(`p = ${this.#isFlexible ? 'putCompactString' : 'putString'}(b, p, ${value});`);
        break;
      case 'bytes':
        this.#line(`l = ${value}.length;`);
        this.#length();
        this.#room('l');
        this.#line(`b.set(${value}, p);`, 'p += l;');
        break;
      default:
        this.#line(`l = slicesBytes(${value});`);
        this.#length();
        this.#line(`p = w.put(p, ${value});`, 'b = w.buffer;');
    }
    if (canBeNull) this.#line('}');
  }

  #null(field: Field): void {
    if (field.kind === 'struct') {
      this.#room('1');
      this.#line('b[p++] = 255;');
    } else if (this.#isFlexible) {
      this.#room('1');
      this.#line('b[p++] = 0;');
    } else {
      const bytes = field.kind === 'string' ? 2 : 4;
      this.#room(`${bytes}`);
      for (let index = 0; index < bytes; index++) this.#line('b[p++] = 255;');
    }
  }

  #array(field: Field, name: string, value: string): void {
    const element = elementOf(field);
    const index = this.#name();
    const item = this.#name();
    this.#line(`l = ${value}.length;`);
    this.#length();
    this.#line(`for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {`);
    this.#line(`const ${item} = ${value}[${index}];`);
    this.#value(element, name, item);
    this.#line('}');
  }

  /** Emits the writing of `l` as a length of 32 bits or a compact one. */
  #length(): void {
    this.#room('5');
    if (this.#isFlexible) {
      this.#line('p = putVarint(b, p, l + 1);');
    } else {
      this.#line(...int32Source('l', 0), 'p += 4;');
    }
  }

  #tags(tagged: readonly [string, Field][]): void {
    const ordered = tagged.toSorted(([, one], [, other]) => (one.tag ?? 0) - (other.tag ?? 0));
    const values = ordered.map(([path, field]) => {
      assert(field.kind !== 'records', 'A tagged field cannot hold records');
      const value = this.#name();
      const isWritten = this.#name();
      const isDefault = isDefaultSource(field, value);
      this.#line(`const ${value} = ${path};`);
      this.#line(`const ${isWritten} = ${value} !== undefined && !(${isDefault});`);
      return { field, value, isWritten };
    });
    this.#room('5');
    this.#line('c = 0;', ...values.map(({ isWritten }) => `if (${isWritten}) c++;`));
    this.#line('p = putVarint(b, p, c);');
    for (const { field, value, isWritten } of values) {
      const start = this.#name();
      this.#line(`if (${isWritten}) {`);
      this.#room('6');
      this.#line(`p = putVarint(b, p, ${field.tag});`, `const ${start} = p++;`);
      this.#value(field, `tag ${field.tag}`, value);
      this.#room('4');
      this.#line(`p = closeTag(b, ${start}, p);`, '}');
    }
  }

  #room(bytes: string): void {
    this.#line(`if (p + ${bytes} > b.length) b = w.grow(p, ${bytes});`);
  }

  #line(...lines: string[]): void {
    this.#lines.push(...lines);
  }

  #name(): string {
    return `v${this.#names++}`;
  }
}

/** Source that writes `value` `at` bytes behind the position. */
function fixedSource(field: Field, value: string, at: number): string[] {
  switch (field.kind) {
    case 'boolean':
      return [`b[p + ${at}] = ${value} ? 1 : 0;`];
    case 'int8':
      return [`b[p + ${at}] = ${value};`];
    case 'int16':
    case 'uint16':
      return [`b[p + ${at}] = ${value} >>> 8;`, `b[p + ${at + 1}] = ${value};`];
    case 'int32':
    case 'uint32':
      return int32Source(value, at);
    case 'float64':
      return [`b.writeDoubleBE(${value}, p + ${at});`];
    case 'uuid':
      return [`putUuid(b, p + ${at}, ${value});`];
    default:
      return [`${field.saturates ? 'putSaturated' : 'putInt64'}(b, p + ${at}, ${value});`];
  }
}

function int32Source(value: string, at: number): string[] {
  return [24, 16, 8, 0].map((shift, index) => `b[p + ${at + index}] = ${value} >>> ${shift};`);
}
