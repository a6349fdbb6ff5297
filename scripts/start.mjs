// `npm start`: builds when src/ is newer than dist/, then serves in this very process, so that signals reach it.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function newestMs(directory) {
  let newest = statSync(directory).mtimeMs;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestMs(path) : statSync(path).mtimeMs);
  }
  return newest;
}

function builtMs() {
  try {
    return statSync(join(root, 'dist', 'built')).mtimeMs;
  } catch (error) {
    if (error.code === 'ENOENT') return 0;
    throw error;
  }
}

const inputs = [join(root, 'src'), join(root, 'package.json'), join(root, 'tsconfig.build.json')];
const inputMs = Math.max(
  newestMs(inputs[0]),
  ...inputs.slice(1).map((path) => statSync(path).mtimeMs),
);
if (builtMs() < inputMs) {
  process.stderr.write('building ...\n');
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build.mjs')], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

const main = join(root, 'dist', 'cli', 'main.js');
process.argv = [process.execPath, main, 'serve', ...process.argv.slice(2)];
await import(main);
