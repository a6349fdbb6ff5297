import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonText, ReadyJson } from '../../../src/doors/sqs/json-text.ts';
import * as fc from '../../support/fast-check.ts';

test('answers are written as JSON.stringify writes them', () => {
  const json = new JsonText();
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(JSON.parse(json.write(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
      (value) => {
        assert.equal(json.write(value), JSON.stringify(value));
      },
    ),
  );
});

test('members without a value are left out, and entries of lists are null', () => {
  const json = new JsonText();
  assert.equal(json.write({ a: undefined, b: 1, c: undefined, d: null }), '{"b":1,"d":null}');
  assert.equal(json.write([undefined, true]), '[null,true]');
  assert.equal(json.write({}), '{}');
});

test('what is JSON already stands as it is', () => {
  const json = new JsonText();
  assert.equal(json.write({ list: [new ReadyJson('{"a":1}'), 2] }), '{"list":[{"a":1},2]}');
});

test('it is known when an answer has as many bytes as characters', () => {
  const json = new JsonText();
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const written = json.write({ text });
      if (json.isAscii) assert.equal(Buffer.byteLength(written), written.length);
    }),
  );
  json.write({ a: 'plain ~' });
  assert.ok(json.isAscii);
  json.write({ a: 'ä' });
  assert.ok(!json.isAscii);
});
