import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findKafkaVersion } from '../../bench/kafka/distribution.ts';
import { runCommand } from './external-suite.ts';
import { compileApp, JavaProcess, quietLog } from './kafka-apps.ts';
import { ServerProcess } from './server-process.ts';

/**
 * A word count over a repartition topic and a compacted changelog, with exactly_once_v2: see java/WordCount.java. In groups of
 * both kinds: consumers divide the work, or the broker does (KIP-1071).
 */
for (const protocol of ['classic', 'streams'] as const) checkStreams(protocol);

function checkStreams(protocol: 'classic' | 'streams'): void {
  describe(`Kafka Streams ${findKafkaVersion()}, exactly once, group protocol ${protocol}`, () =>
    checkAll(protocol));
}

function checkAll(protocol: 'classic' | 'streams'): void {
  let server: ServerProcess;
  let classPath: string;

  before(async () => {
    classPath = compileApp('WordCount');
    server = await ServerProcess.start(['--default-partitions', '4']);
  });

  after(async () => {
    await server.stop();
  });

  const words = (...rest: string[]): string[] => [
    ...['-cp', classPath, 'WordCount', server.bootstrap],
    ...rest,
  ];
  const run = (...rest: string[]): Promise<string> =>
    runCommand(['java', '-Xmx256m', quietLog, ...words(...rest)]);
  const startWorker = async (name: string, number: number): Promise<JavaProcess> => {
    const worker = new JavaProcess(
      words('work', name, path.join(server.directory, `state-${name}-${number}`), protocol),
    );
    await worker.until('a running worker', () => worker.output.includes('RUNNING'));
    return worker;
  };

  test('two workers count every word once, while one leaves and comes again', async () => {
    const name = 'calm';
    await run('create', name);
    const first = await startWorker(name, 1);
    const second = await startWorker(name, 2);
    await run('produce', name, '10000');
    assert.equal(await second.finish(), 0);
    await run('produce', name, '10000');
    const third = await startWorker(name, 2);
    assert.match(await run('verify', name, '10000', '10000'), /counted 20000/);
    assert.equal(await first.finish(), 0);
    assert.equal(await third.finish(), 0);
  });

  test('workers and the broker are killed, and every word is counted once', async (t) => {
    if (server.isOther) return t.skip('the broker is somebody else’s');
    const name = 'killed';
    await run('create', name);
    let worker = await startWorker(name, 1);
    await run('produce', name, '30000');
    await worker.kill();
    worker = await startWorker(name, 1);
    await server.restart('SIGKILL');
    await run('produce', name, '10000');
    await worker.kill();
    const other = await startWorker(name, 2);
    assert.match(await run('verify', name, '30000', '10000'), /counted 40000/);
    assert.equal(await other.finish(), 0);
  });
}
