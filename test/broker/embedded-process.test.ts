import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { findProgram, loaderFlags } from '../program.ts';
import { patienceMs } from '../support/patience.ts';

const entrance = pathToFileURL(findProgram('src/index.ts')).href;

/** Nothing else in this process keeps it alive. */
const program = `
import { Broker } from ${JSON.stringify(entrance)};
const broker = await Broker.open({ data: process.argv[1] });
await broker.createTopic('orders', { partitions: 3 });
const sent = await broker.send('orders', { key: 'alice', value: 'first order' });
console.log('sent', sent.offset);
for await (const record of broker.consume({ group: 'billing', topics: ['orders'], from: 'earliest' })) {
  console.log(record.offset, String(record.key), String(record.value));
  break;
}
const rest = broker.consume({ group: 'billing', topics: ['orders'], from: 'earliest' });
setTimeout(() => broker.send('orders', { value: 'second' }), 1);
console.log(String((await rest.next()).value));
await broker.close();
console.log('closed');
`;

test('a program that waits for records in its own process lives until they come, and ends by itself', () => {
  const data = mkdtempSync(path.join(tmpdir(), 'pabal-embedded-'));
  try {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [...loaderFlags, '--input-type=module', '--eval', program, data],
      { encoding: 'utf8', timeout: 2 * patienceMs },
    );
    assert.equal(stderr, '');
    assert.deepEqual(stdout.trim().split('\n'), [
      'sent 0',
      '0 alice first order',
      'second',
      'closed',
    ]);
    assert.equal(status, 0);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});
