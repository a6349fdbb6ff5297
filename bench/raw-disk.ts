import { randomFillSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { quantile } from './statistics.ts';

/** Files are cut as the journal cuts them. */
const fileBytes = 128 * 1024 * 1024;

/**
 * What the disk can do when nothing else is in the way: blocking positional writes of one size, each followed by
 * fdatasync, into files whose length was set beforehand.
 */
export function measureRawDisk(
  directory: string,
  chunkBytes: number,
  totalBytes: number,
): { mbPerSecond: number; p50Ms: number; p99Ms: number } {
  const folder = path.join(directory, 'raw');
  fs.mkdirSync(folder, { recursive: true });
  const chunk = randomFillSync(new Uint8Array(chunkBytes));
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  try {
    for (let file = 0; file * fileBytes < totalBytes; file++) {
      const fd = fs.openSync(path.join(folder, String(file)), 'w');
      const end = Math.min(fileBytes, totalBytes - file * fileBytes);
      fs.ftruncateSync(fd, fileBytes);
      for (let position = 0; position < end; position += chunkBytes) {
        const beforeMs = performance.now();
        fs.writeSync(fd, chunk, 0, chunkBytes, position);
        fs.fdatasyncSync(fd);
        latenciesMs.push(performance.now() - beforeMs);
      }
      fs.closeSync(fd);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    return {
      mbPerSecond: (latenciesMs.length * chunkBytes) / 1e6 / seconds,
      p50Ms: quantile(latenciesMs, 0.5),
      p99Ms: quantile(latenciesMs, 0.99),
    };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
