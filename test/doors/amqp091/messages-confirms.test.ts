import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PublishConfirms } from '../../../src/doors/amqp091/publish-confirms.ts';

/** The frames in short: `+3` ack 3, `+3*` ack all up to 3, `-2` nack 2. */
function spell(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return '';
  const buffer = Buffer.from(bytes);
  const words: string[] = [];
  for (let at = 0; at < buffer.length; at += 21) {
    assert.equal(buffer.readUInt16BE(at + 1), 5);
    assert.equal(buffer.readUInt32BE(at + 3), 13);
    assert.equal(buffer[at + 20], 0xce);
    const sign = buffer.readUInt16BE(at + 9) === 80 ? '+' : '-';
    words.push(`${sign}${buffer.readBigUInt64BE(at + 11)}${buffer[at + 19] === 1 ? '*' : ''}`);
  }
  return words.join(' ');
}

function publish(confirms: PublishConfirms, count: number, rejected: readonly number[] = []) {
  let batch = confirms.note();
  if (rejected.includes(1)) confirms.reject(batch);
  for (let each = 2; each <= count; each += 1) {
    batch = confirms.note();
    if (rejected.includes(each)) confirms.reject(batch);
  }
  confirms.close();
  return batch;
}

describe('publisher confirms', () => {
  it('confirm many with one frame', () => {
    const confirms = new PublishConfirms(5);
    assert.equal(spell(confirms.settle(publish(confirms, 3), true)), '+3*');
    assert.equal(spell(confirms.settle(publish(confirms, 1), true)), '+4');
    assert.equal(confirms.unconfirmedCount, 0);
  });

  it('come in the order of publishing, whichever is durable first', () => {
    const confirms = new PublishConfirms(5);
    const first = publish(confirms, 2);
    const second = publish(confirms, 2);
    const third = publish(confirms, 1);
    assert.equal(spell(confirms.settle(second, true)), '');
    assert.equal(spell(confirms.settle(first, true)), '+4*');
    assert.equal(confirms.unconfirmedCount, 1);
    assert.equal(spell(confirms.settle(third, true)), '+5');
  });

  it('refuse single messages among those that are taken', () => {
    const confirms = new PublishConfirms(5);
    assert.equal(spell(confirms.settle(publish(confirms, 5, [1, 4]), true)), '-1 +3* -4 +5');
  });

  it('refuse everything that was not stored', () => {
    const confirms = new PublishConfirms(5);
    const first = publish(confirms, 2);
    const second = publish(confirms, 3);
    const third = publish(confirms, 1);
    confirms.settle(second, false);
    confirms.settle(third, true);
    assert.equal(spell(confirms.settle(first, true)), '+2* -5* +6');
  });
});
