import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { install, runCommand } from './external-suite.ts';
import { ServerProcess } from './server-process.ts';

const libraries = path.resolve(import.meta.dirname, '../../.cache/clients/amqp-java');

/** RabbitMQ's load generator, over its Java client: what its users would run against a broker first. */
describe('PerfTest of the RabbitMQ Java client', () => {
  let server: ServerProcess;

  before(async () => {
    if (!existsSync(libraries)) {
      install('mvn', [
        ...['-q', '-B', '-f', path.join(import.meta.dirname, 'amqp-java-pom.xml')],
        ...['dependency:copy-dependencies', `-DoutputDirectory=${libraries}`],
      ]);
    }
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  const runPerf = (flags: readonly string[]): Promise<string> =>
    runCommand([
      ...['java', '-Xmx512m', '-cp', `${libraries}/*`, 'com.rabbitmq.perf.PerfTest'],
      ...['--uri', server.amqpUrl, ...flags],
    ]);

  const runs: ReadonlyArray<readonly [name: string, flags: readonly string[]]> = [
    ['publishes and consumes', ['-u', 'plain']],
    ['waits for confirms, in windows', ['-u', 'confirms', '-c', '100', '-f', 'persistent']],
    ['acknowledges many at once', ['-u', 'multi', '-q', '200', '-A', '50', '-f', 'persistent']],
    ['consumes without acks', ['-u', 'auto', '-a']],
    // With a prefetch: without one the client's own queue fills and it waits for its commit for ever, here as on RabbitMQ.
    ['publishes in transactions', ['-u', 'tx', '-m', '20', '-n', '20', '-q', '100']],
    ['publishes mandatory', ['-u', 'mandatory', '-f', 'mandatory', '-c', '50']],
    ['has many of both', ['-u', 'many', '-x', '4', '-y', '4', '-q', '100', '-c', '100']],
    ['uses a quorum queue', ['--quorum-queue', '-u', 'quorum', '-c', '100', '-q', '100']],
    ['uses a topic exchange', ['-t', 'topic', '-e', 'perf', '-k', 'a.b', '-u', 'topic']],
    ['sends large bodies', ['-u', 'large', '-s', '400000', '-c', '10', '-q', '10']],
    ['varies its rate', ['-u', 'rate', '-vr', '500:1', '-vr', '2000:1', '-c', '100', '-q', '100']],
  ];
  for (const [name, flags] of runs) {
    test(name, async () => {
      const output = await runPerf(['--time', '4', ...flags]);
      const received = /receiving rate avg: (\d+)/.exec(output);
      assert.ok(received !== null, output);
      assert.ok(Number(received[1]) > 0, output);
      // The tool interrupts its own threads when the time is over, and says so.
      assert.doesNotMatch(output, /reply-code=(?!200)|received: 0 msg/);
    });
  }

  test('fills a stream and reads it from the beginning', async () => {
    const stream = ['--stream-queue', '-u', 'stream'];
    await runPerf([...stream, '-x', '1', '-y', '0', '-C', '2000', '-c', '100']);
    const output = await runPerf([
      ...stream,
      ...['-x', '0', '-y', '1', '-D', '2000', '-q', '100'],
      ...['--consumer-args', 'x-stream-offset=first'],
    ]);
    assert.match(output, /receiving rate avg: \d+/);
  });
});
