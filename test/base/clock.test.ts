import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemClock } from '../../src/base/index.ts';

function holdsCount(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

test('the process is held until all who hold it have let go, however often they say so', () => {
  const clock = new SystemClock();
  const before = holdsCount();
  const first = clock.keepProcess();
  const second = clock.keepProcess();
  // Thousands may wait: they share one timer.
  assert.equal(holdsCount(), before + 1);
  first.cancel();
  first.cancel();
  assert.equal(holdsCount(), before + 1);
  second.cancel();
  assert.equal(holdsCount(), before);
  const third = clock.keepProcess();
  assert.equal(holdsCount(), before + 1);
  third.cancel();
  assert.equal(holdsCount(), before);
});
