import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findKafkaVersion, installKafka } from '../../bench/kafka/distribution.ts';
import { findFreePort } from '../../bench/server-process.ts';
import { runCommand } from './external-suite.ts';
import { installKafkaApps, JavaProcess } from './kafka-apps.ts';
import { ServerProcess } from './server-process.ts';

/** A standalone worker with the file source and the file sink: a file goes through a topic into another file. */
describe(`Kafka Connect ${findKafkaVersion()}, standalone`, () => {
  let server: ServerProcess;
  let libraries: string;

  before(async () => {
    libraries = installKafkaApps();
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  async function startWorker(directory: string, topic: string): Promise<JavaProcess> {
    const write = (name: string, properties: Readonly<Record<string, string>>): string => {
      const file = path.join(directory, name);
      const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
      writeFileSync(file, `${lines.join('\n')}\n`);
      return file;
    };
    const strings = 'org.apache.kafka.connect.storage.StringConverter';
    const worker = write('worker.properties', {
      'bootstrap.servers': server.bootstrap,
      'key.converter': strings,
      'value.converter': strings,
      'offset.storage.file.filename': path.join(directory, 'offsets'),
      'offset.flush.interval.ms': '200',
      'plugin.path': path.join(libraries, `connect-file-${findKafkaVersion()}.jar`),
      listeners: `http://127.0.0.1:${await findFreePort()}`,
    });
    const connectors = 'org.apache.kafka.connect.file.FileStream';
    const source = write('source.properties', {
      name: `${topic}-source`,
      'connector.class': `${connectors}SourceConnector`,
      file: path.join(directory, 'in.txt'),
      topic,
    });
    const sink = write('sink.properties', {
      name: `${topic}-sink`,
      'connector.class': `${connectors}SinkConnector`,
      file: path.join(directory, 'out.txt'),
      topics: topic,
      'consumer.override.session.timeout.ms': '6000',
    });
    const main = 'org.apache.kafka.connect.cli.ConnectStandalone';
    return new JavaProcess(['-cp', `${libraries}/*`, main, worker, source, sink]);
  }

  test('every line of a file comes out once, over two lives of the worker', async () => {
    const directory = path.join(server.directory, 'connect');
    mkdirSync(directory);
    const input = path.join(directory, 'in.txt');
    const output = path.join(directory, 'out.txt');
    const lines: string[] = [];
    const addLines = (count: number): void => {
      const more = Array.from({ length: count }, (_, index) => `line ${lines.length + index}`);
      lines.push(...more);
      appendFileSync(input, `${more.join('\n')}\n`);
    };
    const read = (): string[] =>
      existsSync(output) ? readFileSync(output, 'utf8').split('\n').slice(0, -1) : [];
    for (const count of [1500, 700]) {
      addLines(count);
      const worker = await startWorker(directory, 'connected');
      await worker.until('the lines', () => read().length >= lines.length);
      addLines(100);
      await worker.until('more lines', () => read().length >= lines.length);
      // It commits what it has read and written when it is asked to end.
      await worker.kill('SIGTERM');
      assert.deepEqual(read(), lines);
    }
  });
});

describe(`Kafka's verifiable clients ${findKafkaVersion()}`, () => {
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  const run = (main: string, words: readonly string[]): Promise<string> =>
    runCommand([
      ...['java', '-Xmx256m', '-cp', installKafka(), `org.apache.kafka.tools.${main}`],
      ...['--bootstrap-server', server.bootstrap, ...words],
    ]);

  test('the verifiable consumer gets what the verifiable producer sent', async () => {
    const topic = 'verifiable';
    const count = 5000;
    const sent = await run('VerifiableProducer', [
      ...['--topic', topic, '--max-messages', String(count), '--acks', '-1'],
    ]);
    assert.equal(sent.match(/"name":"producer_send_success"/g)?.length, count);
    const got = await run('VerifiableConsumer', [
      ...['--topic', topic, '--group-id', 'verifiable', '--max-messages', String(count)],
      ...['--reset-policy', 'earliest'],
    ]);
    const counts = [...got.matchAll(/"name":"records_consumed".*?"count":(\d+)/g)];
    assert.equal(
      counts.reduce((sum, [, one]) => sum + Number(one), 0),
      count,
    );
    assert.match(got, /"name":"offsets_committed"/);
  });
});
