// Whether dist/ was built from what is in src/ now.
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

export function isBuildFresh() {
  const builtMs = findMs(join(root, 'dist', 'built'));
  const inputs = ['package.json', 'tsconfig.json', 'tsconfig.build.json'];
  return [newestMs(join(root, 'src')), ...inputs.map((name) => findMs(join(root, name)))].every(
    (inputMs) => inputMs <= builtMs,
  );
}

function newestMs(directory) {
  let newest = statSync(directory).mtimeMs;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestMs(path) : findMs(path));
  }
  return newest;
}

/** When a file was changed; 0 where there is none. */
function findMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
