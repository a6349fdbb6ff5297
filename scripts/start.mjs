// `npm start`: builds when src/ is newer than dist/, then serves in this very process, so that signals reach it.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isBuildFresh } from './freshness.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

if (!isBuildFresh()) {
  process.stderr.write('building ...\n');
  const build = [join(root, 'scripts', 'build.mjs')];
  const { status } = spawnSync(process.execPath, build, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

// From here on counts what the broker says about how long it took to be ready.
performance.mark('pabal-start');
const main = join(root, 'dist', 'cli', 'main.js');
process.argv = [process.execPath, main, 'serve', ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
