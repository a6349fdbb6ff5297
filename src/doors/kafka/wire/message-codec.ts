import { AssertionError, ProtocolError } from '../../../base/index.ts';
import type { ByteReader } from '../../../bytes/index.ts';
import type { FrameWriter } from './frame-writer.ts';
import { primitives } from './primitives.ts';
import { readerSource } from './reader-source.ts';
import type { InOf, OutOf, Struct } from './schema.ts';
import { writerSource } from './writer-source.ts';

type Read = (reader: ByteReader) => unknown;
type Write = (message: unknown, writer: FrameWriter) => void;

export interface CodecOptions {
  /** Names the generated functions, as profiles and stack traces show them. */
  readonly name: string;
  readonly versions: readonly [number, number];
  readonly flexibleSince?: number | undefined;
}

/** Reads and writes all versions of one message with functions that are generated when a version is first met. */
export class MessageCodec<S extends Struct> {
  readonly #message: S;
  readonly #options: CodecOptions;
  readonly #readers: (Read | undefined)[] = [];
  readonly #writers: (Write | undefined)[] = [];

  constructor(message: S, options: CodecOptions) {
    this.#message = message;
    this.#options = options;
  }

  /** Reads from the reader's position and leaves it behind the message; byte fields are borrowed from its buffer. */
  read(version: number, reader: ByteReader): OutOf<S> {
    const read = this.#readers[version] ?? this.#compileReader(version);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the type is inferred from what the code is generated from
    return read(reader) as OutOf<S>;
  }

  write(version: number, message: InOf<S>, writer: FrameWriter): void {
    const write = this.#writers[version] ?? this.#compileWriter(version);
    write(message, writer);
  }

  #compileReader(version: number): Read {
    if (!this.#covers(version)) {
      throw new ProtocolError(`${this.#options.name} has no version ${version}`);
    }
    const source = readerSource(this.#message, version, this.#isFlexible(version));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the source is a function of this type
    const read = compile(`read${this.#options.name}V${version}`, 'r', source) as Read;
    this.#readers[version] = read;
    return read;
  }

  #compileWriter(version: number): Write {
    if (!this.#covers(version)) {
      throw new AssertionError(`${this.#options.name} has no version ${version}`);
    }
    const source = writerSource(this.#message, version, this.#isFlexible(version));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the source is a function of this type
    const write = compile(`write${this.#options.name}V${version}`, 's, w', source) as Write;
    this.#writers[version] = write;
    return write;
  }

  #covers(version: number): boolean {
    const [first, last] = this.#options.versions;
    return version >= first && version <= last;
  }

  #isFlexible(version: number): boolean {
    return version >= (this.#options.flexibleSince ?? Number.MAX_SAFE_INTEGER);
  }
}

/** Nothing of a peer's enters the source: it consists of our descriptions only. */
function compile(name: string, parameters: string, body: string): unknown {
  // oxlint-disable-next-line typescript/no-implied-eval -- see above
  const make = new Function(
    'primitives',
    `'use strict';
    const { ${Object.keys(primitives).join(', ')} } = primitives;
    return function ${name}(${parameters}) {
    ${body}
    };
    //# sourceURL=pabal/kafka/${name}.js`,
  );
  return make(primitives);
}
