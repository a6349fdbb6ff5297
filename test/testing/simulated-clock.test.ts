import assert from 'node:assert/strict';
import test from 'node:test';
import { SeededRandom, SimulatedClock } from '../../src/testing/index.ts';

test('timers fire in the order of their times, those of one time in the order of their setting', async () => {
  const clock = new SimulatedClock();
  const random = new SeededRandom(1);
  const expected: { delayMs: number; index: number }[] = [];
  const fired: number[] = [];
  for (let index = 0; index < 500; index++) {
    const delayMs = random.nextInt(50);
    expected.push({ delayMs, index });
    clock.setTimer(delayMs, () => {
      assert.equal(clock.monotonicMs(), delayMs);
      fired.push(index);
    });
  }
  await clock.runUntilIdle();
  expected.sort((one, other) => one.delayMs - other.delayMs || one.index - other.index);
  assert.deepEqual(
    fired,
    expected.map(({ index }) => index),
  );
});

test('time stands still until it is run, and then moves from event to event', async () => {
  const clock = new SimulatedClock(1000);
  const times: number[] = [];
  clock.setTimer(5.5, () => times.push(clock.monotonicMs()));
  clock.setTimer(20, () => times.push(clock.monotonicMs()));
  assert.equal(clock.nowMs(), 1000);
  await clock.runFor(10);
  assert.deepEqual(times, [5.5]);
  assert.equal(clock.monotonicMs(), 10);
  assert.equal(clock.nowMs(), 1010);
  assert.equal(await clock.runNext(), true);
  assert.equal(clock.monotonicMs(), 20);
  assert.equal(await clock.runNext(), false);
});

test('a timer set while time runs fires in the same run when it is due', async () => {
  const clock = new SimulatedClock();
  let count = 0;
  const again = (): void => {
    count++;
    clock.setTimer(3, again);
  };
  clock.setTimer(3, again);
  await clock.runFor(30);
  assert.equal(count, 10);
});

test('a cancelled timer does not fire', async () => {
  const clock = new SimulatedClock();
  let count = 0;
  const timer = clock.setTimer(1, () => count++);
  clock.setTimer(2, () => count++);
  timer.cancel();
  await clock.runUntilIdle();
  timer.cancel();
  assert.equal(count, 1);
});

test('promise reactions of one event run before the next event of the same instant', async () => {
  const clock = new SimulatedClock();
  const steps: string[] = [];
  const chain = async (name: string): Promise<void> => {
    for (let step = 0; step < 20; step++) await Promise.resolve();
    steps.push(name);
  };
  clock.setTimer(1, () => void chain('first'));
  clock.setTimer(1, () => steps.push('second'));
  await clock.runUntilIdle();
  assert.deepEqual(steps, ['first', 'second']);
});

test('what waits for I/O comes behind the events that are waiting, before later times', async () => {
  const clock = new SimulatedClock();
  const steps: string[] = [];
  clock.setTimer(1, () => {
    steps.push('event');
    clock.setAfterIo(() => steps.push('after'));
  });
  clock.setTimer(1, () => steps.push('waiting'));
  clock.setTimer(1.001, () => steps.push('later'));
  await clock.runUntilIdle();
  assert.deepEqual(steps, ['event', 'waiting', 'after', 'later']);
});

test('running until a promise settles gives its outcome, and stops there', async () => {
  const clock = new SimulatedClock();
  const later = (delayMs: number): Promise<number> =>
    new Promise((resolve) => {
      clock.setTimer(delayMs, () => resolve(delayMs));
    });
  void later(100);
  assert.equal(await clock.runUntil(later(7)), 7);
  assert.equal(clock.monotonicMs(), 7);
  await assert.rejects(clock.runUntil(Promise.reject(new Error('no'))), /no/);
  await assert.rejects(clock.runUntil(new Promise(() => {})), /nothing is left to happen/);
  const forever = (): void => void clock.setTimer(1, forever);
  forever();
  await assert.rejects(clock.runUntil(new Promise(() => {}), 100), /after 100 events/);
  await assert.rejects(clock.runUntilIdle(100), /after 100 events/);
});

test('an error in a callback ends the run', async () => {
  const clock = new SimulatedClock();
  clock.setTimer(1, () => {
    throw new Error('broken');
  });
  await assert.rejects(clock.runUntilIdle(), /broken/);
});

test('the wall clock jumps without timers noticing', async () => {
  const clock = new SimulatedClock(10_000);
  let firedAt = 0;
  clock.setTimer(50, () => {
    firedAt = clock.nowMs();
  });
  clock.jumpWallClock(-5000);
  assert.equal(clock.nowMs(), 5000);
  await clock.runFor(49);
  assert.equal(firedAt, 0);
  await clock.runFor(1);
  assert.equal(firedAt, 5050);
});
