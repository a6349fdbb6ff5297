import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProtocolError } from '../../../src/base/index.ts';
import { ByteWriter } from '../../../src/bytes/index.ts';
import {
  ContentHeader,
  decodeArguments,
  deliverFrameBytes,
  encodeDeliverPrefix,
  encodeMethod,
  type Field,
  type FieldTable,
  findMethod,
  FrameFault,
  FrameReader,
  frameEnd,
  frameType,
  headerFrameBytes,
  keyOfMethod,
  MalformedText,
  type Method,
  type MethodName,
  methodNames,
  methods,
  property,
  PublishArguments,
  readAckMultiple,
  readAckTag,
  readMethodKey,
  readTable,
  spellMethod,
  writeDeliver,
  writeHeaderStart,
  writeTable,
} from '../../../src/doors/amqp091/wire/index.ts';
import { capturedStreams } from './captured-streams.ts';

interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: string;
}

function takeAll(reader: FrameReader): Frame[] {
  const frames: Frame[] = [];
  while (reader.next()) {
    const { type, channel, bytes, start, end } = reader;
    frames.push({ type, channel, payload: bytes.toString('hex', start, end) });
  }
  return frames;
}

/** A stream without its protocol header, as frames. */
function framesOf(stream: Buffer): Frame[] {
  const reader = new FrameReader(131_072);
  reader.push(stream);
  reader.takeRaw(8);
  return takeAll(reader);
}

describe('FrameReader', () => {
  for (const [client, stream] of Object.entries(capturedStreams)) {
    test(`gives the same frames of ${client} wherever its bytes are cut`, () => {
      const whole = framesOf(stream);
      assert.ok(whole.length >= 7);
      for (let pieceBytes = 1; pieceBytes < 40; pieceBytes += 1) {
        const reader = new FrameReader(131_072);
        const frames: Frame[] = [];
        let hasHeader = false;
        for (let at = 0; at < stream.length; at += pieceBytes) {
          reader.push(stream.subarray(at, at + pieceBytes));
          hasHeader ||= reader.takeRaw(8) !== undefined;
          if (hasHeader) frames.push(...takeAll(reader));
        }
        assert.deepEqual(frames, whole, `pieces of ${pieceBytes}`);
        assert.equal(reader.isMidFrame, false);
        assert.equal(reader.heldBytes, 0);
        assert.equal(reader.count, whole.length);
      }
    });
  }

  test('takes what comes in several chunks while its owner waits', () => {
    const stream = capturedStreams['amqplib']!.subarray(8);
    const reader = new FrameReader(131_072);
    for (let at = 0; at < stream.length; at += 100) reader.push(stream.subarray(at, at + 100));
    assert.deepEqual(takeAll(reader), framesOf(capturedStreams['amqplib']!));
  });

  test('refuses a length beyond the limit before anything of it has come', () => {
    const reader = new FrameReader(4096);
    reader.push(Buffer.from([1, 0, 1, 0x7f, 0xff, 0xff, 0xff]));
    assert.throws(
      () => reader.next(),
      (error: unknown) =>
        error instanceof FrameFault &&
        error.payloadBytes === 0x7fff_ffff &&
        error.reason.kind === 'too-large',
    );
  });

  test('sets memory aside for what has come, not for what is announced', () => {
    const reader = new FrameReader(16 * 1024 * 1024);
    reader.push(Buffer.from([3, 0, 1, 0, 0xff, 0, 0, 9, 9]));
    assert.equal(reader.next(), false);
    assert.equal(reader.isMidFrame, true);
    assert.ok(reader.heldBytes <= 4096, String(reader.heldBytes));
  });

  test('a frame of 1 MiB arrives whole in pieces', () => {
    const payload = Buffer.alloc(1024 * 1024, 'abc');
    const frame = Buffer.concat([
      Buffer.from([3, 0, 7, 0, 0x10, 0, 0]),
      payload,
      Buffer.from([frameEnd]),
    ]);
    const reader = new FrameReader(payload.length);
    for (let at = 0; at < frame.length; at += 65_536) {
      reader.push(frame.subarray(at, at + 65_536));
      const isDone = reader.next();
      assert.equal(isDone, at + 65_536 >= frame.length);
    }
    assert.equal(reader.channel, 7);
    assert.ok(payload.equals(reader.bytes.subarray(reader.start, reader.end)));
  });

  test('a frame without its end octet is a fault', () => {
    const reader = new FrameReader(4096);
    reader.push(Buffer.from([1, 0, 1, 0, 0, 0, 2, 8, 9, 0x41]));
    assert.throws(() => reader.next(), FrameFault);
  });
});

const everyLetter: ReadonlyArray<readonly [Field, string]> = [
  [{ type: 't', value: true }, '7401'],
  [{ type: 'b', value: -2 }, '62fe'],
  [{ type: 'B', value: 254 }, '42fe'],
  [{ type: 's', value: -2 }, '73fffe'],
  [{ type: 'u', value: 65_534 }, '75fffe'],
  [{ type: 'I', value: -2 }, '49fffffffe'],
  [{ type: 'i', value: 4_294_967_294 }, '69fffffffe'],
  [{ type: 'l', value: -2 }, '6cfffffffffffffffe'],
  [{ type: 'l', value: 0x7fff_ffff_ffff_ffffn }, '6c7fffffffffffffff'],
  [{ type: 'f', value: 0.5 }, '663f000000'],
  [{ type: 'd', value: -0.25 }, '64bfd0000000000000'],
  [{ type: 'D', value: { scale: 2, unscaled: 12_345 } }, '440200003039'],
  [{ type: 'S', value: 'häh' }, '530000000468c3a468'],
  [{ type: 'T', value: 1_700_000_000 }, '54000000006553f100'],
  [{ type: 'V', value: null }, '56'],
  [{ type: 'x', value: Buffer.from([0, 255]) }, '780000000200ff'],
  [
    {
      type: 'A',
      value: [
        { type: 'I', value: 1 },
        { type: 'S', value: 'a' },
      ],
    },
    '410000000b4900000001530000000161',
  ],
  [{ type: 'F', value: new Map([['k', { type: 't', value: false }]]) }, '4600000004016b7400'],
];

describe('field tables', () => {
  for (const [field, hex] of everyLetter) {
    test(`${field.type} ${hex} is read and written`, () => {
      const entry = Buffer.from(`016e${hex}`, 'hex');
      const table: FieldTable = new Map([['n', field]]);
      assert.deepEqual(readTable(entry, 0, entry.length), table);
      const writer = new ByteWriter();
      writeTable(writer, table);
      assert.equal(writer.finish().toString('hex', 4), entry.toString('hex'));
    });
  }

  test('L is read as a signed number of 64 bits and written as l', () => {
    const entry = Buffer.from('016e4cffffffffffffffff', 'hex');
    assert.deepEqual(readTable(entry, 0, entry.length).get('n'), { type: 'l', value: -1 });
  });

  const lies: ReadonlyArray<readonly [string, string]> = [
    ['a name that is longer than the table', '0961'],
    ['no type', '0161'],
    ['an unknown letter', '01615a00'],
    ['a string that is longer than the table', '016153000000636162'],
    ['a string of 4 GiB', '016153ffffffff61'],
    ['a number that is cut off', '01614900'],
    ['an inner table that is longer than the outer one', '016146000000ff0162'],
    ['a length that is cut off', '016153000000'],
  ];
  for (const [name, hex] of lies) {
    test(`${name} is refused`, () => {
      const bytes = Buffer.from(hex, 'hex');
      assert.throws(() => readTable(bytes, 0, bytes.length), ProtocolError);
    });
  }

  test('arrays that are nested without end are refused', () => {
    let bytes = Buffer.alloc(0);
    for (let depth = 0; depth < 200; depth += 1) {
      const head = Buffer.alloc(5);
      head[0] = 0x41;
      head.writeUInt32BE(bytes.length, 1);
      bytes = Buffer.concat([head, bytes]);
    }
    const entry = Buffer.concat([Buffer.from([1, 0x61]), bytes]);
    assert.throws(() => readTable(entry, 0, entry.length), /nested too deeply/);
  });
});

const samples = {
  octet: 200,
  short: 65_000,
  long: 4_000_000_000,
  longlong: 2 ** 53 - 1,
  shortstr: 'käse',
  longstr: Buffer.from([0, 1, 2, 255]),
  table: new Map<string, Field>([['a', { type: 'S', value: 'b' }]]),
};

/** Something in every field; bits in turn. */
function sampleOf(name: MethodName): Record<string, unknown> {
  const method: Method = methods[name];
  let bit = false;
  return Object.fromEntries(
    Object.entries(method.fields).map(([field, kind]) => {
      if (kind !== 'bit') return [field, samples[kind]];
      bit = !bit;
      return [field, bit];
    }),
  );
}

describe('methods', () => {
  for (const name of methodNames) {
    test(`${spellMethod(name)} is read as it was written, and nothing shorter or longer`, () => {
      const values = sampleOf(name);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/no-explicit-any -- made by its description
      const frame = encodeMethod(3, name, values as never);
      assert.equal(frame[0], frameType.method);
      assert.equal(frame.readUInt16BE(1), 3);
      assert.equal(frame.readUInt32BE(3), frame.length - 8);
      assert.equal(frame.at(-1), frameEnd);
      const end = frame.length - 1;
      assert.equal(readMethodKey(frame, 7, end), keyOfMethod(name));
      assert.equal(findMethod(keyOfMethod(name)), name);
      assert.deepEqual({ ...decodeArguments(name, frame, 11, end) }, values);
      const longer = Buffer.concat([frame.subarray(0, end), Buffer.from([1])]);
      assert.throws(() => decodeArguments(name, longer, 11, longer.length), ProtocolError);
      if (end > 11) {
        assert.throws(() => decodeArguments(name, frame, 11, end - 1), ProtocolError);
      }
    });
  }

  test('a short string that is not UTF-8 is told apart', () => {
    const bytes = Buffer.from([0, 0, 2, 0xff, 0xfe, 0]);
    assert.throws(() => decodeArguments('queuePurge', bytes, 0, bytes.length), MalformedText);
  });

  test('what amqplib sent is understood, types and all', () => {
    const names: string[] = [];
    let declared: ReturnType<typeof decodeArguments<'queueDeclare'>> | undefined;
    const reader = new FrameReader(131_072);
    reader.push(capturedStreams['amqplib']!.subarray(8));
    while (reader.next()) {
      if (reader.type !== frameType.method) continue;
      const { bytes, start, end } = reader;
      const name = findMethod(readMethodKey(bytes, start, end))!;
      names.push(spellMethod(name));
      const values = decodeArguments(name, bytes, start + 4, end);
      if (name === 'queueDeclare') declared = decodeArguments(name, bytes, start + 4, end);
      if (name === 'connectionStartOk') {
        assert.deepEqual(Object.keys(values), [
          'clientProperties',
          'mechanism',
          'response',
          'locale',
        ]);
      }
    }
    assert.deepEqual(names, [
      'connection.start_ok',
      'connection.tune_ok',
      'connection.open',
      'channel.open',
      'queue.declare',
      'basic.publish',
      'queue.delete',
      'connection.close',
    ]);
    assert.equal(declared?.queue, 'h6.cap');
    assert.equal(declared.durable, true);
    assert.deepEqual(Object.fromEntries(declared.arguments), {
      'x-message-ttl': { type: 's', value: 1000 },
      'x-dead-letter-exchange': { type: 'S', value: 'dlx' },
      'x-max-length': { type: 'b', value: 10 },
      'x-n': { type: 'b', value: -1 },
      'x-big': { type: 'l', value: 2 ** 40 },
      'x-f': { type: 'd', value: 1.5 },
      'x-b': { type: 't', value: true },
      'x-nest': {
        type: 'F',
        value: new Map([
          [
            'a',
            {
              type: 'A',
              value: [
                { type: 'S', value: 'b' },
                { type: 'b', value: 1 },
              ],
            },
          ],
        ]),
      },
    });
  });
});

describe('the fast path', () => {
  test('writes basic.deliver as the general writer does', () => {
    for (const [exchange, key] of [
      ['', ''],
      ['x', 'a.b'],
      ['e'.repeat(255), 'k'.repeat(255)],
    ] as const) {
      const prefix = encodeDeliverPrefix(9, 'ctag');
      const target = Buffer.alloc(1000);
      const end = writeDeliver(
        target,
        5,
        prefix,
        123_456_789_012,
        true,
        Buffer.from(`..${exchange}`),
        2,
        exchange.length,
        Buffer.from(`.${key}`),
        1,
        key.length,
      );
      assert.equal(end - 5, deliverFrameBytes(prefix, exchange.length, key.length));
      const expected = encodeMethod(9, 'basicDeliver', {
        consumerTag: 'ctag',
        deliveryTag: 123_456_789_012,
        redelivered: true,
        exchange,
        routingKey: key,
      });
      assert.equal(target.toString('hex', 5, end), expected.toString('hex'));
    }
  });

  test('reads basic.ack as the general codec writes it', () => {
    const expected = encodeMethod(258, 'basicAck', { deliveryTag: 2 ** 40 + 1, multiple: true });
    assert.equal(readAckTag(expected, 7, expected.length - 1), 2 ** 40 + 1);
    assert.equal(readAckMultiple(expected, expected.length - 1), true);
    assert.throws(() => readAckTag(expected, 7, expected.length - 2), ProtocolError);
  });

  test('reads basic.publish without copying, and nothing shorter or longer', () => {
    const frame = encodeMethod(1, 'basicPublish', {
      ticket: 0,
      exchange: 'amq.topic',
      routingKey: 'a.b',
      mandatory: true,
      immediate: false,
    });
    const found = new PublishArguments();
    const end = frame.length - 1;
    found.read(frame, 7, end);
    const text = (at: number, length: number): string => frame.toString('utf8', at, at + length);
    assert.equal(text(found.exchangeAt, found.exchangeBytes), 'amq.topic');
    assert.equal(text(found.keyAt, found.keyBytes), 'a.b');
    assert.deepEqual([found.isMandatory, found.isImmediate], [true, false]);
    for (const wrong of [end - 1, end + 1, 7, 8, 14]) {
      assert.throws(() => found.read(frame, 7, wrong), ProtocolError, String(wrong));
    }
  });
});

describe('content headers', () => {
  test('what amqplib sent is found where it lies', () => {
    const reader = new FrameReader(131_072);
    reader.push(capturedStreams['amqplib']!.subarray(8));
    do assert.ok(reader.next());
    while (reader.type !== frameType.header);
    const header = new ContentHeader();
    header.read(reader.bytes, reader.start, reader.end);
    assert.equal(header.classId, 60);
    assert.equal(header.bodyBytes, 2);
    assert.equal(header.text(property.contentType), 'text/plain');
    assert.equal(header.text(property.correlationId), 'c1');
    assert.equal(header.octet(property.priority), 3);
    assert.equal(header.octet(property.deliveryMode), undefined);
    assert.equal(header.has(property.messageId), false);
    const at = header.at[property.headers]!;
    assert.deepEqual(readTable(header.bytes, at, at + header.size[property.headers]!).get('k'), {
      type: 'S',
      value: 'v',
    });
    for (let end = reader.start; end < reader.end; end += 1) {
      assert.throws(() => header.read(reader.bytes, reader.start, end), ProtocolError);
    }
  });

  test('flags that no property has are refused', () => {
    const payload = Buffer.alloc(14);
    payload.writeUInt16BE(60, 0);
    payload.writeUInt16BE(1, 12);
    assert.throws(() => new ContentHeader().read(payload, 0, 14), /unknown property flags/);
  });

  test('what is written is read again', () => {
    const list = Buffer.from([3, 0x61, 0x2f, 0x62, 2]);
    const target = Buffer.alloc(64);
    const at = writeHeaderStart(target, 0, 4, 2 ** 33, 0x9000, list.length);
    list.copy(target, at);
    target[at + list.length] = frameEnd;
    const frameBytes = headerFrameBytes(list.length);
    const reader = new FrameReader(4096);
    reader.push(target.subarray(0, frameBytes));
    assert.ok(reader.next());
    const header = new ContentHeader();
    header.read(reader.bytes, reader.start, reader.end);
    assert.equal(header.bodyBytes, 2 ** 33);
    assert.equal(header.text(property.contentType), 'a/b');
    assert.equal(header.octet(property.deliveryMode), 2);
  });
});
