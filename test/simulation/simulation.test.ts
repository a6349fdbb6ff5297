/**
 * The whole broker over a simulated disk and clock: one seed decides about everything, and a model says what must be.
 *
 *   npm test -- simulation                      1,000 seeds, and those that have found something before
 *   PABAL_SEEDS=20000 npm test -- simulation    more of them
 *   PABAL_SEED_FROM=50000 ...                   others
 *   PABAL_SEED=123 npm test -- simulation       one seed, with a trace of all that happens
 *   PABAL_SEED_PROCESSES=4 ...                  processes; default: one for each core, at most 8
 *
 * A seed that fails is added to `seeds.ts` together with the repair of what it found.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import test from 'node:test';
import { findProgram, loaderFlags } from '../program.ts';
import { keptSeeds } from './seeds.ts';
import { simulate } from './simulation.ts';
import type { SeedOutcome } from './worker.ts';

const count = Number(process.env['PABAL_SEEDS'] ?? 1000);
const from = Number(process.env['PABAL_SEED_FROM'] ?? 1);
// A machine may show more cores than it gives memory for processes.
const processes = Number(
  process.env['PABAL_SEED_PROCESSES'] ?? Math.min(availableParallelism(), 8),
);
const single = process.env['PABAL_SEED'];
const failuresShown = 5;

if (single === undefined) {
  test(`what was acknowledged outlives ${count} seeds of faults`, async (context) => {
    const fresh = Array.from({ length: count }, (_, index) => from + index);
    const outcomes = await runSeeds([...new Set([...keptSeeds, ...fresh])]);
    const failures = outcomes.filter((outcome) => outcome.error !== undefined);
    const total = (
      key: 'acked' | 'read' | 'duplicates' | 'damaged' | 'delivered' | 'redelivered' | 'buried',
    ): number => outcomes.reduce((sum, outcome) => sum + outcome[key], 0);
    context.diagnostic(
      `${outcomes.length} seeds: ${total('acked')} batches acknowledged, ${total('read')} read, ` +
        `${total('duplicates')} repeats recognised, ${total('damaged')} times damage reported; ` +
        `${total('delivered')} messages of queues delivered, ${total('redelivered')} of them again, ` +
        `${total('buried')} dead letters`,
    );
    const shown = failures
      .slice(0, failuresShown)
      .map(({ seed, error }) => `PABAL_SEED=${seed}: ${error}`)
      .join('\n\n');
    assert.equal(
      failures.length,
      0,
      `seeds ${failures.map(({ seed }) => seed).join(', ')} fail\n${shown}`,
    );
    // A simulation in which nothing happens proves nothing.
    assert.ok(total('acked') > outcomes.length * 20, 'there was traffic');
    assert.ok(total('read') > outcomes.length * 20, 'it was read');
    assert.ok(count < 500 || total('duplicates') > 0, 'repeats met what they repeat');
    assert.ok(count < 500 || total('damaged') > 0, 'damage was met');
    assert.ok(total('delivered') > outcomes.length * 10, 'queues delivered');
    assert.ok(count < 500 || total('redelivered') > outcomes.length, 'some of it again');
    assert.ok(count < 500 || total('buried') > outcomes.length / 10, 'some of it died');
  });

  test('a seed replays to the same end', async () => {
    for (const seed of [1, 7]) {
      const first = await simulate(seed);
      const second = await simulate(seed);
      assert.equal(first.digest, second.digest);
    }
  });
} else {
  test(`seed ${single}`, async () => {
    const report = await simulate(Number(single), (line) => process.stdout.write(`${line}\n`));
    assert.equal(report.seed, Number(single));
  });
}

/** Deals the seeds out to processes. */
async function runSeeds(seeds: readonly number[]): Promise<SeedOutcome[]> {
  const shares = Array.from({ length: processes }, (_, index) =>
    seeds.filter((_seed, at) => at % processes === index),
  );
  const results = await Promise.all(shares.map(runShare));
  return results.flat().toSorted((a, b) => a.seed - b.seed);
}

function runShare(seeds: number[]): Promise<SeedOutcome[]> {
  const outcomes: SeedOutcome[] = [];
  const child: ChildProcess = fork(findProgram('test/simulation/worker.ts'), {
    execArgv: [...loaderFlags],
  });
  child.on('message', (outcome: SeedOutcome) => outcomes.push(outcome));
  child.send({ seeds });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    // Behind all that it sent.
    child.on('close', (code, signal) => {
      if (code === 0 && outcomes.length === seeds.length) return resolve(outcomes);
      const next = seeds[outcomes.length];
      reject(new Error(`the process ended (${code ?? signal}) in seed ${next}`));
    });
  });
}
