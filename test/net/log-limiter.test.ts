import assert from 'node:assert/strict';
import test from 'node:test';
import { LogLimiter } from '../../src/net/index.ts';
import { SimulatedClock } from '../../src/testing/index.ts';

test('so many lines per interval, and the number of those that were dropped', async () => {
  const clock = new SimulatedClock();
  const limiter = new LogLimiter(clock, 2, 1000);
  const written: number[] = [];
  const run = (): void => limiter.run((suppressed) => written.push(suppressed));
  for (let index = 0; index < 5; index += 1) run();
  assert.deepEqual(written, [0, 0]);
  await clock.runFor(1000);
  run();
  run();
  run();
  assert.deepEqual(written, [0, 0, 3, 0]);
});
