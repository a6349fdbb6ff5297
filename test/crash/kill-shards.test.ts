import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../cli/process.ts';
import { BankRun } from './bank-run.ts';
import { QueueCrashRun } from './queue-crash-run.ts';

/** `npm run soak -- crash-shards` kills more often. */
const kills = Number(process.env.CRASH_KILLS ?? 2);
const seed = Number(process.env.CRASH_SEED ?? 1);
/** So many that what a transaction touches hardly ever lies together. */
const shards = 8;

async function checkStore(dataPath: string): Promise<void> {
  const { code, stdout, stderr } = await runCli(['verify', '--data', dataPath]);
  assert.equal(code, 0, stdout + stderr);
}

test(`producers' transactions over several shards are whole or not there after ${kills} kills`, async (t) => {
  const run = new BankRun({ seed, kills, wireClerks: 2, programs: [], shards });
  t.after(() => run.close());
  await run.run((text) => t.diagnostic(text));
  assert.ok(run.transfers > kills, `only ${run.transfers} transfers`);
  assert.equal(await run.terminate(), 0);
  await checkStore(run.dataPath);
});

test(`channels' transactions over several shards are whole or not there after ${kills} kills`, async (t) => {
  const run = new QueueCrashRun(seed, kills, shards);
  t.after(() => run.close());
  await run.run((text) => t.diagnostic(text));
  assert.equal(await run.terminate(), 0);
  await checkStore(run.dataPath);
});
