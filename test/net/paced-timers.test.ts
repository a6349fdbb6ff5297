import assert from 'node:assert/strict';
import test from 'node:test';
import { PacedTimers } from '../../src/net/index.ts';
import { SimulatedClock } from '../../src/testing/index.ts';

test('a timer fires at its time, once', async () => {
  const clock = new SimulatedClock();
  const timers = new PacedTimers(clock);
  const fired: number[] = [];
  for (const delayMs of [500, 20, 100]) timers.setTimer(delayMs, () => fired.push(delayMs));
  await clock.runFor(19);
  assert.deepEqual(fired, []);
  await clock.runFor(1);
  assert.deepEqual(fired, [20]);
  await clock.runFor(1000);
  assert.deepEqual(fired, [20, 100, 500]);
});

test('timers that come due together fire in their order, some in each millisecond', async () => {
  const clock = new SimulatedClock();
  const timers = new PacedTimers(clock);
  const fired: number[] = [];
  for (let index = 0; index < 1000; index++) timers.setTimer(500, () => fired.push(index));
  await clock.runFor(500);
  const counts = [fired.length];
  while (fired.length < 1000) {
    const before = fired.length;
    await clock.runFor(1);
    counts.push(fired.length - before);
    assert.ok(counts.length < 200, 'they do not stand back for long');
  }
  assert.ok(Math.max(...counts) <= 50);
  assert.deepEqual(
    fired,
    fired.toSorted((a, b) => a - b),
  );
});

test('those that wait again and again come apart', async () => {
  const clock = new SimulatedClock();
  const timers = new PacedTimers(clock);
  let fired = 0;
  const wait = (): void => {
    fired++;
    timers.setTimer(500, wait);
  };
  for (let index = 0; index < 1000; index++) timers.setTimer(500, wait);
  await clock.runFor(3000);
  const counts: number[] = [];
  for (let ms = 0; ms < 1000; ms++) {
    fired = 0;
    await clock.runFor(1);
    counts.push(fired);
  }
  assert.ok(Math.max(...counts) <= 50);
  assert.ok(counts.filter((count) => count > 0).length >= 100);
});

test('one that is cancelled does not fire, though it came due', async () => {
  const clock = new SimulatedClock();
  const timers = new PacedTimers(clock);
  const fired: number[] = [];
  const set = Array.from({ length: 20 }, (_, index) =>
    timers.setTimer(10, () => fired.push(index)),
  );
  set[0]!.cancel();
  await clock.runFor(10);
  for (const timer of set.slice(10)) timer.cancel();
  await clock.runFor(1000);
  assert.deepEqual(fired, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
