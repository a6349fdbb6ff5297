import assert from 'node:assert/strict';
import test from 'node:test';
import { type Broker, Broker as EmbeddedBroker } from '../../src/broker/index.ts';
import { createDirectory } from '../shard/store-fixture.ts';
import { patienceMs } from '../support/patience.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

function open(data: string): Promise<Broker> {
  return EmbeddedBroker.open({
    data,
    log: silent,
    tuning: { journalFileBytes: 16 * 1024, tailCacheBytes: 4096, freeBytesMin: 0 },
  });
}

/** Every key's newest record, in order of offset, as readers of the topic see it. */
async function readAll(broker: Broker): Promise<string[]> {
  const log = broker.findTopic('state')?.partitions[0];
  const seen: string[] = [];
  let offset = 0;
  while (offset < (log?.highWatermark ?? 0)) {
    const records = await broker.read('state', 0, offset, 4000);
    if (records.length === 0) break;
    for (const { key, value } of records) seen.push(`${String(key)}=${String(value)}`);
    offset = (records.at(-1)?.offset ?? offset) + 1;
  }
  return seen;
}

test('a compacted topic is read by its records, by groups and after a restart', async (context) => {
  const data = await createDirectory(context);
  const first = await open(data);
  await first.createTopic('state', {
    options: { cleanup: 'compact', dirtyShareMin: 0, compression: 'gzip', activeBytesMax: 1 },
  });
  for (let round = 0; round < 30; round++) {
    for (let key = 0; key < 10; key++) {
      const value = `${round} ${'v'.repeat(100)}`;
      // The last keys are only written in the beginning: behind them much is gone.
      if (key < 7 || round < 3) await first.send('state', { key: `k${key}`, value });
    }
  }
  const before = await readAll(first);
  const newest = new Map(before.map((text) => [text.split('=')[0], text]));
  // The first run ends the active part, the next compacts it.
  const endMs = Date.now() + patienceMs;
  while ((await readAll(first)).length > newest.size && Date.now() < endMs) {
    await first.maintain();
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
  const expected = before.filter((text) => newest.get(text.split('=')[0]) === text);
  assert.deepEqual(await readAll(first), expected);
  const consumer = first.consume({ topics: ['state'], group: 'readers', from: 'earliest' });
  const seen: string[] = [];
  for await (const record of consumer) {
    seen.push(`${String(record.key)}=${String(record.value)}`);
    if (seen.length === expected.length) break;
  }
  assert.deepEqual(seen, expected);
  await assert.rejects(first.send('state', { value: 'no key' }), { code: 'batch-invalid' });
  await first.close();
  const second = await open(data);
  assert.deepEqual(await readAll(second), expected);
  await second.close();
});

test('what is read while parts become one has every record once, in order', async (context) => {
  const broker = await open(await createDirectory(context));
  context.after(() => broker.close());
  await broker.createTopic('state', {
    options: { cleanup: 'compact', dirtyShareMin: 0, compression: 'gzip', activeBytesMax: 1 },
  });
  const log = broker.findTopic('state')?.partitions[0];
  const writing = { isDone: false };
  async function follow(): Promise<void> {
    while (!writing.isDone) {
      let last = -1;
      while (last + 1 < (log?.highWatermark ?? 0)) {
        const records = await broker.read('state', 0, last + 1, 4000);
        if (records.length === 0) break;
        for (const { offset } of records) {
          assert.ok(offset > last, `${offset} came behind ${last}`);
          last = offset;
        }
      }
      await new Promise((resolve) => void setImmediate(resolve));
    }
  }
  const readers = Promise.all([follow(), follow(), follow(), follow()]);
  // A reader that fails is heard of at the end.
  readers.catch(() => undefined);
  for (let round = 0; round < 30; round++) {
    for (let key = 0; key < 10; key++) {
      if (key >= 7 && round >= 3) break;
      await broker.send('state', { key: `k${key}`, value: `${round} ${'v'.repeat(100)}` });
    }
    if (round % 5 === 4) void broker.maintain();
  }
  for (let run = 0; run < 6; run++) await broker.maintain();
  writing.isDone = true;
  await readers;
});
