import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { KafkaDoor } from '../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { produceTo } from './door-fixture.ts';
import { WireClient } from './wire-client.ts';

async function open(t: TestContext) {
  const broker = await Broker.open({ store: 'memory' });
  const door = await KafkaDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
  });
  t.after(async () => {
    await door.close(0);
    await broker.close();
  });
  const client = await WireClient.connect(door.port);
  t.after(() => client.socket.destroy());
  return { broker, client };
}

test('a producer is told which records a batch was refused for', async (t) => {
  const { broker, client } = await open(t);
  await broker.createTopic('prices', { options: { cleanup: 'compact' } });
  const builder = new RecordBatchBuilder();
  for (const key of ['a', null, 'b', null]) {
    const value = Buffer.from('1');
    const bytes = key === null ? null : Buffer.from(key);
    builder.add({ key: bytes, value, headers: [], timestampMs: Date.now() });
  }
  const batch = builder.build();
  for (const version of [7, 8, 12]) {
    const { responses } = await client.ask('Produce', version, produceTo('prices', batch));
    const answer = responses[0]?.partitionResponses[0];
    assert.equal(answer?.errorCode, errorCodes.INVALID_RECORD);
    const told = answer.recordErrors.map(({ batchIndex }) => batchIndex);
    // Version 8 brought them (KIP-467).
    assert.deepEqual(told, version < 8 ? [] : [1, 3]);
    if (version >= 8) assert.match(answer.recordErrors[0]?.batchIndexErrorMessage ?? '', /key/);
  }
});

const hourMs = 3_600_000;

for (const { what, shiftsMs, refused } of [
  { what: 'ahead', shiftsMs: [0, 2 * hourMs, 0, 3 * hourMs], refused: [1, 3] },
  {
    what: 'behind, though the newest of the batch is not',
    shiftsMs: [0, -2 * hourMs, 0],
    refused: [1],
  },
]) {
  test(`a producer is told which records' times are too far ${what}`, async (t) => {
    const { broker, client } = await open(t);
    const options = { timestampAheadMaxMs: hourMs, timestampBehindMaxMs: hourMs };
    const topic = await broker.createTopic('prices', { options });
    const builder = new RecordBatchBuilder();
    const nowMs = Date.now();
    for (const shiftMs of shiftsMs) {
      builder.add({ key: null, value: null, headers: [], timestampMs: nowMs + shiftMs });
    }
    const { responses } = await client.ask('Produce', 12, produceTo('prices', builder.build()));
    const answer = responses[0]?.partitionResponses[0];
    assert.equal(answer?.errorCode, errorCodes.INVALID_TIMESTAMP);
    assert.deepEqual(
      answer.recordErrors.map(({ batchIndex }) => batchIndex),
      refused,
    );
    assert.match(answer.recordErrors[0]?.batchIndexErrorMessage ?? '', /times/);
    assert.equal(topic.partitions[0]?.highWatermark, 0);
  });
}

test('a time that is not given is never too far', async (t) => {
  const { broker, client } = await open(t);
  await broker.createTopic('prices', { options: { timestampBehindMaxMs: hourMs } });
  const builder = new RecordBatchBuilder();
  builder.add({ key: null, value: null, headers: [], timestampMs: -1 });
  const { responses } = await client.ask('Produce', 12, produceTo('prices', builder.build()));
  assert.equal(responses[0]?.partitionResponses[0]?.errorCode, errorCodes.NONE);
});
