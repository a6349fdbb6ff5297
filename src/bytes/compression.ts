import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import type * as Lz4 from 'lz4-napi';
import type * as Snappy from 'snappy';
import { AssertionError, assert, ProtocolError } from '../base/index.ts';
import { measureLz4Frame } from './lz4-frame.ts';
import { asBuffer } from './reader.ts';
import { forEachSnappyChunk, wrapSnappyChunks } from './snappy-chunks.ts';
import { measureZstdFrame } from './zstd-frame.ts';

/**
 * Loads a package when it is first needed, and finds it again after that: each costs a starting broker some 15 ms and
 * 6 MB or more, and most brokers never meet all codecs.
 */
const load = createRequire(import.meta.url);

function loadSnappy(): typeof Snappy {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `require` does not know what it loads
  return loadPackage('snappy') as typeof Snappy;
}

function loadLz4(): typeof Lz4 {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `require` does not know what it loads
  return loadPackage('lz4-napi') as typeof Lz4;
}

function loadPackage(name: string): unknown {
  try {
    return load(name);
  } catch (error) {
    // Not the fault of the data: it is not installed, or has no binary for this platform.
    throw new AssertionError(`The package ${name} does not load`, { cause: error });
  }
}

/** The codecs of record batches; the index of each is its number in the batch's attributes. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

export type Codec = (typeof codecs)[number];

/** The number of `codec` in a batch's attributes. */
export function codecId(codec: Codec): number {
  return codecs.indexOf(codec);
}

export function findCodec(id: number): Codec | undefined {
  return codecs[id];
}

/** `bytes` compressed; with 'none' it is `bytes` itself. */
export function compress(codec: Codec, bytes: Uint8Array): Buffer {
  return compressors[codec](bytes);
}

/**
 * `bytes` decompressed; with 'none' it is `bytes` itself. Throws a ProtocolError for damaged input and for more than
 * `bytesMax` bytes of output, before that much memory is taken: a few bytes may announce gigabytes.
 */
export function decompress(codec: Codec, bytes: Uint8Array, bytesMax: number): Buffer {
  let result: Buffer;
  try {
    result = decompressors[codec](bytes, bytesMax);
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof AssertionError) throw error;
    // The native parts have no error types of their own: whatever they throw, the input did not please them.
    throw new ProtocolError(`The ${codec} data are damaged or too large`, { cause: error });
  }
  checkBytes(result.length, bytesMax);
  return result;
}

const compressors: Record<Codec, (bytes: Uint8Array) => Buffer> = {
  none: asBuffer,
  gzip: (bytes) => zlib.gzipSync(bytes),
  snappy(bytes) {
    const { compressSync } = loadSnappy();
    return wrapSnappyChunks(bytes, (chunk) => compressSync(chunk, { copyOutputData: true }));
  },
  lz4: (bytes) => loadLz4().compressFrameSync(asBuffer(bytes)),
  zstd: (bytes) => zstd.compress(bytes),
};

const decompressors: Record<Codec, (bytes: Uint8Array, bytesMax: number) => Buffer> = {
  none: (bytes) => asBuffer(bytes),

  gzip: (bytes, bytesMax) => zlib.gunzipSync(bytes, { maxOutputLength: Math.max(bytesMax, 1) }),

  snappy(bytes, bytesMax) {
    let total = 0;
    forEachSnappyChunk(bytes, (_, chunkBytes) => {
      total += chunkBytes;
    });
    checkBytes(total, bytesMax);
    const { uncompressSync } = loadSnappy();
    const result = Buffer.allocUnsafeSlow(total);
    let position = 0;
    forEachSnappyChunk(bytes, (chunk, chunkBytes) => {
      const part = uncompressSync(chunk, { asBuffer: true, copyOutputData: true });
      assert(typeof part !== 'string', 'snappy was asked for a buffer');
      if (part.length !== chunkBytes) throw new ProtocolError('A snappy block is not of its size');
      result.set(part, position);
      position += chunkBytes;
    });
    return result;
  },

  lz4(bytes, bytesMax) {
    checkBytes(measureLz4Frame(bytes, bytesMax), bytesMax);
    return loadLz4().decompressFrameSync(asBuffer(bytes));
  },

  zstd(bytes, bytesMax) {
    // Frame by frame: Node's own zstd stops behind the first.
    const parts: Buffer[] = [];
    let total = 0;
    let at = 0;
    do {
      const frame = measureZstdFrame(bytes, at);
      if (!frame.isSkippable) {
        checkBytes(total + frame.bytesMin, bytesMax);
        const part = zstd.decompress(
          bytes.subarray(at, frame.end),
          frame.bytesMax,
          bytesMax - total,
        );
        total += part.length;
        if (part.length > 0) parts.push(part);
      }
      at = frame.end;
    } while (at < bytes.length);
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  },
};

interface Zstd {
  compress(bytes: Uint8Array): Buffer;
  /** Of one frame; `outputBytesMax` is a bound of the output's size that was found in it. */
  decompress(bytes: Uint8Array, outputBytesMax: number, bytesMax: number): Buffer;
}

/** What node:zlib has from Node 22.15 and 23.8 on; the types in use are those of Node 20. */
interface NodeZstd {
  zstdCompressSync(this: void, bytes: Uint8Array): Buffer;
  zstdDecompressSync(this: void, bytes: Uint8Array, options: { maxOutputLength: number }): Buffer;
}

/** The package is only loaded where Node itself has no zstd; it is an ES module, which Node 20 cannot `require`. */
const zstd = hasZstd(zlib) ? wrapNodeZstd(zlib) : await loadZstdPackage();

function hasZstd(library: object): library is NodeZstd {
  return 'zstdCompressSync' in library && 'zstdDecompressSync' in library;
}

function wrapNodeZstd(library: NodeZstd): Zstd {
  return {
    compress: (bytes) => library.zstdCompressSync(bytes),
    decompress: (bytes, _, bytesMax) =>
      library.zstdDecompressSync(bytes, { maxOutputLength: Math.max(bytesMax, 1) }),
  };
}

async function loadZstdPackage(): Promise<Zstd> {
  const library = await import('@cloudpss/zstd');
  return {
    compress: (bytes) => asBuffer(library.compress(bytes)),
    decompress(bytes, outputBytesMax, bytesMax) {
      // It allocates `outputBytesMax` at once. Where a frame does not state its size the bound is up to a block
      // (128 KiB) too high for each flush of the writer: some excess is let through, the result is checked after.
      checkBytes(outputBytesMax, 2 * bytesMax + 1024 * 1024);
      return asBuffer(library.decompress(bytes));
    },
  };
}

function checkBytes(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) {
    throw new ProtocolError(`Decompressed data of ${bytes} bytes exceed the limit of ${bytesMax}`);
  }
}
