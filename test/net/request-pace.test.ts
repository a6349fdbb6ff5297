import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestPace } from '../../src/net/index.ts';
import { SimulatedClock } from '../../src/testing/index.ts';

test('a second’s worth of requests begins at once, the rest at the rate', async () => {
  const clock = new SimulatedClock();
  let resumed = 0;
  const pace = new RequestPace(clock, 100, () => (resumed += 1));
  let begun = 0;
  const beginAll = (): void => {
    while (pace.mayBegin()) {
      pace.note();
      begun += 1;
    }
  };
  beginAll();
  assert.equal(begun, 100);
  for (let tenth = 0; tenth < 10; tenth += 1) {
    await clock.runFor(100);
    beginAll();
  }
  assert.ok(resumed > 0);
  assert.ok(begun >= 195 && begun <= 200, `${begun}`);
});

test('a peer that is gone is not resumed', async () => {
  const clock = new SimulatedClock();
  const pace = new RequestPace(clock, 1, () => assert.fail('resumed'));
  assert.ok(pace.mayBegin());
  pace.note();
  assert.ok(!pace.mayBegin());
  pace.close();
  await clock.runFor(5000);
});
