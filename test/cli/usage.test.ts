import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runCli } from './process.ts';

// Each case is a process of its own: they run side by side.
describe('usage', { concurrency: 4 }, () => {
  const refused: ReadonlyArray<readonly [string, string[], RegExp]> = [
    ['an unknown flag', ['serve', '--dta', 'x'], /unknown option '--dta'.*--data/],
    ['an unknown command', ['sevre'], /unknown command 'sevre'.*serve/],
    ['a wrong value', ['serve', '--sync', 'never'], /--sync: expected always or os/],
    [
      'an unknown door',
      ['serve', '--only', 'smtp'],
      /--only: expected kafka or amqp or rabbitmq-management or sqs or admin/,
    ],
    [
      'no door at all',
      ['serve', '--no-listen', 'kafka,amqp,rabbitmq-management,sqs,admin'],
      /every door is closed/,
    ],
    ['exposure without --insecure', ['serve', '--listen', 'admin=0.0.0.0:0'], /--insecure/],
    [
      'a server that is not there',
      ['topic', 'list', '--server', '127.0.0.1:1'],
      /nothing listens on 127\.0\.0\.1:1.*npx pabal serve/,
    ],
    [
      'two places to start',
      ['receive', 'x', '--from-beginning', '--from', '3'],
      /--from-beginning and --from/,
    ],
    [
      'a number that is none',
      ['receive', 'x', '--count', 'many'],
      /--count.*Expected a whole number of at least 1\.$/m,
    ],
    [
      'a word that is no choice',
      ['queue', 'create', 'x', '--overflow', 'spill'],
      /--overflow.*drop-head, reject, reject-dead-letter/,
    ],
    [
      'a file that is not there',
      ['send', 'x', '--file', '/nowhere/at/all'],
      /--file: cannot read \/nowhere\/at\/all/,
    ],
    ['a server without a port', ['topic', 'list', '--server', 'x'], /--server: expected HOST:PORT/],
  ];
  for (const [name, words, message] of refused) {
    test(`${name} ends with 1 and one line`, async () => {
      const { code, stdout, stderr } = await runCli(words);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, message);
      assert.match(stderr, /^pabal: [^\n]+\n$/);
    });
  }

  test('help of serve names the doors that exist, and no others', async () => {
    const { code, stdout } = await runCli(['serve', '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /kafka +127\.0\.0\.1:9092/);
    assert.match(stdout, /admin +127\.0\.0\.1:7222/);
    assert.match(stdout, /amqp +127\.0\.0\.1:5672/);
    assert.match(stdout, /sqs +127\.0\.0\.1:9324/);
    for (const word of ['stomp', 'mqtt']) assert.ok(!stdout.includes(word), word);
  });

  test('config prints where each value came from', async () => {
    const { code, stdout } = await runCli(
      ['config', '--json', '--no-listen', 'admin', '--listen', 'kafka=127.0.0.1:0'],
      '',
      { PABAL_SYNC: 'os' },
    );
    assert.equal(code, 0);
    const config: Record<string, unknown> = JSON.parse(stdout);
    assert.deepEqual(config['sync'], { value: 'os', source: 'PABAL_SYNC' });
    assert.deepEqual(config['noListen'], { value: 'admin', source: '--no-listen' });
    assert.deepEqual(config['listen.kafka'], { value: '127.0.0.1:0', source: '--listen' });
    assert.deepEqual(config['data'], { value: './data', source: 'default' });
  });
});
