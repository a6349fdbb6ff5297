// `npm test`: compiles the sources and the tests into a folder of this run, and runs scripts/test.ts of it.
// On Node 20 a loader that translates while modules load runs beside them in a thread of its own, and a process that
// starts with it sometimes hangs or ends before its first line. What is compiled before needs none, and starts faster.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const runs = join(root, '.cache', 'test-runs');
const compiled = join(runs, String(process.pid));

removeLeftovers();
mkdirSync(compiled, { recursive: true });
process.on('exit', () => rmSync(compiled, { recursive: true, force: true }));
compile();
// The version is read from here.
copyFileSync(join(root, 'package.json'), join(compiled, 'package.json'));
// Fixtures stay where they are: a test finds them beside its source.
for (const name of readdirSync(compiled, { recursive: true, encoding: 'utf8' })) {
  if (name.endsWith('.js') && !name.startsWith('src')) pointToSource(join(compiled, name));
}
await import(pathToFileURL(join(compiled, 'scripts', 'test.js')).href);

/** What runs that were killed have left. */
function removeLeftovers() {
  mkdirSync(runs, { recursive: true });
  for (const name of readdirSync(runs)) {
    if (!isRunning(Number(name))) rmSync(join(runs, name), { recursive: true, force: true });
  }
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function compile() {
  const settings = {
    extends: join(root, 'tsconfig.json'),
    // Types are checked by `npm run typecheck`.
    compilerOptions: { noEmit: false, noCheck: true, sourceMap: true, rootDir: root, outDir: '.' },
    include: ['src', 'test', 'scripts'].map((name) => join(root, name)),
  };
  const file = join(compiled, 'tsconfig.json');
  writeFileSync(file, JSON.stringify(settings));
  const compiler = createRequire(import.meta.url).resolve('typescript/package.json');
  const words = [join(dirname(compiler), 'bin', 'tsc'), '-p', file];
  const { status } = spawnSync(process.execPath, words, { stdio: 'inherit', cwd: root });
  if (status === 0) return;
  console.log('0 passed, 1 failed, 0 skipped');
  process.exit(1);
}

function pointToSource(file) {
  const text = readFileSync(file, 'utf8');
  if (!text.includes('import.meta.dirname')) return;
  const source = join(root, dirname(relative(compiled, file)));
  writeFileSync(
    file,
    text.replaceAll('import.meta.dirname', () => JSON.stringify(source)),
  );
}
