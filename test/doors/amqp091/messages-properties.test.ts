import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from '../../support/fast-check.ts';
import { ByteWriter } from '../../../src/bytes/index.ts';
import { AmqpError } from '../../../src/doors/amqp091/amqp-error.ts';
import {
  PropertiesEncoder,
  PropertiesWriter,
  restamp,
} from '../../../src/doors/amqp091/message/index.ts';
import {
  ContentHeader,
  type Field,
  property,
  propertyFlag,
  type PropertyIndex,
  writeShortText,
  writeTable,
} from '../../../src/doors/amqp091/wire/index.ts';
import { HeaderWriter, property as stored, readMessage } from '../../../src/message/index.ts';
import type { QueueMessage } from '../../../src/shard/index.ts';

interface Properties {
  headers?: ReadonlyMap<string, Field>;
  octets?: ReadonlyArray<readonly [PropertyIndex, number]>;
  texts?: ReadonlyArray<readonly [PropertyIndex, string]>;
  timestamp?: bigint;
}

const indexes = Object.values(property);

/** Flags and properties as a client writes them. */
function encodeProperties(values: Properties): Buffer {
  const writer = new ByteWriter(256);
  writer.uint16(0);
  let flags = 0;
  const texts = new Map(values.texts);
  const octets = new Map(values.octets);
  for (const index of indexes) {
    const text = texts.get(index);
    const octet = octets.get(index);
    if (text !== undefined) writeShortText(writer, text);
    else if (octet !== undefined) writer.uint8(octet);
    else if (index === property.headers && values.headers) writeTable(writer, values.headers);
    else if (index === property.timestamp && values.timestamp !== undefined) {
      writer.int64(values.timestamp);
    } else continue;
    flags |= propertyFlag(index);
  }
  const bytes = Buffer.from(writer.finish());
  bytes.writeUInt16BE(flags, 0);
  return bytes;
}

function headerOf(properties: Buffer): ContentHeader {
  const header = new ContentHeader();
  const frame = Buffer.concat([Buffer.alloc(12), properties]);
  frame.writeUInt16BE(60, 0);
  header.read(frame, 0, frame.length);
  return header;
}

const encoder = new PropertiesEncoder();
const writer = new PropertiesWriter();
const nowMs = 1_767_225_600_000;

function encode(values: Properties, exchange = '', key = 'q', isDelayed = false) {
  return encoder.encode(
    headerOf(encodeProperties(values)),
    exchange,
    key,
    nowMs,
    isDelayed,
    undefined,
  );
}

function messageOf(headers: Buffer, key: Uint8Array | null, headerCount: number): QueueMessage {
  const bytes = Buffer.concat([headers, key ?? Buffer.alloc(0)]);
  return {
    offset: 7,
    timestampMs: nowMs,
    deliveries: 1,
    failures: 0,
    bytes,
    headersAt: 0,
    headersBytes: headers.length,
    headerCount,
    keyAt: headers.length,
    keyBytes: key === null ? -1 : key.length,
    valueAt: 0,
    valueBytes: 0,
  };
}

/** What a consumer gets of what a publisher gave. */
function passThrough(values: Properties, exchange = '', key = 'q') {
  const { headers, headerCount, key: recordKey } = encode(values, exchange, key);
  return writer.encode(messageOf(headers, recordKey, headerCount), 'q', nowMs, undefined, 100_000);
}

const short = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => text.length > 0);
/** Tables have no order; inside headers, names that are whole numbers come first (as in all objects of JavaScript). */
const innerName = short.filter((text) => !/^\d+$/.test(text));
const leaf: fc.Arbitrary<Field> = fc.oneof(
  fc.boolean().map((value): Field => ({ type: 't', value })),
  fc.integer({ min: -128, max: 127 }).map((value): Field => ({ type: 'b', value })),
  fc.integer({ min: 0, max: 255 }).map((value): Field => ({ type: 'B', value })),
  fc.integer({ min: -32768, max: 32767 }).map((value): Field => ({ type: 's', value })),
  fc.integer({ min: 0, max: 65535 }).map((value): Field => ({ type: 'u', value })),
  fc.integer().map((value): Field => ({ type: 'I', value })),
  fc.nat({ max: 0xffff_ffff }).map((value): Field => ({ type: 'i', value })),
  fc.maxSafeInteger().map((value): Field => ({ type: 'l', value })),
  fc.double({ noNaN: true }).map((value): Field => ({ type: 'd', value })),
  fc.float({ noNaN: true }).map((value): Field => ({ type: 'f', value })),
  fc.nat({ max: 4_000_000_000 }).map((value): Field => ({ type: 'T', value })),
  fc.string({ unit: 'grapheme' }).map((value): Field => ({ type: 'S', value })),
  fc.uint8Array({ maxLength: 12 }).map((value): Field => ({ type: 'x', value })),
  fc.constant<Field>({ type: 'V', value: null }),
  fc
    .record({ scale: fc.nat(9), unscaled: fc.nat(0xffff_ffff) })
    .map((value): Field => ({ type: 'D', value })),
);
const field = fc.letrec<{ field: Field }>((tie) => ({
  field: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('field'), { maxLength: 3 }).map((value): Field => ({ type: 'A', value })),
    fc
      .array(fc.tuple(innerName, tie('field')), { maxLength: 3 })
      .map((entries): Field => ({ type: 'F', value: new Map(entries) })),
  ),
})).field;

function longText(value: string): Field {
  return { type: 'S', value };
}

function keys(...names: string[]): Field {
  return { type: 'A', value: names.map(longText) };
}

describe('properties of a message', () => {
  it('come out as they went in, with every type of header', () => {
    const table = fc
      .array(fc.tuple(short, field), { minLength: 1, maxLength: 6 })
      .map((entries) => new Map(entries.filter(([name]) => !/^(?:CC|BCC|pabal\.)/.test(name))))
      .filter((map) => map.size > 0);
    fc.assert(
      fc.property(table, fc.option(short, { nil: undefined }), (headers, type) => {
        const values: Properties = {
          headers,
          octets: [
            [property.deliveryMode, 2],
            [property.priority, 9],
          ],
          texts: [
            [property.contentType, 'text/plain'],
            [property.correlationId, 'c-1'],
            [property.replyTo, 'answers'],
            [property.messageId, 'm-1'],
            ...(type === undefined ? [] : [[property.type, type] as const]),
            [property.appId, 'app'],
            [property.clusterId, 'cluster'],
          ],
          timestamp: 1_700_000_000n,
        };
        const out = passThrough(values);
        assert.deepEqual(Buffer.from(out.bytes), encodeProperties(values));
        assert.ok(out.isLasting);
      }),
      { numRuns: 300 },
    );
  });

  it('have a table of headers where the publisher gave one, an empty one too, and else none', () => {
    const headers = new Map<string, Field>();
    for (const octets of [
      [],
      [[property.deliveryMode, 2]],
      [[property.deliveryMode, 1]],
    ] as const) {
      for (const exchange of ['', 'shop']) {
        for (const said of [{ octets }, { octets, headers }] satisfies Properties[]) {
          assert.deepEqual(Buffer.from(passThrough(said, exchange).bytes), encodeProperties(said));
        }
      }
    }
  });

  it('have an empty table of headers where nothing but BCC was in it', () => {
    const bcc: Field = { type: 'A', value: [{ type: 'S', value: 'hidden' }] };
    const out = passThrough({ headers: new Map([['BCC', bcc]]) });
    assert.deepEqual(Buffer.from(out.bytes), encodeProperties({ headers: new Map() }));
  });

  it('keep exchange and routing key', () => {
    const values: Properties = { octets: [[property.deliveryMode, 2]] };
    const { exchange, routingKey } = passThrough(values, 'shop', 'order.new');
    assert.deepEqual([exchange, routingKey], ['shop', 'order.new']);
    assert.equal(passThrough(values, 'shop', '').routingKey, '');
    const direct = passThrough(values);
    assert.deepEqual([direct.exchange, direct.routingKey], ['', 'q']);
  });

  it('say when a message expires, anew for each', () => {
    const properties = encode({ texts: [[property.expiration, '60000']] });
    assert.equal(properties.expiresAtMs, nowMs + 60_000);
    const expiry = (): string | undefined =>
      readMessage(properties.headers, 0, properties.headers.length).properties.expiresAt;
    assert.equal(expiry(), String(nowMs + 60_000));
    restamp(properties, nowMs + 5);
    assert.equal(properties.expiresAtMs, nowMs + 60_005);
    assert.equal(expiry(), String(nowMs + 60_005));
    const out = passThrough({ texts: [[property.expiration, '60000']] });
    assert.ok(out.isLasting);
  });

  it('say how long a delayed exchange keeps the message', () => {
    const headers = new Map<string, Field>([['x-delay', { type: 'I', value: 500 }]]);
    const properties = encode({ headers }, 'later', 'k', true);
    assert.equal(properties.deliverAtMs, nowMs + 500);
    restamp(properties, nowMs + 7);
    const { deliverAt } = readMessage(properties.headers, 0, properties.headers.length).properties;
    assert.equal(deliverAt, String(nowMs + 507));
    assert.equal(encode({ headers }, 'other', 'k').deliverAtMs, undefined);
  });

  it('show open copies, and not blind ones', () => {
    const headers = new Map([
      ['CC', keys('a', 'b')],
      ['BCC', keys('c')],
    ]);
    assert.deepEqual(encode({ headers }).copies, ['a', 'b', 'c']);
    const out = passThrough({ headers, octets: [[property.deliveryMode, 2]] });
    const shown = new Map([['CC', keys('a', 'b')]]);
    const wanted = encodeProperties({ headers: shown, octets: [[property.deliveryMode, 2]] });
    assert.deepEqual(Buffer.from(out.bytes), wanted);
  });

  it('take no key from what is no text among their copies', () => {
    const copies: Field = {
      type: 'A',
      value: [
        { type: 'I', value: 1 },
        { type: 'S', value: 'a' },
      ],
    };
    assert.deepEqual(encode({ headers: new Map([['CC', copies]]) }).copies, ['a']);
  });

  it('live for ten years at most', () => {
    const { ttlMs } = encode({ texts: [[property.expiration, '315360000000']] });
    assert.equal(ttlMs, 315_360_000_000);
  });

  for (const [expiration, why] of [
    ['abc', 'no_integer'],
    ['', 'no_integer'],
    ['12x', '{leftover_string,"x"}'],
    ['-1', '{value_negative,-1}'],
    ['315360000001', '{value_too_large,315360000001}'],
  ] as const) {
    it(`are refused with the expiration '${expiration}'`, () => {
      assert.throws(
        () => encode({ texts: [[property.expiration, expiration]] }),
        (error) =>
          error instanceof AmqpError &&
          error.replyText === `PRECONDITION_FAILED - invalid expiration '${expiration}': ${why}`,
      );
    });
  }

  it('of a log producer: its key and headers, the record’s time', () => {
    const source = new HeaderWriter();
    source.reset();
    source.header('trace', 'abc');
    const headers = Buffer.from(source.finish());
    const out = writer.encode(
      messageOf(headers, Buffer.from('user-7'), 1),
      'orders',
      nowMs,
      undefined,
      100_000,
    );
    assert.deepEqual([out.exchange, out.routingKey, out.isLasting], ['', 'orders', false]);
    const wanted = encodeProperties({
      headers: new Map<string, Field>([
        ['trace', { type: 'S', value: 'abc' }],
        ['pabal.key', { type: 'S', value: 'user-7' }],
      ]),
      octets: [[property.deliveryMode, 2]],
      timestamp: BigInt(nowMs / 1000),
    });
    assert.deepEqual(Buffer.from(out.bytes), wanted);
  });

  it('of a dead message tell its deaths', () => {
    const source = new HeaderWriter();
    source.reset();
    source.text(
      stored.deaths,
      JSON.stringify([
        {
          queue: 'a',
          reason: 'rejected',
          count: 2,
          exchange: 'x',
          keys: ['k'],
          firstMs: 5000,
          lastMs: 9000,
        },
      ]),
    );
    source.text(stored.firstDeathQueue, 'a');
    source.text(stored.firstDeathReason, 'rejected');
    source.header('x-death', 'what an application says of it');
    const headers = Buffer.from(source.finish());
    const out = writer.encode(messageOf(headers, null, 1), 'dead', nowMs, undefined, 100_000);
    const death = new Map<string, Field>([
      ['count', { type: 'l', value: 2 }],
      ['reason', longText('rejected')],
      ['queue', longText('a')],
      ['time', { type: 'T', value: 5 }],
      ['exchange', longText('x')],
      ['routing-keys', { type: 'A', value: [longText('k')] }],
    ]);
    const wanted = encodeProperties({
      headers: new Map<string, Field>([
        ['x-death', { type: 'A', value: [{ type: 'F', value: death }] }],
        ['x-first-death-reason', longText('rejected')],
        ['x-first-death-queue', longText('a')],
      ]),
      octets: [[property.deliveryMode, 2]],
    });
    assert.deepEqual(Buffer.from(out.bytes), wanted);
  });

  it('never take more than one frame', () => {
    const headers = new Map<string, Field>(
      Array.from({ length: 200 }, (_unused, index) => [
        `header-${index}`,
        { type: 'S', value: 'x'.repeat(100) },
      ]),
    );
    const { headers: encoded, headerCount } = encode({ headers });
    const out = writer.encode(messageOf(encoded, null, headerCount), 'q', nowMs, undefined, 8000);
    assert.ok(out.bytes.length <= 8000);
    assert.ok(out.bytes.length > 2000);
  });

  it('may nearly fill a frame', () => {
    const headers = new Map<string, Field>([['a', { type: 'S', value: 'x'.repeat(15_000) }]]);
    const { headers: encoded, headerCount } = encode({ headers });
    const message = messageOf(encoded, null, headerCount);
    const whole = Buffer.from(writer.encode(message, 'q', nowMs, undefined, 100_000).bytes);
    const out = writer.encode(message, 'q', nowMs, undefined, whole.length + 16);
    assert.deepEqual(Buffer.from(out.bytes), whole);
    assert.ok(writer.encode(message, 'q', nowMs, undefined, whole.length - 1).bytes.length < 100);
  });
});
