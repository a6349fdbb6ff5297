import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { until } from '../support/until.ts';
import {
  type Addresses,
  CliProcess,
  type Result,
  runCli,
  TemporaryDirectory,
  waitForReady,
} from './process.ts';

const freePorts = ['kafka', 'amqp', 'rabbitmq-management', 'sqs', 'admin'].flatMap((door) => [
  '--listen',
  `${door}=127.0.0.1:0`,
]);

/** Of a command that tells who has the data: an owner that is too busy for a second is an unknown one, and asked again. */
async function runToldOwner(words: readonly string[]): Promise<Result> {
  let result = await runCli(words);
  await until(async () => {
    if (!/by process unknown/.test(result.stderr)) return true;
    assert.equal(result.code, 1);
    result = await runCli(words);
    return false;
  });
  return result;
}

describe('a running server', () => {
  const directory = new TemporaryDirectory();
  const data = directory.join('data');
  const readyFile = directory.join('ready.json');
  let server: CliProcess;
  let addresses: Addresses;
  let kafka: string[];

  before(async () => {
    server = new CliProcess(['serve', '--data', data, '--ready-file', readyFile, ...freePorts]);
    addresses = await waitForReady(server, readyFile);
    kafka = ['--server', `127.0.0.1:${addresses['kafka']?.port}`];
  });
  after(async () => {
    server.kill('SIGKILL');
    await server.ended;
    directory.remove();
  });

  test('tells its addresses in the ready file', () => {
    assert.deepEqual(Object.keys(addresses), [
      'kafka',
      'amqp',
      'rabbitmq-management',
      'sqs',
      'admin',
    ]);
    assert.equal(addresses['admin']?.host, '127.0.0.1');
    assert.ok((addresses['admin']?.port ?? 0) > 0);
  });

  // Independent of each other: they run side by side.
  describe('and the commands that talk to it', { concurrency: 3 }, () => {
    test('topics are created, listed, described and deleted', async () => {
      assert.equal((await runCli(['topic', 'create', 'made', '-p', '3', ...kafka])).code, 0);
      assert.match((await runCli(['topic', 'list', ...kafka])).stdout, /made +3/);
      const described = await runCli(['topic', 'describe', 'made', '--json', ...kafka]);
      assert.equal(JSON.parse(described.stdout).partitions.length, 3);
      const again = await runCli(['topic', 'create', 'made', ...kafka]);
      assert.equal(again.code, 1);
      assert.match(again.stderr, /exists/);
      assert.equal((await runCli(['topic', 'delete', 'made', ...kafka])).code, 0);
      const gone = await runCli(['topic', 'describe', 'made', ...kafka]);
      assert.equal(gone.code, 1);
      assert.match(gone.stderr, /no such topic/);
    });

    test('lines are sent and received as they were', async () => {
      const lines = 'one\n\nthree is äöü\nlast without line feed';
      const sent = await runCli(['send', 'lines', ...kafka], lines);
      assert.equal(sent.code, 0, sent.stderr);
      assert.match(sent.stderr, /^sent 4 messages/);
      const received = await runCli(['receive', 'lines', ...kafka]);
      assert.equal(received.code, 0, received.stderr);
      assert.equal(received.stdout, `${lines}\n`);
    });

    test('keys, headers and offsets are shown as JSON', async () => {
      const words = ['--key-separator', ':', '-H', 'a=b'];
      assert.equal((await runCli(['send', 'keyed', ...words, ...kafka], 'k:v\nk:w\n')).code, 0);
      const { stdout } = await runCli([
        'receive',
        'keyed',
        '--format',
        'json',
        '--from',
        '1',
        ...kafka,
      ]);
      const message: Record<string, unknown> = JSON.parse(stdout);
      assert.equal(message['key'], 'k');
      assert.equal(message['value'], 'w');
      assert.equal(message['offset'], 1);
      assert.deepEqual(message['headers'], [{ name: 'a', value: 'b' }]);
    });

    test('a line without its key ends the sending with its number', async () => {
      const { code, stderr } = await runCli(
        ['send', 'bad', '--key-separator', ':', ...kafka],
        'a:b\nc\n',
      );
      assert.equal(code, 1);
      assert.match(stderr, /line 2 has no ":".*1 messages were stored\)/);
      assert.equal((await runCli(['receive', 'bad', ...kafka])).stdout, 'b\n');
    });

    test('following gets what comes, until the count is reached, or the time is over', async () => {
      const created = await runCli(['topic', 'create', 'followed', ...kafka]);
      assert.equal(created.code, 0, created.stderr);
      const follower = new CliProcess(['receive', 'followed', '--count', '2', ...kafka]);
      assert.equal((await runCli(['send', 'followed', 'a', 'b', ...kafka])).code, 0);
      assert.deepEqual(await follower.ended, { code: 0, stdout: 'a\nb\n', stderr: '' });
      const { code, stderr } = await runCli([
        ...['receive', 'followed', '--count', '5', '--timeout', '100ms'],
        ...kafka,
      ]);
      assert.equal(code, 1);
      assert.match(stderr, /received 2 of 5/);
    });

    test('a group goes on where it was', async () => {
      assert.equal((await runCli(['send', 'shared', '1', '2', '3', ...kafka])).code, 0);
      const group = ['receive', 'shared', '--group', 'readers', ...kafka];
      assert.equal((await runCli([...group, '--count', '2'])).stdout, '1\n2\n');
      assert.equal((await runCli(group)).stdout, '3\n');
      const described = await runCli(['group', 'describe', 'readers', '--json', ...kafka]);
      const { lag, state, offsets } = JSON.parse(described.stdout);
      assert.equal(lag, 0);
      assert.equal(state, 'Empty');
      assert.equal(offsets[0].offset, 3);
      assert.equal((await runCli(['group', 'delete', 'readers', ...kafka])).code, 0);
    });

    test('its data directory is not given to another, which says who has it', async () => {
      const { code, stderr } = await runToldOwner(['serve', '--data', data, ...freePorts]);
      assert.equal(code, 1);
      assert.match(stderr, /^pabal: [^\n]+\n$/);
      assert.match(stderr, new RegExp(`${server.child.pid}`));
    });

    test('its data directory is not verified while it changes', async () => {
      const { code, stdout, stderr } = await runToldOwner(['verify', '--data', data]);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, new RegExp(`in use by process ${server.child.pid}: stop it`));
    });

    test('a group that does not exist is not described', async () => {
      const { code, stdout, stderr } = await runCli(['group', 'describe', 'nobody', ...kafka]);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /group "nobody": there is no such group/);
    });

    test('its port is not given to another', async () => {
      const { code, stderr } = await runCli([
        ...['serve', '--data', directory.join('other'), '--only', 'kafka'],
        ...['--listen', `kafka=127.0.0.1:${addresses['kafka']?.port}`],
      ]);
      assert.equal(code, 1);
      assert.match(stderr, /^pabal: kafka: 127\.0\.0\.1:\d+ is in use[^\n]+\n$/);
    });
  });

  test('metrics show what came in and went out', async () => {
    const response = await fetch(`http://127.0.0.1:${addresses['admin']?.port}/metrics`);
    const text = await response.text();
    assert.match(text, /^pabal_records_in_total\{door="kafka",topic="lines"\} 4$/m);
    assert.match(text, /^pabal_records_out_total\{door="kafka",topic="lines"\} 4$/m);
    assert.match(text, /^pabal_partition_high_watermark\{topic="lines",partition="0"\} 4$/m);
    assert.match(text, /^pabal_commit_seconds_count [1-9]/m);
    assert.match(text, /^pabal_event_loop_delay_seconds\{quantile="0\.99"\} [\d.e-]+$/m);
  });

  test('SIGTERM stops it in order, with 0; what it had is there again', async () => {
    server.kill('SIGTERM');
    assert.equal((await server.ended).code, 0);
    rmSync(readyFile);
    const again = new CliProcess([
      'serve',
      '--data',
      data,
      '--ready-file',
      readyFile,
      ...freePorts,
    ]);
    const ports = await waitForReady(again, readyFile);
    const received = await runCli([
      'receive',
      'lines',
      '--server',
      `127.0.0.1:${ports['kafka']?.port}`,
    ]);
    assert.equal(received.stdout.split('\n').length, 5);
    again.kill('SIGINT');
    assert.equal((await again.ended).code, 0);
    const verified = await runCli(['verify', '--data', data]);
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stdout, /no problems/);
  });

  test('a server in memory leaves nothing behind', async () => {
    const ready = directory.join('memory.json');
    const untouched = directory.join('untouched');
    const memory = new CliProcess([
      ...['serve', '--store', 'memory', '--data', untouched, '--ready-file', ready, ...freePorts],
    ]);
    await waitForReady(memory, ready);
    memory.kill('SIGTERM');
    assert.equal((await memory.ended).code, 0);
    assert.ok(!existsSync(untouched));
  });
});
