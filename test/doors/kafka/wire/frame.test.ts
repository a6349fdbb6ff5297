import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '../../../../src/base/index.ts';
import { ByteReader } from '../../../../src/bytes/index.ts';
import {
  apiKeys,
  apiNames,
  decodeConsumerAssignment,
  decodeConsumerSubscription,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
  encodeRequest,
  encodeResponse,
  type ResponseInput,
  zeroUuid,
} from '../../../../src/doors/kafka/wire/index.ts';
import { unhex } from './hex.ts';

test('a request has a header of version 1, or 2 where its message is flexible', () => {
  assert.deepEqual(
    Buffer.concat(
      encodeRequest('Heartbeat', 3, 5, 'me', { groupId: 'g', generationId: 7, memberId: 'm' }),
    ),
    unhex('00000018 000c0003 00000005 00026d65 000167 00000007 00016d ffff'),
  );
  assert.deepEqual(
    Buffer.concat(
      encodeRequest('Heartbeat', 4, 5, null, { groupId: 'g', generationId: 7, memberId: 'm' }),
    ),
    unhex('00000015 000c0004 00000005 ffff 00 0267 00000007 026d 00 00'),
  );
});

test('a response has a header of version 0, or 1 where its message is flexible, but for ApiVersions', () => {
  const heartbeat = { errorCode: 0 };
  assert.deepEqual(
    Buffer.concat(encodeResponse('Heartbeat', 3, 5, heartbeat)),
    unhex('0000000a 00000005 00000000 0000'),
  );
  assert.deepEqual(
    Buffer.concat(encodeResponse('Heartbeat', 4, 5, heartbeat)),
    unhex('0000000c 00000005 00 000000000000 00'),
  );
  const apiVersions = { errorCode: 35, apiKeys: [] };
  assert.deepEqual(
    Buffer.concat(encodeResponse('ApiVersions', 0, 5, apiVersions)),
    unhex('0000000a 00000005 0023 00000000'),
  );
  assert.deepEqual(
    Buffer.concat(encodeResponse('ApiVersions', 3, 5, apiVersions)),
    unhex('0000000c 00000005 0023 01 00000000 00'),
  );
});

test('the header of an unknown API tells who asked for what', () => {
  const header = decodeRequestHeader(unhex('03e7 0001 0000002a ff'));
  assert.equal(header.api, undefined);
  assert.equal(header.apiKey, 999);
  assert.equal(header.apiVersion, 1);
  assert.equal(header.correlationId, 42);
  assert.equal(decodeRequestHeader(unhex('ffff 0001 0000002a')).api, undefined);
});

test('the header of a version beyond ours can be read', () => {
  const frame = unhex('0012 0063 0000002a 00016d 01 0502abcd ff');
  const { api, apiVersion, clientId, body } = decodeRequestHeader(frame);
  assert.deepEqual(
    { api, apiVersion, clientId },
    { api: 'ApiVersions', apiVersion: 99, clientId: 'm' },
  );
  assert.equal(body.remaining, 1);
});

test('every API has its key once, and both its directions', () => {
  const keys = apiNames.map((name) => apiKeys[name].key);
  assert.equal(new Set(keys).size, keys.length);
  for (const name of apiNames) {
    assert.equal(apiKeys[name].name, name);
    assert.ok(apiKeys[name].versions.min <= apiKeys[name].versions.max);
  }
});

function fetchResponse(records: Uint8Array | readonly Uint8Array[] | null): ResponseInput<'Fetch'> {
  const partition = { errorCode: 0, highWatermark: 9, abortedTransactions: null };
  return {
    responses: [
      {
        topic: 'orders',
        partitions: [
          { ...partition, partitionIndex: 0, records },
          { ...partition, partitionIndex: 1, records: null },
        ],
      },
    ],
  };
}

for (const version of [4, 11, 12]) {
  test(`Fetch ${version} refers to large record bytes and copies small ones`, () => {
    const large = Buffer.alloc(100_000, 1);
    const small = Buffer.alloc(10, 2);
    const alsoLarge = Buffer.alloc(5000, 3);
    const slices = encodeResponse('Fetch', version, 1, fetchResponse([large, small, alsoLarge]));

    assert.equal(slices.length, 5);
    assert.equal(slices[1], large);
    assert.equal(slices[3], alsoLarge);
    const frame = Buffer.concat(slices);
    assert.equal(frame.readInt32BE(0), frame.length - 4);
    const { body } = decodeResponse('Fetch', version, frame.subarray(4));
    const [first, second] = body.responses[0]?.partitions ?? [];
    assert.deepEqual(first?.records, Buffer.concat([large, small, alsoLarge]));
    assert.equal(second?.records, null);
    assert.deepEqual(
      frame,
      Buffer.concat(encodeResponse('Fetch', version, 1, fetchResponse(first?.records ?? null))),
    );
  });
}

test('record bytes of a request are borrowed from its frame', () => {
  const frame = Buffer.concat(
    encodeRequest('Produce', 9, 1, 'c', {
      acks: 1,
      timeoutMs: 1,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: Buffer.alloc(9, 7) }] }],
    }),
  ).subarray(4);
  const { body } = decodeRequestHeader(frame);
  const records = decodeRequest('Produce', 9, body).topicData[0]?.partitionData[0]?.records;
  assert.equal(records?.buffer, frame.buffer);
  assert.deepEqual(records, Buffer.alloc(9, 7));
});

test('a value that a version cannot carry is refused, unless it may be ignored', () => {
  const topics = [{ name: 't', partitions: [] }];
  const group = { groupId: 'g', memberId: 'm', topics };
  // KIP-345: dropping the instance id would make another member of it.
  assert.throws(
    () => encodeRequest('OffsetCommit', 6, 1, null, { ...group, groupInstanceId: 'i' }),
    AssertionError,
  );
  assert.doesNotThrow(() =>
    encodeRequest('OffsetCommit', 6, 1, null, { ...group, groupInstanceId: null }),
  );
  assert.deepEqual(
    Buffer.concat(encodeRequest('OffsetCommit', 6, 1, null, { ...group, retentionTimeMs: 5 })),
    Buffer.concat(encodeRequest('OffsetCommit', 6, 1, null, group)),
  );
  assert.throws(
    () =>
      encodeRequest('Fetch', 14, 1, null, {
        maxWaitMs: 1,
        minBytes: 1,
        topics: [],
        replicaState: { replicaId: 1 },
      }),
    /replicaState/,
  );
});

test('a null where a version has none is our bug', () => {
  const topics = [{ name: null }];
  assert.throws(() => encodeRequest('Metadata', 9, 1, null, { topics }), AssertionError);
  assert.throws(() => encodeRequest('Metadata', 0, 1, null, { topics: null }), AssertionError);
  assert.doesNotThrow(() => encodeRequest('Metadata', 10, 1, null, { topics }));
});

test('tagged fields that are unknown are skipped, known ones must have their length', () => {
  // ApiVersions 3: error, no keys, throttle time, then the tagged fields.
  const start = '00000001 0000 01 00000000';
  const read = (tags: string) => decodeResponse('ApiVersions', 3, unhex(start + tags)).body;
  const epoch = '01 08 0000000000000007';
  assert.equal(read('00').finalizedFeaturesEpoch, -1);
  assert.equal(read(`01 ${epoch}`).finalizedFeaturesEpoch, 7);
  assert.equal(read(`03 ${epoch} 63 03abcdef 8f4e 00`).finalizedFeaturesEpoch, 7);
  assert.throws(() => read('01 01 09 0000000000000007 00'), /tagged field 1/);
  assert.throws(() => read('01 01 07 0000000000000007'), /tagged field 1/);
  assert.throws(() => read('01 63 7f 00'), /does not fit/);
});

test('a tagged field longer than a byte can count keeps its neighbours', () => {
  const feature = { minVersion: 1, maxVersion: 2 };
  const supportedFeatures = Array.from({ length: 40 }, (_, index) => ({
    ...feature,
    name: `feature-${index}`.repeat(1 + (index % 60)),
  }));
  const frame = Buffer.concat(
    encodeResponse('ApiVersions', 3, 1, {
      errorCode: 0,
      apiKeys: [],
      supportedFeatures,
      finalizedFeaturesEpoch: 5,
    }),
  );
  const { body } = decodeResponse('ApiVersions', 3, frame.subarray(4));
  assert.deepEqual(body.supportedFeatures, supportedFeatures);
  assert.equal(body.finalizedFeaturesEpoch, 5);
});

test('a struct that may be null is either', () => {
  for (const assignment of [
    null,
    { topicPartitions: [] },
    { topicPartitions: [{ topicId: zeroUuid, partitions: [1, 2] }] },
  ]) {
    const frame = encodeResponse('ConsumerGroupHeartbeat', 0, 1, {
      errorCode: 0,
      memberEpoch: 1,
      heartbeatIntervalMs: 5000,
      assignment,
    });
    const { body } = decodeResponse('ConsumerGroupHeartbeat', 0, Buffer.concat(frame).subarray(4));
    assert.deepEqual(body.assignment, assignment);
  }
});

test('bytes behind a request are left, behind a response they break the protocol', () => {
  const request = Buffer.concat(encodeRequest('ListGroups', 0, 1, null, {})).subarray(4);
  const { body } = decodeRequestHeader(Buffer.concat([request, Buffer.alloc(3)]));
  decodeRequest('ListGroups', 0, body);
  assert.equal(body.remaining, 3);
  const response = Buffer.concat(
    encodeResponse('SaslHandshake', 0, 1, { errorCode: 0, mechanisms: [] }),
  );
  assert.throws(
    () =>
      decodeResponse('SaslHandshake', 0, Buffer.concat([response.subarray(4), Buffer.alloc(3)])),
    /3 bytes more/,
  );
});

test('the same memory of a plain Uint8Array is read as that of a Buffer', () => {
  const frame = Buffer.concat(encodeRequest('SaslHandshake', 1, 1, null, { mechanism: 'PLAIN' }));
  const plain = new Uint8Array(frame.subarray(4));
  const { body } = decodeRequestHeader(plain);
  assert.deepEqual(decodeRequest('SaslHandshake', 1, body), { mechanism: 'PLAIN' });
});

const ownedPartitions = [{ topic: 'orders', partitions: [0, 3] }];

test('what consumers tell each other is read in every version, and in later ones as far as it is known', () => {
  const subscription = {
    topics: ['orders'],
    userData: Buffer.from('u'),
    ownedPartitions,
    generationId: 4,
    rackId: 'r',
  };
  assert.deepEqual(
    encodeConsumerSubscription(1, subscription),
    unhex(
      '0001 00000001 00066f7264657273 00000001 75 00000001 00066f7264657273 00000002 00000000 00000003',
    ),
  );
  const newest = Buffer.from(encodeConsumerSubscription(3, subscription));
  assert.deepEqual(decodeConsumerSubscription(newest), subscription);
  newest.writeInt16BE(9);
  assert.deepEqual(
    decodeConsumerSubscription(Buffer.concat([newest, Buffer.alloc(5)])),
    subscription,
  );
  assert.throws(() => decodeConsumerSubscription(unhex('ffff')), /no version/);

  const assignment = { assignedPartitions: ownedPartitions, userData: null };
  for (let version = 0; version <= 3; version++) {
    assert.deepEqual(
      decodeConsumerAssignment(encodeConsumerAssignment(version, assignment)),
      assignment,
    );
  }
});

test('reading begins where the reader stands', () => {
  const reader = new ByteReader(unhex('ffff 0005504c41494e'), 2);
  assert.equal(decodeRequest('SaslHandshake', 0, reader).mechanism, 'PLAIN');
});
