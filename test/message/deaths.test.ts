import assert from 'node:assert/strict';
import test from 'node:test';
import { limits } from '../../src/base/index.ts';
import {
  addDeath,
  type Death,
  decodeCopies,
  decodeDeaths,
  encodeCopies,
  encodeDeaths,
} from '../../src/message/index.ts';

const death = { queue: 'q', reason: 'expired', exchange: 'ex', keys: ['k', 'c'] };

test('deaths of one queue and reason are counted together, the newest first', () => {
  let deaths: Death[] = [];
  deaths = addDeath(deaths, { ...death, timeMs: 1, expiration: '60000' });
  deaths = addDeath(deaths, { ...death, reason: 'rejected', timeMs: 2 });
  deaths = addDeath(deaths, { ...death, keys: ['other'], timeMs: 3 });
  assert.deepEqual(deaths, [
    { ...death, count: 2, firstMs: 1, lastMs: 3, expiration: '60000' },
    { ...death, reason: 'rejected', count: 1, firstMs: 2, lastMs: 2 },
  ]);
  assert.deepEqual(decodeDeaths(encodeDeaths(deaths)), deaths);
});

test('the history is bounded', () => {
  let deaths: Death[] = [];
  for (let index = 0; index < limits.deathsMax + 5; index++) {
    deaths = addDeath(deaths, { ...death, queue: `q${index}`, timeMs: index });
  }
  assert.equal(deaths.length, limits.deathsMax);
  assert.equal(deaths[0]!.queue, `q${limits.deathsMax + 4}`);
});

for (const text of ['', '[', 'null', '{}', '[1, null, {"queue": 1}, []]', '[{"queue":"q"}]']) {
  test(`what is no history gives none: ${text}`, () => assert.deepEqual(decodeDeaths(text), []));
}

test('copies come back; what is no list of texts gives none', () => {
  assert.deepEqual(decodeCopies(encodeCopies(['a', 'b'])), ['a', 'b']);
  for (const text of ['', '{}', '[1]', '["a", 2]', 'null'])
    assert.deepEqual(decodeCopies(text), []);
});
