import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../../src/base/index.ts';
import { readPlainHead } from '../../../src/doors/sqs/request-head.ts';

const plain =
  'POST /path?a=b HTTP/1.1\r\nHost: queue:9324\r\nX-Amz-Target:AmazonSQS.SendMessage \r\n';

function read(text: string): ReturnType<typeof readPlainHead> {
  return readPlainHead(Buffer.from(text, 'latin1'));
}

test('a plain head is read with its headers and the length of its body', () => {
  const text = `${plain}Content-Length: 12\r\nAccept: */*\r\n\r\n{"rest of it"`;
  const head = read(text);
  assert.ok(typeof head === 'object');
  assert.equal(head.method, 'POST');
  assert.equal(head.url, '/path?a=b');
  assert.deepEqual(
    { ...head.headers },
    {
      host: 'queue:9324',
      'x-amz-target': 'AmazonSQS.SendMessage',
      'content-length': '12',
      accept: '*/*',
    },
  );
  assert.equal(head.bodyBytes, 12);
  assert.equal(text.slice(head.headBytes), '{"rest of it"');
});

test('every beginning of a plain head asks for more', () => {
  const text = `${plain}Content-Length: 0\r\n\r\n`;
  for (let at = 0; at < text.length; at++)
    assert.equal(read(text.slice(0, at)), 'partial', `${at}`);
  assert.equal(typeof read(text), 'object');
});

const length = 'Content-Length: 3\r\n';
const others: Array<[what: string, text: string]> = [
  ['another method', `GET / HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['another method, as far as it has come', 'PO\0'],
  ['the beginning of TLS', '\u0016\u0003\u0001'],
  ['an older version', `POST / HTTP/1.0\r\nHost: x\r\n${length}\r\n`],
  ['no version', `POST /\r\nHost: x\r\n${length}\r\n`],
  ['the form of a proxy', `POST http://x/ HTTP/1.1\r\nHost: x\r\n${length}\r\n`],
  ['a space in the target', `POST /a b HTTP/1.1\r\nHost: x\r\n${length}\r\n`],
  ['no host', `POST / HTTP/1.1\r\n${length}\r\n`],
  ['no length', `${plain}\r\n`],
  ['a length of two kinds', `${plain}${length}content-length: 3\r\n\r\n`],
  ['a list of lengths', `${plain}Content-Length: 3, 3\r\n\r\n`],
  ['a signed length', `${plain}Content-Length: +3\r\n\r\n`],
  ['a length that is none', `${plain}Content-Length: 0x3\r\n\r\n`],
  ['no digits', `${plain}Content-Length: \r\n\r\n`],
  ['chunks', `${plain}Transfer-Encoding: chunked\r\n\r\n`],
  ['chunks beside a length', `${plain}${length}Transfer-Encoding: chunked\r\n\r\n`],
  ['who expects something', `${plain}${length}Expect: 100-continue\r\n\r\n`],
  ['another protocol', `${plain}${length}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`],
  ['a connection that ends', `${plain}${length}Connection: close\r\n\r\n`],
  ['a header twice', `${plain}${length}X-A: 1\r\nx-a: 2\r\n\r\n`],
  ['a folded header', `${plain}${length}X-A: 1\r\n 2\r\n\r\n`],
  ['a space before the colon', `${plain}${length}X-A : 1\r\n\r\n`],
  ['a header without a name', `${plain}${length}: 1\r\n\r\n`],
  ['a header without a colon', `${plain}${length}X-A\r\n\r\n`],
  ['a line feed alone', `${plain}${length}X-A: 1\nX-B: 2\r\n\r\n`],
  ['a carriage return alone', `${plain}${length}X-A: 1\rX-B: 2\r\n\r\n`],
  ['a zero', `${plain}${length}X-A: \0\r\n\r\n`],
  ['bytes beyond ASCII', `${plain}${length}X-A: \u00e4\r\n\r\n`],
  ['a head without an end', `${plain}X-Long: ${'x'.repeat(limits.webHeadBytesMax)}`],
  [
    'a head that is too long',
    `${plain}${length}X-Long: ${'x'.repeat(limits.webHeadBytesMax)}\r\n\r\n`,
  ],
];

for (const [what, text] of others) {
  test(`left to node:http: ${what}`, () => {
    assert.equal(read(text), 'other');
  });
}

test('a name that every object has is a header like any other', () => {
  const head = read(`${plain}${length}__proto__: a\r\nConstructor: b\r\n\r\n`);
  assert.ok(typeof head === 'object');
  assert.equal(head.headers['constructor'], 'b');
  assert.equal(head.headers['__proto__'], 'a');
});
