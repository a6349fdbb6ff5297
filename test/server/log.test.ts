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
