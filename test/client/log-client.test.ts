import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SystemClock, SystemRandom } from '../../src/base/index.ts';
import { type Codec, codecs } from '../../src/bytes/index.ts';
import {
  ConnectionLost,
  GroupMember,
  LogClient,
  Reader,
  Sender,
  ServerError,
  serverErrors,
} from '../../src/client/index.ts';
import { KafkaDoor } from '../../src/doors/kafka/index.ts';
import { silentLog } from '../../src/net/index.ts';
import { Broker } from '../../src/broker/index.ts';

let broker: Broker;
let door: KafkaDoor;
let client: LogClient;

before(async () => {
  broker = await Broker.open({ store: 'memory' });
  door = await KafkaDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
  });
  client = await LogClient.connect({ server: { host: '127.0.0.1', port: door.port } });
});
after(async () => {
  await client.close();
  await door.close(0);
  await broker.close();
});

function record(value: string, key: string | null = null) {
  return {
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(value),
    headers: [],
    timestampMs: Date.now(),
  };
}

async function readAll(topic: string): Promise<Map<number, string[]>> {
  const offsets = await client.listOffsets(topic);
  const reader = new Reader(client, { waitMs: 1 });
  reader.assign(offsets.map(({ partition, start }) => ({ topic, partition, offset: start })));
  const values = new Map<number, string[]>();
  const isDone = () =>
    reader.positions.every(({ partition, offset }) => offset === offsets[partition]?.end);
  while (!isDone()) {
    await reader.poll(({ value }, { partition }) => {
      values.set(partition, [...(values.get(partition) ?? []), value?.toString() ?? '']);
    });
  }
  return values;
}

describe('topics', () => {
  test('are created, listed, described and deleted', async () => {
    await client.createTopic('made', 3, { 'retention.ms': '60000' });
    assert.deepEqual(
      (await client.listTopics()).find(({ name }) => name === 'made'),
      { name: 'made', partitionCount: 3 },
    );
    assert.equal((await client.listOffsets('made')).length, 3);
    await client.setPartitionCount('made', 5);
    assert.equal((await client.describeTopic('made')).partitionCount, 5);
    const settings = await client.describeSettings('made');
    assert.deepEqual(
      settings.find(({ name }) => name === 'retention.ms'),
      { name: 'retention.ms', value: '60000', isDefault: false },
    );
    await client.deleteTopic('made');
    await assert.rejects(client.describeTopic('made'), (error) => {
      return error instanceof ServerError && error.code === serverErrors.unknownTopicOrPartition;
    });
  });

  test('that exist are not created again', async () => {
    await client.createTopic('twice', 1);
    await assert.rejects(client.createTopic('twice', 1), (error) => {
      return error instanceof ServerError && error.code === serverErrors.topicExists;
    });
  });
});

describe('sending and reading', () => {
  test('records without a key are spread, and every one is read once, in order', async () => {
    await client.createTopic('spread', 3);
    const sender = await Sender.open(client, { topic: 'spread', batchBytes: 500 });
    const sent: string[] = [];
    for (let index = 0; index < 1000; index++) {
      sent.push(`value ${index}`);
      const full = sender.add(record(`value ${index}`));
      if (full !== undefined) await full;
    }
    await sender.flush();
    assert.equal(sender.acknowledged, 1000);
    const read = await readAll('spread');
    assert.equal(read.size, 3);
    assert.deepEqual([...read.values()].flat().toSorted(), sent.toSorted());
    for (const values of read.values()) {
      const numbers = values.map((value) => Number(value.split(' ')[1]));
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
    }
  });

  test('a key always goes to the same partition', async () => {
    await client.createTopic('keyed', 8);
    const sender = await Sender.open(client, { topic: 'keyed' });
    for (const key of ['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd']) await sender.add(record(key, key));
    await sender.flush();
    for (const values of (await readAll('keyed')).values()) {
      for (const value of values) {
        assert.equal(values.filter((one) => one === value).length, 2);
      }
    }
  });

  for (const compression of codecs) {
    test(`batches with the compression ${compression} come back`, async () => {
      const topic = `with-${compression}`;
      await client.createTopic(topic, 1);
      await sendAll(topic, ['x'.repeat(1000), 'y'], compression);
      assert.deepEqual((await readAll(topic)).get(0), ['x'.repeat(1000), 'y']);
    });
  }

  test('a visitor may stop in the middle of a batch, and the next poll goes on behind it', async () => {
    await client.createTopic('stop', 1);
    await sendAll('stop', ['a', 'b', 'c']);
    const reader = new Reader(client);
    reader.assign([{ topic: 'stop', partition: 0, offset: 0 }]);
    const seen: string[] = [];
    const one = () =>
      reader.poll(({ value }) => {
        seen.push(value?.toString() ?? '');
        return false;
      });
    assert.equal(await one(), 1);
    assert.equal(reader.positions[0]?.offset, 1);
    await one();
    await one();
    assert.deepEqual(seen, ['a', 'b', 'c']);
  });

  test('an offset that is gone is an error, or the beginning where that was asked for', async () => {
    await client.createTopic('gone', 1);
    await sendAll('gone', ['a', 'b']);
    const strict = new Reader(client, { waitMs: 1 });
    strict.assign([{ topic: 'gone', partition: 0, offset: 99 }]);
    await assert.rejects(
      strict.poll(() => true),
      (error) => error instanceof ServerError && error.code === serverErrors.offsetOutOfRange,
    );
    const lenient = new Reader(client, { waitMs: 1, onLost: 'earliest' });
    lenient.assign([{ topic: 'gone', partition: 0, offset: 99 }]);
    await lenient.poll(() => true);
    assert.equal(lenient.positions[0]?.offset, 0);
  });

  test('offsets are found by time', async () => {
    // Their time is long ago.
    await client.createTopic('timed', 1, { 'retention.ms': '-1' });
    const sender = await Sender.open(client, { topic: 'timed' });
    for (const timestampMs of [1000, 2000, 3000]) {
      await sender.add({ ...record('x'), timestampMs });
      await sender.flush();
    }
    assert.deepEqual(await client.findOffsets('timed', 1, 1500), [1]);
    assert.deepEqual(await client.findOffsets('timed', 1, 9000), [3]);
  });

  test('a partition that does not exist is refused before anything is sent', async () => {
    await client.createTopic('narrow', 2);
    const sender = await Sender.open(client, { topic: 'narrow' });
    assert.throws(() => sender.add(record('x'), 2), /partitions 0 to 1, not 2/);
  });

  test('what a batch failed with is thrown at the next call', async () => {
    await client.createTopic('doomed', 1);
    const sender = await Sender.open(client, { topic: 'doomed' });
    await broker.topics.delete('doomed');
    await sender.add(record('x'));
    await assert.rejects(sender.flush(), ServerError);
    assert.throws(() => sender.add(record('y')), ServerError);
    assert.equal(sender.acknowledged, 0);
  });
});

describe('groups', () => {
  test('a member gets all partitions, and a later one goes on from what was committed', async () => {
    await client.createTopic('work', 2);
    const member = new GroupMember(client, { groupId: 'alone', topics: ['work'] });
    const positions = await member.join('earliest');
    assert.deepEqual(
      positions.map(({ partition, offset }) => [partition, offset]),
      [
        [0, 0],
        [1, 0],
      ],
    );
    await member.commit([{ topic: 'work', partition: 1, offset: 0 }]);
    await sendAll('work', ['a', 'b', 'c']);
    await member.commit([{ topic: 'work', partition: 0, offset: 2 }]);
    await member.leave();
    const next = new GroupMember(client, { groupId: 'alone', topics: ['work'] });
    assert.deepEqual(
      (await next.join('latest')).map(({ offset }) => offset),
      [2, 0],
    );
    await next.leave();
    assert.deepEqual(await client.listCommitted('alone'), [
      { topic: 'work', partition: 0, offset: 2 },
      { topic: 'work', partition: 1, offset: 0 },
    ]);
  });

  test('two members share the partitions, and one takes over what the other leaves', async () => {
    await client.createTopic('shared', 4);
    const options = { groupId: 'pair', topics: ['shared'], sessionMs: 60_000 };
    const other = await LogClient.connect({ server: { host: '127.0.0.1', port: door.port } });
    const first = new GroupMember(client, options);
    const second = new GroupMember(other, options);
    assert.equal((await first.join('earliest')).length, 4);
    const secondJoin = second.join('earliest');
    // The first learns of it with a heartbeat; a commit tells it as well.
    while (!first.mustJoin) {
      await first.commit([{ topic: 'shared', partition: 0, offset: 0 }]);
    }
    const [a, b] = await Promise.all([first.join('earliest'), secondJoin]);
    const partitions = [...a, ...b].map(({ partition }) => partition).toSorted((x, y) => x - y);
    assert.deepEqual(partitions, [0, 1, 2, 3]);
    assert.equal(a.length, 2);
    await second.leave();
    await other.close();
    while (!first.mustJoin) {
      await first.commit([{ topic: 'shared', partition: 0, offset: 0 }]);
    }
    assert.equal((await first.join('earliest')).length, 4);
    const group = await client.describeGroup('pair');
    assert.equal(group.state, 'Stable');
    assert.equal(group.members.length, 1);
    await assert.rejects(client.deleteGroup('pair'), (error) => {
      return error instanceof ServerError && error.code === serverErrors.groupNotEmpty;
    });
    await first.leave();
    await client.deleteGroup('pair');
    assert.ok(!(await client.listGroups()).some(({ groupId }) => groupId === 'pair'));
  });
});

describe('connections', () => {
  test('a server that is not there is named, with what to do', async () => {
    await assert.rejects(
      LogClient.connect({ server: { host: '127.0.0.1', port: 1 } }),
      (error) =>
        error instanceof ConnectionLost &&
        /nothing listens on 127\.0\.0\.1:1: start it/.test(error.message),
    );
  });

  test('what is under way is rejected when the client closes', async () => {
    const other = await LogClient.connect({ server: { host: '127.0.0.1', port: door.port } });
    await client.createTopic('waiting', 1);
    const reader = new Reader(other, { waitMs: 30_000 });
    reader.assign([{ topic: 'waiting', partition: 0, offset: 0 }]);
    const poll = reader.poll(() => true);
    await Promise.all([
      assert.rejects(poll, ConnectionLost),
      new Promise((resolve) => setTimeout(resolve, 50)).then(() => other.close()),
    ]);
  });
});

async function sendAll(topic: string, values: string[], compression: Codec = 'none') {
  const sender = await Sender.open(client, { topic, compression });
  for (const value of values) await sender.add(record(value));
  await sender.flush();
}
