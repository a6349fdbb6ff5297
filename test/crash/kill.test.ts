import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../cli/process.ts';
import { CrashRun } from './crash-run.ts';

/** `npm run soak -- crash` kills more often. */
const kills = Number(process.env.CRASH_KILLS ?? 5);
const seed = Number(process.env.CRASH_SEED ?? 1);

test(`a server that is killed ${kills} times keeps all that it acknowledged`, async (t) => {
  const run = new CrashRun({ seed, kills, fullCheckEvery: 5 });
  t.after(() => run.close());
  await run.run((text) => t.diagnostic(text));
  assert.ok(run.ackedCount > 100 * kills, `only ${run.ackedCount} records were acknowledged`);
  assert.equal((await run.terminate()).code, 0);
  const verified = await runCli(['verify', '--data', run.dataPath]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  t.diagnostic(verified.stdout);
});
