import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import { ProtocolError } from '../../src/base/index.ts';
import { BufferPool, LengthPrefixedFrames } from '../../src/net/index.ts';

const frameBytesMax = 1_000_000;

function frameOf(body: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + body.length);
  frame.writeInt32BE(body.length);
  frame.set(body, 4);
  return frame;
}

function lengthOnly(length: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeInt32BE(length);
  return header;
}

test('frames come out as they went in, wherever the chunks are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      fc.boolean(),
      (bodies, cuts, areAllPushedFirst) => {
        const stream = Buffer.concat(bodies.map(frameOf));
        const frames = new LengthPrefixedFrames(frameBytesMax, new BufferPool());
        const received: Uint8Array[] = [];
        const take = (): void => {
          for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
            received.push(Uint8Array.from(frame));
          }
        };
        for (let position = 0, cut = 0; position < stream.length; cut += 1) {
          const end = position + cuts[cut % cuts.length]!;
          frames.push(stream.subarray(position, end));
          position = end;
          if (!areAllPushedFirst) take();
        }
        take();
        assert.deepEqual(
          received.map((frame) => Buffer.from(frame)),
          bodies.map((body) => Buffer.from(body)),
        );
        assert.equal(frames.heldBytes, 0);
        assert.equal(frames.isMidFrame, false);
        assert.equal(frames.count, bodies.length);
      },
    ),
  );
});

test('a frame that lies in one chunk is a slice of it, without a copy', () => {
  const frames = new LengthPrefixedFrames(frameBytesMax, new BufferPool());
  const chunk = Buffer.concat([frameOf(Buffer.from('one')), frameOf(Buffer.from('two'))]);
  frames.push(chunk);
  assert.equal(frames.next()?.buffer, chunk.buffer);
  assert.equal(frames.takeAssembled(), undefined);
  assert.equal(Buffer.from(frames.next()!).toString(), 'two');
});

test('memory grows with what has arrived, not with what was announced', () => {
  const frames = new LengthPrefixedFrames(frameBytesMax, new BufferPool());
  frames.push(lengthOnly(frameBytesMax));
  assert.equal(frames.next(), undefined);
  assert.equal(frames.heldBytes, 0);
  assert.equal(frames.isMidFrame, true);
  frames.push(Buffer.alloc(1000));
  assert.equal(frames.next(), undefined);
  assert.ok(frames.heldBytes <= 16_000, `${frames.heldBytes} bytes held for 1000`);
});

test('an assembled buffer is reused once it was given back', () => {
  const pool = new BufferPool();
  const frames = new LengthPrefixedFrames(frameBytesMax, pool);
  const body = Buffer.alloc(100_000, 7);
  const receive = (): Uint8Array => {
    const bytes = frameOf(body);
    frames.push(bytes.subarray(0, 60_000));
    assert.equal(frames.next(), undefined);
    frames.push(bytes.subarray(60_000));
    const frame = frames.next();
    assert.ok(frame !== undefined && body.equals(frame));
    return frame;
  };
  const first = receive();
  const buffer = frames.takeAssembled();
  assert.ok(buffer !== undefined);
  pool.give(buffer);
  assert.equal(receive().buffer, first.buffer);
});

for (const [what, length] of [
  ['negative', -1],
  ['most negative', -0x80000000],
  ['one beyond the limit', frameBytesMax + 1],
  ['largest', 0x7fffffff],
] as const) {
  test(`a ${what} length is refused`, () => {
    const frames = new LengthPrefixedFrames(frameBytesMax, new BufferPool());
    frames.push(lengthOnly(length));
    assert.throws(() => frames.next(), ProtocolError);
  });
}
