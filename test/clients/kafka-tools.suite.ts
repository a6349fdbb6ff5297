import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findKafkaVersion, installKafka } from '../../bench/kafka/distribution.ts';
import { runCommand } from './external-suite.ts';
import { ServerProcess } from './server-process.ts';

const patienceMs = 120_000;
const configTool = 'kafka.admin.ConfigCommand';

describe(`Kafka's tools for logs and clusters ${findKafkaVersion()}`, () => {
  let server: ServerProcess;
  let libraries: string;
  const suffix = process.pid.toString(36);

  before(async () => {
    libraries = installKafka();
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  /** Runs one of the tools as its script in Kafka's bin/ does. */
  function run(main: string, words: readonly string[], input?: string): Promise<string> {
    const className = main.startsWith('kafka.') ? main : `org.apache.kafka.tools.${main}`;
    return runCommand(
      [
        ...['java', '-Xmx256m', '-cp', libraries, className],
        ...['--bootstrap-server', server.bootstrap, ...words],
      ],
      input === undefined ? {} : { input },
    );
  }

  async function createTopic(name: string, ...configs: string[]): Promise<string> {
    const topic = `${name}-${suffix}`;
    const words = configs.flatMap((config) => ['--config', config]);
    await run('TopicCommand', ['--create', '--topic', topic, '--partitions', '1', ...words]);
    return topic;
  }

  async function findBrokerId(): Promise<string> {
    const output = await run('BrokerApiVersionsCommand', []);
    return /\(id: (\d+)/.exec(output)?.[1] ?? '';
  }

  function writeJson(name: string, content: unknown): string {
    const file = path.join(server.directory, `${name}.json`);
    writeFileSync(file, JSON.stringify(content));
    return file;
  }

  test('a compacted topic keeps the newest record of each key, and every consumer gets past what is gone', async () => {
    const topic = await createTopic(
      'tools-compacted',
      'cleanup.policy=compact',
      'segment.ms=100',
      'min.cleanable.dirty.ratio=0.01',
    );
    const properties = ['parse.key=true', 'key.separator=:'].flatMap((property) => [
      '--reader-property',
      property,
    ]);
    const produce = (lines: readonly string[]) =>
      run('ConsoleProducer', ['--topic', topic, ...properties], `${lines.join('\n')}\n`);
    const read = async (): Promise<string[]> => {
      const output = await run('consumer.ConsoleConsumer', [
        ...['--topic', topic, '--from-beginning', '--timeout-ms', '5000'],
        ...['--formatter-property', 'print.key=true', '--formatter-property', 'key.separator=:'],
      ]).catch((error: unknown) => String(error));
      return output.split('\n').filter((line) => /^[a-z]+:/.test(line));
    };
    await produce(['a:1', 'b:1', 'a:2']);
    await produce(['c:1', 'a:3']);
    const startedMs = Date.now();
    let lines = await read();
    // The newest part is not compacted before another record comes when it is old; Kafka looks every 15 s, we every 30.
    while (lines.filter((line) => line.startsWith('a:')).length > 1) {
      assert.ok(Date.now() - startedMs < patienceMs, lines.join());
      await produce([`z:${lines.length}`]);
      lines = await read();
    }
    assert.deepEqual(
      lines.filter((line) => !line.startsWith('z')),
      ['b:1', 'c:1', 'a:3'],
    );
  });

  test('kafka-get-offsets knows every point in time', async () => {
    const topic = await createTopic('tools-times');
    await run('ConsoleProducer', ['--topic', topic], 'a\nb\nc\n');
    const offsets = async (time: string) =>
      (await run('GetOffsetShell', ['--topic', topic, '--time', time])).trim();
    assert.equal(await offsets('earliest'), `${topic}:0:0`);
    assert.equal(await offsets('latest'), `${topic}:0:3`);
    assert.equal(await offsets('earliest-local'), `${topic}:0:0`);
    assert.match(await offsets('max-timestamp'), /:0:[0-2]$/);
    assert.equal(await offsets('1'), `${topic}:0:0`);
    assert.equal(await offsets('latest-tiered'), '');
  });

  test('kafka-leader-election has nothing to elect', async () => {
    await createTopic('tools-leaders');
    const output = await run('LeaderElectionCommand', [
      '--election-type',
      'preferred',
      '--all-topic-partitions',
    ]);
    assert.doesNotMatch(output, /Error|Exception/);
  });

  test('kafka-reassign-partitions finds everything where it should be', async () => {
    const topic = await createTopic('tools-moved');
    const broker = Number(await findBrokerId());
    const partitions = [{ topic, partition: 0, replicas: [broker] }];
    const file = writeJson('reassign', { version: 1, partitions });
    const words = ['--reassignment-json-file', file];
    const executed = await run('reassign.ReassignPartitionsCommand', ['--execute', ...words]);
    assert.match(executed, /Successfully started partition reassignment/);
    const verified = await run('reassign.ReassignPartitionsCommand', ['--verify', ...words]);
    assert.match(verified, /is completed/);
    const listed = await run('reassign.ReassignPartitionsCommand', ['--list']);
    assert.match(listed, /No partition reassignments found/);
  });

  test('kafka-metadata-quorum and kafka-features describe one broker', async () => {
    const status = await run('MetadataQuorumCommand', ['describe', '--status']);
    assert.match(status, /LeaderId:\s+\d+/);
    const replication = await run('MetadataQuorumCommand', ['describe', '--replication']);
    assert.match(replication, /Leader/);
    const features = await run('FeatureCommand', ['describe']);
    assert.match(features, /transaction\.version.*FinalizedVersionLevel: 2/);
    const upgrading = ['upgrade', '--feature', 'transaction.version=2'];
    assert.doesNotMatch(await run('FeatureCommand', upgrading), /Could not/);
  });

  test('kafka-client-metrics finds no subscription', async () => {
    assert.equal((await run('ClientMetricsCommand', ['--list'])).trim(), '');
  });

  test('kafka-configs describes topics, brokers and groups', async () => {
    const topic = await createTopic('tools-configs', 'compression.type=zstd');
    assert.match(await run(configTool, ['--describe', '--topic', topic]), /compression\.type=zstd/);
    const own = ['--entity-type', 'brokers', '--entity-name', await findBrokerId()];
    assert.match(
      await run(configTool, ['--describe', '--all', ...own]),
      /log\.cleaner\.min\.cleanable/,
    );
    await run(configTool, ['--describe', '--entity-type', 'groups', '--entity-name', 'nobody']);
  });
});
