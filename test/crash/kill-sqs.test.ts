import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SqsCrashRun } from './sqs-crash-run.ts';

const kills = Number(process.env['CRASH_KILLS'] ?? 2);
const seed = Number(process.env['CRASH_SEED'] ?? 1);

test(`queues that are used over HTTP keep what was answered through ${kills} kills`, async (t) => {
  const run = new SqsCrashRun(seed);
  t.after(() => run.close());
  await run.open();
  for (let kill = 0; kill < kills; kill++) await run.live(60);
  const duplicates = await run.checkDuplicates();
  await run.drain();
  assert.ok(duplicates > 10, `only ${duplicates} were repeated`);
  assert.ok(run.deletedCount > 0, `only ${run.deletedCount} were deleted`);
  t.diagnostic(`${run.confirmedCount} sent, ${run.deletedCount} deleted, ${duplicates} repeated`);
});
