import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** Writes everything out, so that one subject's dirty pages are not the next one's burden. */
export function writeBack(): void {
  execFileSync('sync');
}

/** Empties the page cache; false where that is not permitted (it takes root). */
export function tryDropPageCache(): boolean {
  writeBack();
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}
