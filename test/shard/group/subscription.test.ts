import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProtocolError } from '../../../src/base/index.ts';
import {
  decodeConsumerAssignment,
  decodeConsumerSubscription,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
} from '../../../src/doors/kafka/wire/index.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  findSubscribedTopics,
} from '../../../src/shard/group/index.ts';

const userData = new Uint8Array([1, 2, 3]);
const owned = [{ topic: 'orders', partitions: [0, 7] }];
const full = { topics: ['orders', 'zählung'], userData, owned, generation: 5, rackId: 'r1' };

describe('a subscription', () => {
  for (let version = 0; version <= 3; version++) {
    test(`of version ${version} is the same for remote clients`, () => {
      const bytes = encodeSubscription(full, version);
      const remote = decodeConsumerSubscription(bytes);
      assert.deepEqual(remote.topics, full.topics);
      assert.deepEqual([...(remote.userData ?? [])], [...userData]);
      assert.deepEqual(remote.ownedPartitions, version >= 1 ? owned : []);
      assert.equal(remote.generationId, version >= 2 ? 5 : -1);
      assert.equal(remote.rackId, version >= 3 ? 'r1' : null);
      assert.deepEqual(Buffer.from(encodeConsumerSubscription(version, remote)), bytes);
      const { rackId, ...rest } = decodeSubscription(bytes);
      assert.equal(rackId, version >= 3 ? 'r1' : undefined);
      assert.deepEqual(rest, {
        topics: full.topics,
        userData,
        owned: version >= 1 ? owned : [],
        generation: version >= 2 ? 5 : -1,
      });
    });
  }

  test('of a newer version is read as far as it is known', () => {
    const bytes = Buffer.concat([encodeSubscription(full), Buffer.from('more')]);
    bytes.writeInt16BE(9, 0);
    assert.deepEqual(decodeSubscription(bytes), full);
  });

  test('without user data or rack has none', () => {
    const bytes = Buffer.from(
      encodeConsumerSubscription(3, { topics: [], userData: null, rackId: null }),
    );
    assert.deepEqual(decodeSubscription(bytes), {
      topics: [],
      userData: new Uint8Array(0),
      owned: [],
      generation: -1,
    });
  });
});

test('topics are found in a subscription that lacks what its version says', () => {
  const bytes = encodeSubscription(full, 0);
  bytes.writeInt16BE(1, 0);
  assert.throws(() => decodeSubscription(bytes), ProtocolError);
  assert.deepEqual(findSubscribedTopics(bytes), new Set(full.topics));
  assert.equal(findSubscribedTopics(bytes.subarray(0, -1)), undefined);
});

describe('an assignment', () => {
  for (let version = 0; version <= 3; version++) {
    test(`of version ${version} is the same for remote clients`, () => {
      const none = encodeAssignment({ partitions: owned, userData: new Uint8Array(0) }, version);
      assert.equal(none.readInt32BE(none.length - 4), -1);
      const bytes = encodeAssignment({ partitions: owned, userData }, version);
      const remote = decodeConsumerAssignment(bytes);
      assert.deepEqual(remote.assignedPartitions, owned);
      assert.deepEqual(Buffer.from(encodeConsumerAssignment(version, remote)), bytes);
      assert.deepEqual(decodeAssignment(bytes), { partitions: owned, userData });
    });
  }

  test('of no bytes is empty', () => {
    assert.deepEqual(decodeAssignment(new Uint8Array(0)).partitions, []);
  });
});

describe('bad bytes are a protocol error:', () => {
  const good = encodeSubscription(full);
  const cases: [string, Buffer][] = [
    ['a negative version', Buffer.from([0xff, 0xff, 0, 0, 0, 0])],
    ['a negative count', Buffer.from([0, 0, 0xff, 0xff, 0xff, 0xfe])],
    ['a huge count', Buffer.from([0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 1, 65])],
    ['a negative length', Buffer.from([0, 0, 0, 0, 0, 1, 0xff, 0xff])],
    ['nothing', Buffer.alloc(0)],
  ];
  for (const [name, bytes] of cases) {
    test(name, () => {
      assert.throws(() => decodeSubscription(bytes), ProtocolError);
    });
  }

  test('every cut', () => {
    for (let length = 0; length < good.length; length++) {
      assert.throws(() => decodeSubscription(good.subarray(0, length)), ProtocolError);
    }
  });
});
