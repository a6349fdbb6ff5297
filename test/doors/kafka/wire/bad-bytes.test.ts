import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, ProtocolError } from '../../../../src/base/index.ts';
import { ByteReader } from '../../../../src/bytes/index.ts';
import {
  apiKeys,
  type ApiName,
  decodeRequest,
  decodeRequestHeader,
  encodeRequest,
  type RequestInput,
} from '../../../../src/doors/kafka/wire/index.ts';
import { unhex } from './hex.ts';
import { encode, everyMessage, type MessageVersion, sampleOf } from './every-message.ts';

// Thousands of errors are made here, and nobody reads their stacks.
Error.stackTraceLimit = 0;

const messages = everyMessage();

/** Whether the bytes can be read; any other failure than a ProtocolError fails the test. */
function isReadable(message: MessageVersion, bytes: Uint8Array): boolean {
  try {
    message.codec.read(message.version, new ByteReader(bytes));
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

test('a message that is cut off at any byte breaks the protocol', () => {
  for (const message of messages) {
    const bytes = encode(message, sampleOf(message, 'full', message.version).value);
    for (let length = 0; length < bytes.length; length++) {
      if (isReadable(message, bytes.subarray(0, length))) {
        assert.fail(`${message.name} ${message.version} cut to ${length} of ${bytes.length}`);
      }
    }
    assert.ok(isReadable(message, bytes), `${message.name} ${message.version} whole`);
  }
});

test('a message with any one byte changed is read as something else or breaks the protocol', () => {
  const damage = [0xff, 0x80, 0x7f];
  let broken = 0;
  let total = 0;
  // The newest version of each is enough here: it has the most to damage.
  const newest = new Map(messages.map((message) => [message.name, message]));
  for (const message of newest.values()) {
    const bytes = encode(message, sampleOf(message, 'mixed', message.version).value);
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      bytes[at] = damage[at % damage.length]!;
      total++;
      if (!isReadable(message, bytes)) broken++;
      bytes[at] = byte;
    }
  }
  assert.ok(broken > total / 20 && broken < total, `${broken} of ${total}`);
});

/** A Produce request of a version with fixed lengths and one with compact ones, up to its array of topics. */
const upToTopics = {
  8: unhex('ffff ffff 00000000'),
  9: unhex('00 ffff 00000000'),
};

const wrongCounts: ReadonlyArray<[8 | 9, string, RegExp]> = [
  [8, 'ffffffff', /null/],
  [8, 'fffffffe', /-2/],
  [8, '80000000', /-2147483648/],
  [8, '7fffffff', /2147483647/],
  [8, '00000001', /of 1 does not fit/],
  // Six bytes a topic at least.
  [8, '00000003 0000000000000000000000', /of 3 does not fit/],
  [9, '00', /null/],
  [9, '02', /of 1 does not fit/],
  [9, '04 0000000000000000', /of 3 does not fit/],
  [9, 'ffffffff0f', /4294967294/],
  [9, 'ffffffffff01', /varia/],
  [9, '80', /ends before/],
];

for (const [version, count, message] of wrongCounts) {
  test(`Produce ${version} refuses an array count of ${count}`, () => {
    const body = Buffer.concat([upToTopics[version], unhex(count)]);
    assert.throws(() => decodeRequest('Produce', version, new ByteReader(body)), {
      name: 'ProtocolError',
      message,
    });
  });
}

test('a count that its bytes could hold is refused when the message has too many elements', () => {
  assert.throws(
    () =>
      decodeRequest('DescribeGroups', 0, new ByteReader(emptyStrings(limits.wireElementsMax + 1))),
    /more than 1000000 elements/,
  );
  const most = decodeRequest(
    'DescribeGroups',
    0,
    new ByteReader(emptyStrings(limits.wireElementsMax)),
  );
  assert.equal(most.groups.length, limits.wireElementsMax);
});

test('a text is as long as 16 bits can tell, also where its length has more', () => {
  const most = 'g'.repeat(limits.wireTextBytesMax);
  assert.deepEqual(bodyOf('DescribeGroups', ofGroup(most)).groups, [most]);
  // More bytes than characters.
  for (const more of [`${most}g`, '\u20ac'.repeat(limits.wireTextBytesMax / 2)]) {
    const bytes = Buffer.byteLength(more);
    assert.throws(() => bodyOf('DescribeGroups', ofGroup(more)), {
      name: 'ProtocolError',
      message: new RegExp(`of ${bytes} does not fit`),
    });
  }
});

function ofGroup(groupId: string): Buffer {
  return frameOf('DescribeGroups', 5, { groups: [groupId], includeAuthorizedOperations: false });
}

function emptyStrings(count: number): Buffer {
  const body = Buffer.alloc(4 + 2 * count);
  body.writeInt32BE(count, 0);
  return body;
}

test('a 64-bit integer outside the safe ones is refused, or taken as the nearest where that is meant', () => {
  const deleteRecords = frameOf('DeleteRecords', 0, {
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 0 }] }],
    timeoutMs: 1,
  });
  // The offset is followed by the timeout.
  deleteRecords.writeBigInt64BE(2n ** 53n, deleteRecords.length - 12);
  assert.throws(() => bodyOf('DeleteRecords', deleteRecords), /too large/);

  const listOffsets = frameOf('ListOffsets', 1, {
    replicaId: -1,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: 0 }] }],
  });
  for (const [written, expected] of [
    [2n ** 63n - 1n, Number.MAX_SAFE_INTEGER],
    [-(2n ** 63n), Number.MIN_SAFE_INTEGER],
    [-2n, -2],
  ] as const) {
    listOffsets.writeBigInt64BE(written, listOffsets.length - 8);
    const { topics } = bodyOf('ListOffsets', listOffsets);
    assert.equal(topics[0]?.partitions[0]?.timestamp, expected);
  }
});

test('a header that is cut off at any byte breaks the protocol', () => {
  for (const version of [0, 3]) {
    const frame = frameOf('ApiVersions', version, {}, 'some client');
    const bodyBytes = version === 0 ? 0 : 3;
    for (let length = 0; length < frame.length - bodyBytes; length++) {
      assert.throws(() => decodeRequestHeader(frame.subarray(0, length)), ProtocolError);
    }
    assert.equal(decodeRequestHeader(frame).clientId, 'some client');
  }
});

test('a version that there is not breaks the protocol', () => {
  for (const { name, versions } of Object.values(apiKeys)) {
    for (const version of [versions.min - 1, versions.max + 1]) {
      const reader = new ByteReader(Buffer.alloc(64));
      assert.throws(() => decodeRequest(name, version, reader), /has no version/);
    }
  }
});

function frameOf<N extends ApiName>(
  api: N,
  version: number,
  body: RequestInput<N>,
  clientId = 'c',
): Buffer {
  return Buffer.concat(encodeRequest(api, version, 1, clientId, body)).subarray(4);
}

function bodyOf<N extends ApiName>(api: N, frame: Uint8Array) {
  const header = decodeRequestHeader(frame);
  return decodeRequest(api, header.apiVersion, header.body);
}
