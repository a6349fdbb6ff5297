import { randomFillSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { BenchOptions } from '../main.ts';
import { quantile } from '../statistics.ts';
import { type OpenWay, ways } from './ways.ts';

const kib = 1024;
const sizes: Readonly<Record<string, number>> = {
  '4 KiB': 4 * kib,
  '64 KiB': 64 * kib,
  '1 MiB': 1024 * kib,
  '4 MiB': 4096 * kib,
};
const fileBytes = 128 * 1024 * kib;
const warmUpWrites = 3;

/** How the file is before it is written to. */
const layouts: Readonly<Record<string, (file: string) => void>> = {
  append: (file) => fs.writeFileSync(file, ''),
  sparse: (file) => {
    fs.writeFileSync(file, '');
    fs.truncateSync(file, fileBytes);
    syncFile(file);
  },
  overwrite: (file) => {
    const block = Buffer.alloc(1024 * kib, 1);
    const fd = fs.openSync(file, 'w');
    for (let position = 0; position < fileBytes; position += block.length) {
      fs.writeSync(fd, block, 0, block.length, position);
    }
    fs.closeSync(fd);
    syncFile(file);
  },
};

function syncFile(file: string): void {
  const fd = fs.openSync(file, 'r+');
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}

/** Durable writes one after the other, each at the end of the one before. */
async function measure(
  openWay: OpenWay,
  file: string,
  bytes: Uint8Array,
  durationMs: number,
): Promise<Record<string, number>> {
  const way = await openWay(file, bytes);
  const latenciesMs: number[] = [];
  let position = 0;
  try {
    for (let count = 0; count < warmUpWrites; count++) {
      await way.write(position);
      position += bytes.length;
    }
    const startedMs = performance.now();
    let nowMs = startedMs;
    while (nowMs - startedMs < durationMs && position + bytes.length <= fileBytes) {
      const beforeMs = nowMs;
      await way.write(position);
      position += bytes.length;
      nowMs = performance.now();
      latenciesMs.push(nowMs - beforeMs);
    }
    const written = latenciesMs.length * bytes.length;
    return {
      'MB/s': written / 1e6 / ((nowMs - startedMs) / 1000),
      'p50 ms': quantile(latenciesMs, 0.5),
      'p99 ms': quantile(latenciesMs, 0.99),
    };
  } finally {
    await way.close();
  }
}

/** Each round starts with another one, so that nobody always finds the disk fresh or busy. */
function rotate<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return items.slice(start).concat(items.slice(0, start));
}

export async function benchDisk(options: BenchOptions): Promise<void> {
  const { report } = options;
  const rounds = options.rounds ?? (options.isQuick ? 1 : 7);
  const durationMs = options.isQuick ? 100 : 400;
  const directory = path.resolve(options.directory, 'disk');
  fs.mkdirSync(directory, { recursive: true });
  const file = path.join(directory, 'file');
  try {
    for (let round = 1; round <= rounds; round++) {
      console.log(`round ${round} of ${rounds}`);
      for (const [sizeName, size] of Object.entries(sizes)) {
        const bytes = randomFillSync(new Uint8Array(size));
        for (const [layout, prepare] of Object.entries(layouts)) {
          const scenario = `${sizeName}, ${layout}`;
          if (options.only.length > 0 && !options.only.some((word) => scenario.includes(word))) {
            continue;
          }
          for (const [subject, openWay] of rotate(Object.entries(ways), round)) {
            prepare(file);
            const metrics = await measure(openWay, file, bytes, durationMs);
            report.add({ scenario, subject, round, metrics });
            fs.rmSync(file);
          }
        }
      }
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}
