import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerError, limits } from '../../src/base/index.ts';
import { Broker } from '../../src/broker/index.ts';

test('an append that recovery would not believe in is refused, whatever the topic allows', async () => {
  const broker = await Broker.open({ store: 'memory' });
  const options = { batchBytesMax: 4 * limits.entryBytesMax };
  const topic = await broker.createTopic('large', { options });
  await assert.rejects(
    async () => topic.partitions[0]?.append(new Uint8Array(limits.entryBytesMax + 1)),
    (error) => error instanceof BrokerError && error.code === 'batch-too-large',
  );
  assert.ok(2 * limits.entryBytesMax <= limits.chunkPayloadBytesMax);
  await broker.send('large', { value: 'small' });
  await broker.close();
});
