import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from '../../../support/fast-check.ts';
import { ByteReader } from '../../../../src/bytes/index.ts';
import { encode, everyMessage, sampleOf } from './every-message.ts';

const messages = everyMessage();

test('what is written is read back the same, whatever surrounds it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...messages),
      fc.integer(),
      fc.uint8Array({ maxLength: 4 }),
      fc.uint8Array({ maxLength: 4 }),
      (message, seed, before, after) => {
        const { value } = sampleOf(message, 'mixed', seed);
        const bytes = encode(message, value);
        const frame = Buffer.concat([before, bytes, after]);
        const reader = new ByteReader(frame, before.length);
        assert.deepEqual(message.codec.read(message.version, reader), value);
        assert.equal(reader.position, before.length + bytes.length);
      },
    ),
    { numRuns: 2000, seed: 20_261_121 },
  );
});
