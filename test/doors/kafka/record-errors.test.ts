import assert from 'node:assert/strict';
import test from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { KafkaDoor } from '../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { produceTo } from './door-fixture.ts';
import { WireClient } from './wire-client.ts';

test('a producer is told which records a batch was refused for', async (t) => {
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
  await broker.createTopic('prices', { options: { cleanup: 'compact' } });
  const client = await WireClient.connect(door.port);
  t.after(() => client.socket.destroy());
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
