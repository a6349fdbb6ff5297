import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../src/server/log.ts';

async function capture(form: 'auto' | 'text' | 'json', isTTY: boolean): Promise<string> {
  let output = '';
  const sink = {
    isTTY,
    write(text: string) {
      output += text;
    },
  };
  const log = await createLog(form, 'info', sink);
  log.debug({}, 'not shown');
  log.warn({ topic: 'a b', count: 3 }, 'something happened');
  log.error({ err: new Error('boom') }, 'worse');
  return output;
}

test('a terminal gets one readable line each, with the stack of an error', async () => {
  const lines = (await capture('auto', true)).split('\n');
  assert.match(
    lines[0] ?? '',
    /\d\d:\d\d:\d\d\.\d{3} warn {2}something happened {2}topic=a b {2}count=3/,
  );
  assert.match(lines[1] ?? '', /error worse {2}error="boom"/);
  assert.match(lines[2] ?? '', /Error: boom/);
});

test('text on no terminal has no colours', async () => {
  assert.ok(!(await capture('text', false)).includes('\u001b'));
});

test('a pipe gets one JSON object each', async () => {
  const lines = (await capture('auto', false)).trimEnd().split('\n');
  const [first, second] = lines.map((line) => JSON.parse(line));
  assert.equal(lines.length, 2);
  assert.equal(first.level, 'warn');
  assert.equal(first.topic, 'a b');
  assert.equal(first.msg, 'something happened');
  assert.ok(!Number.isNaN(Date.parse(first.time)));
  assert.equal(second.err.message, 'boom');
});

test('what peers say begins no line of its own and says nothing to a terminal', async () => {
  let output = '';
  const sink = { isTTY: true, write: (text: string) => void (output += text) };
  const log = await createLog('text', 'info', sink);
  const forged = 'x\n12:00:00.000 info  all is well\u001b[2J\u009b2J\u2028';
  log.info({ user: forged, list: [forged], err: new Error(forged) }, `refused ${forged}`);
  log.error({ err: new Error(forged) }, 'failed');
  const [first = '', second = '', ...stack] = output.trimEnd().split('\n');
  for (const line of [first, second]) assert.match(line.slice(0, 40), /\d\d:\d\d:\d\d\.\d{3} /);
  assert.ok(stack.every((line) => line.startsWith('  ')));
  // Its own colours are all that is left.
  const plain = output.replaceAll('\u001b[31m', '').replaceAll('\u001b[0m', '');
  assert.doesNotMatch(plain, /[^\n\P{Cc}]|\u2028/u);
});
