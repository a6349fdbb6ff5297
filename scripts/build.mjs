// Builds dist/ from src/ and notes when, so that scripts/start.mjs can tell a stale build.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = createRequire(import.meta.url).resolve('typescript/package.json');

rmSync(join(root, 'dist'), { recursive: true, force: true });
const { status } = spawnSync(
  process.execPath,
  [join(dirname(compiler), 'bin', 'tsc'), '-p', join(root, 'tsconfig.build.json')],
  { stdio: 'inherit', cwd: root },
);
if (status !== 0) process.exit(status ?? 1);
// `npx pabal` runs this file directly.
chmodSync(join(root, 'dist', 'cli', 'main.js'), 0o755);
writeFileSync(join(root, 'dist', 'built'), `${new Date().toISOString()}\n`);
