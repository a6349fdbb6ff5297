import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../../support/fast-check.ts';
import { DeadlineQueue } from '../../../src/shard/group/deadline-queue.ts';
import { SimulatedClock } from './simulated-clock.ts';

test('deadlines fire in order of time, then of scheduling, unless they are cancelled', async () => {
  const actions = fc.array(fc.record({ delayMs: fc.nat(20), isCancelled: fc.boolean() }));
  await fc.assert(
    fc.asyncProperty(actions, async (plan) => {
      const clock = new SimulatedClock();
      const queue = new DeadlineQueue(clock);
      const fired: number[] = [];
      const deadlines = plan.map(({ delayMs }, index) =>
        queue.schedule(clock.monotonicMs() + delayMs, () => fired.push(index)),
      );
      for (const [index, { isCancelled }] of plan.entries()) {
        if (isCancelled) queue.cancel(deadlines[index]);
      }
      assert(clock.timerCount <= 1);
      await clock.advance(20);
      const expected = [...plan.entries()]
        .filter(([, { isCancelled }]) => !isCancelled)
        .toSorted(([, a], [, b]) => a.delayMs - b.delayMs)
        .map(([index]) => index);
      assert.deepEqual(fired, expected);
      assert.equal(queue.size, 0);
      assert.equal(clock.timerCount, 0);
    }),
    { numRuns: 60, seed: 1 },
  );
});

test('a deadline may be scheduled and cancelled while another fires', async () => {
  const clock = new SimulatedClock();
  const queue = new DeadlineQueue(clock);
  const fired: string[] = [];
  const startMs = clock.monotonicMs();
  const doomed = queue.schedule(startMs + 5, () => fired.push('doomed'));
  queue.schedule(startMs + 5, () => fired.push('other'));
  queue.schedule(startMs + 1, () => {
    queue.cancel(doomed);
    queue.schedule(startMs + 3, () => fired.push('late'));
    queue.schedule(startMs, () => fired.push('overdue'));
  });
  await clock.advance(10);
  assert.deepEqual(fired, ['overdue', 'late', 'other']);
});

test('cancelling what has fired does nothing', async () => {
  const clock = new SimulatedClock();
  const queue = new DeadlineQueue(clock);
  const first = queue.schedule(clock.monotonicMs(), () => {});
  await clock.advance(1);
  const second = queue.schedule(clock.monotonicMs() + 1, () => {});
  queue.cancel(first);
  assert.equal(queue.size, 1);
  queue.cancel(second);
  queue.cancel(second);
  assert.equal(queue.size, 0);
});
