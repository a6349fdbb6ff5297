import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { present } from '../../../../src/base/index.ts';
import { batchTotalBytes, checkBatch } from '../../../../src/bytes/index.ts';
import {
  type ApiName,
  decodeConsumerSubscription,
  decodeRequest,
  decodeRequestHeader,
  encodeRequest,
} from '../../../../src/doors/kafka/wire/index.ts';

// How the file was made: fixtures/capture-requests.ts.
const captured = readFileSync(join(import.meta.dirname, 'fixtures/captured-requests.txt'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => {
    const [client = '', api = '', version = '', hex = ''] = line.split(' ');
    return { client, api, version: Number(version), frame: Buffer.from(hex, 'hex') };
  });

const clientIds: Readonly<Record<string, string>> = { kcat: 'rdkafka' };

for (const { client, api, version, frame } of captured) {
  test(`${api} ${version} of ${client} is read to its end and written back byte for byte`, () => {
    const header = decodeRequestHeader(frame);
    assert.equal(header.api, api);
    assert.equal(header.apiVersion, version);
    assert.equal(header.clientId, clientIds[client] ?? client);
    const { body, correlationId, clientId } = header;
    const name = present(header.api, api);
    const request = decodeRequest(name, version, body);
    assert.equal(body.remaining, 0);
    const written = Buffer.concat(encodeRequest(name, version, correlationId, clientId, request));
    assert.deepEqual(written.subarray(4), frame);
  });
}

function requestsOf<N extends ApiName>(api: N) {
  return captured
    .filter((request) => request.api === api)
    .map(({ client, version, frame }) => ({
      client,
      request: decodeRequest(api, version, decodeRequestHeader(frame).body),
    }));
}

test('the record batches of every client are found in their Produce requests', () => {
  const produced = requestsOf('Produce');
  assert.deepEqual(
    produced.map(({ client }) => client),
    ['aiokafka', 'confluent', 'kafkajs', 'kcat'],
  );
  for (const { client, request } of produced) {
    const [topic] = request.topicData;
    assert.equal(topic?.name, 'captured', client);
    const records = present(topic?.partitionData[0]?.records, client);
    assert.equal(batchTotalBytes(records, 0), records.length, client);
    assert.equal(checkBatch(records, 0, records.length), 'ok', client);
  }
});

test('the subscriptions of every client are found in their JoinGroup requests', () => {
  const joins = requestsOf('JoinGroup');
  assert.equal(joins.length, 4);
  for (const { client, request } of joins) {
    assert.equal(request.groupId, 'g', client);
    const metadata = present(request.protocols[0]?.metadata, client);
    assert.deepEqual(decodeConsumerSubscription(metadata).topics, ['captured'], client);
  }
});

test('a consumer of the new protocol says what it subscribes to', () => {
  const [heartbeat] = requestsOf('ConsumerGroupHeartbeat');
  assert.deepEqual(heartbeat?.request.subscribedTopicNames, ['captured']);
  assert.equal(heartbeat?.request.memberEpoch, 0);
});
