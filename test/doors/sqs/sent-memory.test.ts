import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SentMemory, textForm } from '../../../src/doors/sqs/sent-memory.ts';

test('what was noted is found by its whole place and time', () => {
  const memory = new SentMemory();
  memory.note('topic', 3, 70_000, 5, 'id', 'digest', textForm.ascii);
  const slot = memory.find('topic', 3, 70_000, 5);
  assert.ok(slot >= 0);
  assert.equal(memory.idAt(slot), 'id');
  assert.equal(memory.digestAt(slot), 'digest');
  assert.equal(memory.formAt(slot), textForm.ascii);
  for (const [topic, partition, offset, timestampMs] of [
    ['other', 3, 70_000, 5],
    ['topic', 2, 70_000, 5],
    ['topic', 3, 70_001, 5],
    ['topic', 3, 70_000 + 4096, 5],
    ['topic', 3, 70_000, 6],
  ] as const) {
    assert.equal(memory.find(topic, partition, offset, timestampMs), -1);
  }
});

test('nothing is found in an empty memory', () => {
  assert.equal(new SentMemory().find('', 0, 0, 0), -1);
});

test('the newest of each queue are remembered, and no more than there is room for', () => {
  const memory = new SentMemory();
  const count = 20_000;
  for (let offset = 0; offset < count; offset++) {
    memory.note('topic', 0, offset, 1, `id${offset}`, `digest${offset}`, textForm.plain);
  }
  let found = 0;
  for (let offset = 0; offset < count; offset++) {
    const slot = memory.find('topic', 0, offset, 1);
    if (slot < 0) continue;
    found++;
    assert.equal(memory.idAt(slot), `id${offset}`);
    assert.equal(memory.digestAt(slot), `digest${offset}`);
  }
  assert.equal(found, 4096);
  assert.ok(memory.find('topic', 0, count - 1, 1) >= 0);
});

test('a place beyond what the memory can hold is not mistaken for another', () => {
  const memory = new SentMemory();
  memory.note('topic', 0x1_0001, 7, 1, 'id', 'digest', textForm.plain);
  assert.equal(memory.find('topic', 1, 7, 1), -1);
});
