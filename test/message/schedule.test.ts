import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import { ProtocolError } from '../../src/base/index.ts';
import { RecordBatchBuilder } from '../../src/bytes/index.ts';
import { HeaderWriter, property, Schedule } from '../../src/message/index.ts';

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const facts = fc.record({
  priority: optional(fc.nat({ max: 4_294_967_295 })),
  deliverAtMs: optional(fc.nat({ max: 999_999_999_999_999 })),
  expiresAtMs: optional(fc.nat({ max: 999_999_999_999_999 })),
  group: optional(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 })),
  dedupId: optional(fc.string({ minLength: 1, maxLength: 20 })),
  noise: fc.array(fc.string({ maxLength: 20 }), { maxLength: 4 }),
});

test('what queues must know is read as it was written, and the writer says the same', () => {
  const writer = new HeaderWriter();
  const schedule = new Schedule();
  fc.assert(
    fc.property(facts, ({ priority, deliverAtMs, expiresAtMs, group, dedupId, noise }) => {
      writer.reset();
      for (const name of noise) writer.header(name, 1);
      if (priority !== undefined) writer.integer(property.priority, priority);
      if (deliverAtMs !== undefined) writer.integer(property.deliverAt, deliverAtMs);
      if (expiresAtMs !== undefined) writer.integer(property.expiresAt, expiresAtMs);
      if (group !== undefined) writer.text(property.group, group);
      if (dedupId !== undefined) writer.text(property.dedupId, dedupId);
      const bytes = Buffer.concat([Buffer.alloc(3), writer.finish()]);
      const isScheduled = schedule.read(bytes, 3, writer.count);
      assert.deepEqual(
        [
          schedule.priority,
          schedule.deliverAtMs,
          schedule.expiresAtMs,
          schedule.group,
          schedule.dedupId,
        ],
        [priority ?? -1, deliverAtMs ?? -1, expiresAtMs ?? -1, group, dedupId],
      );
      assert.deepEqual(
        [writer.priority, writer.deliverAtMs, writer.expiresAtMs, writer.groupId, writer.dedupId],
        [priority, deliverAtMs, expiresAtMs, group, dedupId],
      );
      const given = [priority, deliverAtMs, expiresAtMs, group, dedupId];
      assert.equal(
        isScheduled,
        given.some((value) => value !== undefined),
      );
    }),
  );
});

const wrong: ReadonlyArray<[name: string, value: string]> = [
  ['pabal.priority', '-1'],
  ['pabal.priority', ''],
  ['pabal.priority', '1.5'],
  ['pabal.expires-at', '1234567890123456'],
  ['pabal.deliver-at', 'soon'],
  ['pabal.group', ''],
  ['pabal.groups', 'x'],
  ['pabal.group-sequence', '1'],
  ['xabal.priority', '1'],
];

function batchOf(headers: ReadonlyArray<readonly [string, string]>): Buffer {
  const builder = new RecordBatchBuilder();
  builder.add({
    key: null,
    value: Buffer.from('body'),
    headers: headers.map(([name, value]) => [name, Buffer.from(value)] as const),
    timestampMs: 1,
  });
  return builder.build();
}

/** The batch ends with the headers. */
function headersOf(batch: Buffer, name: string): number {
  return batch.indexOf(name) - 1;
}

for (const [name, value] of wrong) {
  test(`${name} = "${value}" schedules nothing`, () => {
    const batch = batchOf([[name, value]]);
    const schedule = new Schedule();
    assert.equal(schedule.read(batch, headersOf(batch, name), 1), false);
    assert.equal(schedule.group, undefined);
    assert.equal(schedule.dedupId, undefined);
  });
}

test('of a header that is there twice the first counts', () => {
  const batch = batchOf([
    ['pabal.group', 'a'],
    ['pabal.group', 'b'],
    ['pabal.priority', '2'],
    ['pabal.priority', '1'],
  ]);
  const schedule = new Schedule();
  assert.ok(schedule.read(batch, headersOf(batch, 'pabal.group'), 4));
  assert.deepEqual([schedule.group, schedule.priority], ['a', 2]);
});

test('cut headers throw a ProtocolError', () => {
  const writer = new HeaderWriter();
  writer.text(property.group, 'a group');
  const bytes = Buffer.from(writer.finish());
  for (let end = 0; end < bytes.length; end++) {
    assert.throws(() => new Schedule().read(bytes.subarray(0, end), 0, 1), ProtocolError);
  }
});
