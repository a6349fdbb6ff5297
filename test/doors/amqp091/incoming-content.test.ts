import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IncomingContent } from '../../../src/doors/amqp091/incoming-content.ts';

/** Of the chunks of memory that the parts of a body lie in. */
function memoryOf(content: IncomingContent): number {
  const chunks = new Set(content.body.map(({ buffer }) => buffer));
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.byteLength;
  return bytes;
}

function begun(bodyBytes: number): IncomingContent {
  const content = new IncomingContent();
  const header = Buffer.alloc(14);
  header.writeBigUInt64BE(BigInt(bodyBytes), 4);
  content.setHeader(header, 0, header.length);
  return content;
}

for (const partBytes of [1, 100, 4088, 40_000]) {
  test(`parts of ${partBytes} bytes keep no more in memory than twice themselves`, () => {
    const count = 50;
    const content = begun(partBytes * count);
    const expected: Buffer[] = [];
    for (let index = 0; index < count; index++) {
      // The rest of what came in one piece: frames of other channels.
      const chunk = Buffer.alloc(65_536, index);
      content.addBody(chunk, 5000, 5000 + partBytes);
      expected.push(chunk.subarray(5000, 5000 + partBytes));
    }
    assert.deepEqual(Buffer.concat(content.body), Buffer.concat(expected));
    assert.ok(memoryOf(content) <= partBytes * count * 2, `${memoryOf(content)} bytes are held`);
    assert.ok(memoryOf(content) <= content.partialBytes * 2);
  });
}

test('parts that are most of what came stay where they are', () => {
  const content = begun(100_000);
  const chunk = Buffer.alloc(60_000);
  content.addBody(chunk, 100, 50_100);
  assert.equal(content.body[0]?.buffer, chunk.buffer);
});
