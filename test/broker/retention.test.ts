import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker, type TopicOptions } from '../../src/broker/index.ts';
import { SeededRandom, SimulatedClock } from '../../src/testing/index.ts';

const cases: ReadonlyArray<{ cleanup: TopicOptions['cleanup']; logStart: number }> = [
  { cleanup: 'delete', logStart: 1 },
  { cleanup: 'compact,delete', logStart: 1 },
  { cleanup: 'compact', logStart: 0 },
  { cleanup: 'none', logStart: 0 },
];

for (const { cleanup, logStart } of cases) {
  test(`old records of a topic with cleanup ${cleanup} are ${logStart > 0 ? 'dropped' : 'kept'}`, async () => {
    const clock = new SimulatedClock();
    const random = new SeededRandom(1);
    const opening = Broker.open({ store: 'memory', clock, random });
    const broker = await clock.runUntil(opening);
    const options = { cleanup, retentionMs: 60_000, retentionBytes: 0 };
    const topic = await clock.runUntil(broker.createTopic('state', { options }));
    await clock.runUntil(broker.send('state', { key: 'a', value: '1' }));
    await clock.runFor(120_000);
    await clock.runUntil(broker.maintain());
    assert.equal(topic.partitions[0]?.logStartOffset, logStart);
    await clock.runUntil(broker.close());
  });
}

test('the least lag of compaction may not be above the greatest, whichever is set first', async () => {
  const clock = new SimulatedClock();
  const random = new SeededRandom(1);
  const broker = await clock.runUntil(Broker.open({ store: 'memory', clock, random }));
  const wrong = { compactionLagMinMs: 2000, compactionLagMaxMs: 1000 };
  const refused = { code: 'config-invalid' };
  await assert.rejects(clock.runUntil(broker.createTopic('a', { options: wrong })), refused);
  for (const [first, second] of [
    [{ compactionLagMinMs: 2000 }, { compactionLagMaxMs: 1000 }],
    [{ compactionLagMaxMs: 1000 }, { compactionLagMinMs: 2000 }],
  ] as const) {
    const name = Object.keys(first).join();
    await clock.runUntil(broker.createTopic(name, { options: first }));
    await assert.rejects(
      clock.runUntil(broker.topics.configure(name, { options: second })),
      refused,
    );
    await clock.runUntil(
      broker.topics.configure(name, { options: { ...first, compactionLagMinMs: 1000 } }),
    );
  }
  await clock.runUntil(broker.close());
});
