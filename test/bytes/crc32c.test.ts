import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import { crc32c, crc32cRange } from '../../src/bytes/index.ts';
import { tableCrc32c } from '../../src/bytes/crc32c.ts';

test('the check value and the vectors of RFC 3720 B.4', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
  const vectors: [Uint8Array, number][] = [
    [Buffer.from('123456789'), 0xe3069283],
    [new Uint8Array(0), 0],
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [ascending, 0x46dd794e],
    [ascending.toReversed(), 0x113fdb5c],
  ];
  for (const [bytes, crc] of vectors) assert.equal(crc32c(bytes), crc);
});

test('tables and native code agree at every length around the switch, at any alignment', () => {
  const bytes = Uint8Array.from({ length: 400 }, (_, index) => (index * 167) ^ (index >> 3));
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const expected = tableCrc32c(bytes, start, end, 0);
      assert.equal(crc32cRange(bytes, start, end), expected);
      assert.equal(crc32c(bytes.subarray(start, end)), expected);
    }
  }
});

test('a CRC that goes on from a seed is the CRC of the whole', () => {
  const long = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(long, long, (first, second) => {
      const whole = Buffer.concat([first, second]);
      assert.equal(crc32c(second, crc32c(first)), crc32c(whole));
      assert.equal(crc32cRange(whole, first.length, whole.length, crc32c(first)), crc32c(whole));
    }),
    { seed: 1 },
  );
});
