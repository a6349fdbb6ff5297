// Builds dist/ from src/ and notes when, so that scripts/freshness.mjs can tell a stale one.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = createRequire(import.meta.url).resolve('typescript/package.json');
const dist = join(root, 'dist');
// Made beside it and exchanged at the end: whoever starts a broker meanwhile finds a whole one.
const made = join(root, `.dist-${process.pid}`);
const replaced = `${made}-replaced`;

// What is edited during the build is not in it.
const startedAt = new Date();
const tsc = join(dirname(compiler), 'bin', 'tsc');
const options = ['-p', join(root, 'tsconfig.build.json'), '--outDir', made];
const { status } = spawnSync(process.execPath, [tsc, ...options], { stdio: 'inherit', cwd: root });
if (status !== 0) {
  rmSync(made, { recursive: true, force: true });
  process.exit(status ?? 1);
}
// `npx pabal` runs this file directly.
chmodSync(join(made, 'cli', 'main.js'), 0o755);
const stamp = join(made, 'built');
writeFileSync(stamp, `${startedAt.toISOString()}\n`);
utimesSync(stamp, startedAt, startedAt);

if (existsSync(dist)) renameSync(dist, replaced);
renameSync(made, dist);
rmSync(replaced, { recursive: true, force: true });
