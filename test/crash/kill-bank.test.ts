import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../cli/process.ts';
import { runProgram } from '../program.ts';
import { BankRun, type ClerkCommand } from './bank-run.ts';

/** `npm run soak -- kafka-bank` kills more often, and has clerks in other languages. */
const kills = Number(process.env.CRASH_KILLS ?? 3);
const seed = Number(process.env.CRASH_SEED ?? 1);
const names = (process.env.BANK_CLERKS ?? 'kafkajs').split(',');

/** Clerks that need a JDK or Python are made only when they are asked for. */
async function findCommand(name: string): Promise<ClerkCommand> {
  if (name === 'kafkajs') {
    return [process.execPath, ...runProgram('test/crash/bank-kafkajs.ts')];
  }
  const clerks = await import('../clients/bank-clerks.ts');
  return clerks.installClerk(name);
}

test(`a bank whose clerks and broker are killed ${kills} times loses nothing and makes no money`, async (t) => {
  const programs: ClerkCommand[] = [];
  for (const name of names) programs.push(await findCommand(name));
  const run = new BankRun({ seed, kills, wireClerks: 2, programs });
  t.after(() => run.close());
  await run.run((text) => t.diagnostic(text));
  t.diagnostic(`${run.transfers} transfers`);
  assert.ok(run.transfers > 10 * kills, `only ${run.transfers} transfers`);
  assert.equal(await run.terminate(), 0);
  const verified = await runCli(['verify', '--data', run.dataPath]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
});
