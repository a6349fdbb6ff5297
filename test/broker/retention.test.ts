import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker, type TopicOptions } from '../../src/broker/index.ts';
import { SeededRandom, SimulatedClock } from '../../src/testing/index.ts';

const cases: ReadonlyArray<{ cleanup: TopicOptions['cleanup']; logStart: number }> = [
  { cleanup: 'delete', logStart: 1 },
  { cleanup: 'compact,delete', logStart: 1 },
  { cleanup: 'compact', logStart: 0 },
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
