import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patienceMs } from '../support/patience.ts';
import { until } from '../support/until.ts';
import { BrokerProcess } from './broker-process.ts';
import { CrashRun } from './crash-run.ts';

test('a server that is asked to stop under load ends with 0 and keeps all that it acknowledged', async (t) => {
  const run = new CrashRun({ seed: 3, kills: 0, fullCheckEvery: 1 });
  t.after(() => run.close());
  const { code, tookMs } = await run.runAndTerminate(500);
  assert.equal(code, 0);
  assert.ok(tookMs < patienceMs, `it took ${tookMs} ms: it waited for what was to last far longer`);
  assert.ok(run.ackedCount > 100, `only ${run.ackedCount} records were acknowledged`);
});

test('a second server on the same data refuses, and the first goes on', async (t) => {
  const run = new CrashRun({ seed: 4, kills: 0, fullCheckEvery: 1 });
  t.after(() => run.close());
  await run.run(() => {});
  // An owner that is too busy for a second is an unknown one: it is asked again.
  let told = '';
  await until(async () => {
    const second = BrokerProcess.spawn({ dataPath: run.dataPath });
    t.after(() => second.kill());
    await assert.rejects(second.ready(), (error) => {
      told = String(error);
      return true;
    });
    assert.equal((await second.exited).code, 1);
    return !/by process unknown/.test(told);
  });
  assert.match(told, /in use by process \d+/);
  await run.checkAll();
});
