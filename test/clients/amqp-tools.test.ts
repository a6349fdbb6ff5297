import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { runCommand } from './external-suite.ts';
import { ServerProcess } from './server-process.ts';

function isInstalled(): boolean {
  try {
    execFileSync('amqp-publish', ['--help'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

const skip = isInstalled() ? false : 'amqp-publish is not installed (Debian package amqp-tools)';
const suffix = process.pid.toString(36);

let server: ServerProcess;

/** Runs `amqp-NAME` to its end with `input` and returns what it printed. */
function amqp(name: string, words: readonly string[], input = ''): Promise<string> {
  return runCommand([`amqp-${name}`, `--url=${server.amqpUrl}`, ...words], { input });
}

describe('amqp-tools (librabbitmq)', { skip }, () => {
  before(async () => {
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  test('declares a queue, publishes to it, gets from it, and deletes it', async () => {
    const queue = `tools-${suffix}`;
    assert.equal(await amqp('declare-queue', ['-d', '-q', queue]), `${queue}\n`);
    await amqp('publish', ['-r', queue, '-p', '-C', 'text/plain', '-H', 'kind: x', '-b', 'hello']);
    await amqp('publish', ['-r', queue], 'from standard in');
    await assert.rejects(amqp('delete-queue', ['-q', queue, '--if-empty']), /PRECONDITION_FAILED/);
    assert.equal(await amqp('get', ['-q', queue]), 'hello');
    assert.equal(await amqp('get', ['-q', queue]), 'from standard in');
    await assert.rejects(amqp('get', ['-q', queue]));
    await amqp('delete-queue', ['-q', queue]);
    await assert.rejects(amqp('get', ['-q', queue]), /NOT_FOUND/);
  });

  test('a queue without a name gets one', async () => {
    const name = (await amqp('declare-queue', ['-q', ''])).trim();
    assert.match(name, /^amq\.gen-/);
    await amqp('delete-queue', ['-q', name]);
  });

  test('each line is a message, and each message is given to a command', async () => {
    const queue = `tools-lines-${suffix}`;
    await amqp('declare-queue', ['-d', '-q', queue]);
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index}\n`);
    await amqp('publish', ['-l', '-r', queue], lines.join(''));
    const read = await amqp('consume', ['-q', queue, '-c', '50', '-p', '5', 'cat']);
    assert.equal(read, lines.join(''));
    await amqp('delete-queue', ['-q', queue, '--if-empty', '--if-unused']);
  });

  test('a consumer binds a queue of its own to an exchange', async () => {
    const reading = amqp('consume', ['-e', 'amq.topic', '-r', 'a.*', '-x', '-A', '-c', '1', 'cat']);
    const publishing = new AbortController();
    const done = reading.finally(() => publishing.abort());
    // The queue is there when the first message reaches it.
    while (!publishing.signal.aborted) {
      await amqp('publish', ['-e', 'amq.topic', '-r', 'a.b', '-b', 'routed']);
    }
    assert.equal(await done, 'routed');
  });

  test('a wrong password is told', async () => {
    const url = server.amqpUrl.replace('guest:guest', 'guest:wrong');
    await assert.rejects(runCommand(['amqp-get', `--url=${url}`, '-q', 'x']), /logging in/i);
  });
});
