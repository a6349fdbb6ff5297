import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../cli/process.ts';
import { QueueCrashRun } from './queue-crash-run.ts';

/** `npm run soak -- crash-queues` kills more often. */
const kills = Number(process.env.CRASH_KILLS ?? 5);
const seed = Number(process.env.CRASH_SEED ?? 1);

test(`queues of a server that is killed ${kills} times keep what was promised`, async (t) => {
  const run = new QueueCrashRun(seed, kills);
  t.after(() => run.close());
  await run.run((text) => t.diagnostic(text));
  for (const { queue, confirmedCount, settledCount } of run.ledgers) {
    assert.ok(confirmedCount > 5 * kills, `only ${confirmedCount} were confirmed of ${queue}`);
    assert.ok(settledCount > 0, `none was settled of ${queue}`);
  }
  assert.equal(await run.terminate(), 0);
  const verified = await runCli(['verify', '--data', run.dataPath]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  t.diagnostic(verified.stdout);
});
