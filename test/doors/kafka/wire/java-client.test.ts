import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { present } from '../../../../src/base/index.ts';
import { ByteReader } from '../../../../src/bytes/index.ts';
import { encode, everySample } from './every-message.ts';

// How the file was made: fixtures/make-java-client.ts.
const lines = readFileSync(join(import.meta.dirname, 'fixtures/java-client.txt'), 'utf8')
  .trimEnd()
  .split('\n');
const bytesByName = new Map(
  lines.map((line) => {
    const at = line.lastIndexOf(' ');
    return [line.slice(0, at), line.slice(at + 1)];
  }),
);

test('every version of every message is written and read as by the Java client', () => {
  const samples = everySample();
  assert.equal(samples.length, bytesByName.size, 'the fixtures are of other messages');
  for (const sample of samples) {
    const { name, version, style, codec, value } = sample;
    const label = `${name} ${version} ${style}`;
    const hex = present(bytesByName.get(label), label);

    assert.equal(encode(sample, value).toString('hex'), hex, `${label} written`);

    const reader = new ByteReader(Buffer.from(hex, 'hex'));
    assert.deepEqual(codec.read(version, reader), value, `${label} read`);
    assert.equal(reader.remaining, 0, `${label} read to its end`);
  }
});
