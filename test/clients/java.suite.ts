import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { findKafkaVersion, installKafka } from '../../bench/kafka/distribution.ts';
import { commonChecks, describeProgram, install, runCommand } from './external-suite.ts';
import { ServerProcess } from './server-process.ts';

const version = findKafkaVersion();
const classes = path.resolve(import.meta.dirname, '../../.cache/clients/java');

function compile(name: string): readonly string[] {
  const libraries = installKafka();
  mkdirSync(classes, { recursive: true });
  const source = path.join(import.meta.dirname, `java/${name}.java`);
  install('javac', ['-nowarn', '-cp', libraries, '-d', classes, source]);
  return ['java', '-Xmx256m', '-cp', `${classes}:${libraries}`, name];
}

describeProgram({
  name: `Java client ${version}`,
  checks: {
    ...commonChecks,
    cooperative: 'rebalances cooperatively when a member is killed',
    time: 'finds offsets by time, seeks, and finds the newest time',
  },
  install: () => compile('JavaClient'),
});

describeProgram({
  name: `Share consumers of the Java client ${version}`,
  checks: {
    implicit: 'reads every record once and acknowledges with the next poll',
    explicit: 'accepts, releases, rejects and renews single records, up to the delivery limit',
    many: 'shares one partition among four consumers, nothing lost or doubled',
    close: 'gives back what a closed consumer has not acknowledged',
    transactions: 'delivers what is committed and nothing that is aborted',
    admin: 'describes, lists, puts back and deletes share groups',
  },
  install: () => compile('ShareClient'),
});

describe(`Kafka's console tools ${version}`, () => {
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

  test('kafka-broker-api-versions lists what the broker speaks', async () => {
    const output = await run('BrokerApiVersionsCommand', []);
    assert.match(output, /Produce\(0\): \d+ to \d+/);
    assert.match(output, /Fetch\(1\): \d+ to \d+/);
  });

  test('kafka-topics creates, describes, alters, lists and deletes', async () => {
    const topic = `tools-topics-${suffix}`;
    await run('TopicCommand', [
      ...['--create', '--topic', topic, '--partitions', '3'],
      ...['--config', 'retention.ms=3600000'],
    ]);
    const described = await run('TopicCommand', ['--describe', '--topic', topic]);
    assert.match(described, /PartitionCount: 3\s+ReplicationFactor: 1/);
    assert.match(described, /retention\.ms=3600000/);
    await run('TopicCommand', ['--alter', '--topic', topic, '--partitions', '5']);
    assert.match(await run('TopicCommand', ['--describe', '--topic', topic]), /PartitionCount: 5/);
    const list = async () => (await run('TopicCommand', ['--list'])).split('\n');
    assert.ok((await list()).includes(topic));
    await assert.rejects(run('TopicCommand', ['--create', '--topic', topic]), /already exists/);
    await run('TopicCommand', ['--delete', '--topic', topic]);
    assert.ok(!(await list()).includes(topic));
  });

  test('kafka-console-producer and -consumer pass lines on', async () => {
    const topic = `tools-console-${suffix}`;
    const lines = Array.from({ length: 500 }, (_, index) => `key-${index}\tvalue ${index}`);
    await run(
      'ConsoleProducer',
      [...['--topic', topic, '--reader-property', 'parse.key=true'], '--compression-codec=zstd'],
      `${lines.join('\n')}\n`,
    );
    const output = await run('consumer.ConsoleConsumer', [
      ...['--topic', topic, '--from-beginning', '--max-messages', '500'],
      ...['--formatter-property', 'print.key=true', '--timeout-ms', '30000'],
    ]);
    assert.deepEqual(output.trimEnd().split('\n').toSorted(), lines.toSorted());
  });

  test('kafka-producer-perf-test in transactions, kafka-transactions', async () => {
    const topic = `tools-transactions-${suffix}`;
    const id = `${topic}-id`;
    await run('TopicCommand', ['--create', '--topic', topic, '--partitions', '3']);
    await run('ProducerPerformance', [
      ...['--topic', topic, '--num-records', '2000', '--record-size', '100', '--throughput', '-1'],
      ...['--transactional-id', id, '--transaction-duration-ms', '10'],
    ]);
    const output = await run('consumer.ConsoleConsumer', [
      ...['--topic', topic, '--from-beginning', '--max-messages', '2000'],
      ...['--isolation-level', 'read_committed', '--timeout-ms', '30000'],
    ]);
    assert.equal(output.trimEnd().split('\n').length, 2000);
    assert.match(
      await run('TransactionsCommand', ['list']),
      new RegExp(`${id}\\s.*CompleteCommit`),
    );
    const describing = ['describe', '--transactional-id', id];
    assert.match(await run('TransactionsCommand', describing), /CompleteCommit/);
  });

  test('kafka-transactions finds what is open and aborts it', async () => {
    const topic = `tools-hanging-${suffix}`;
    const id = `${topic}-id`;
    await run('TopicCommand', ['--create', '--topic', topic, '--partitions', '1']);
    const kafka = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ transactionalId: id, idempotent: true });
    await producer.connect();
    try {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: 'hangs' }] });
      const transactions = (words: readonly string[]) => run('TransactionsCommand', words);
      const pattern = ['--transactional-id-pattern', `${topic}-.*`];
      assert.match(await transactions(['list', ...pattern]), new RegExp(`${id}\\s.*Ongoing`));
      assert.doesNotMatch(await transactions(['list', '--transactional-id-pattern', 'x']), /tools/);
      const place = ['--topic', topic, '--partition', '0'];
      // Producer id, epoch, the coordinator's epoch, last sequence, last time, start of the transaction.
      assert.match(
        await transactions(['describe-producers', ...place]),
        /^\d+\s+\d+\s+\S+\s+0\s+\d+\s+0\s*$/m,
      );
      // Only what no coordinator knows of hangs.
      assert.doesNotMatch(
        await transactions(['find-hanging', ...place, '--max-transaction-timeout', '0']),
        new RegExp(topic),
      );
      await transactions(['abort', ...place, '--start-offset', '0']);
      assert.match(await transactions(['list', ...pattern]), new RegExp(`${id}\\s.*CompleteAbort`));
      await assert.rejects(transaction.commit());
    } finally {
      await producer.disconnect();
    }
  });

  test('kafka-features tells the level of transactions', async () => {
    const output = await run('FeatureCommand', ['describe']);
    assert.match(output, /transaction\.version.*FinalizedVersionLevel: 2/);
  });

  test('kafka-consumer-groups lists, describes, resets and deletes', async () => {
    const topic = `tools-groups-${suffix}`;
    const group = `${topic}-group`;
    await run('TopicCommand', ['--create', '--topic', topic, '--partitions', '1']);
    await run('ConsoleProducer', ['--topic', topic], 'a\nb\nc\nd\n');
    await run('consumer.ConsoleConsumer', [
      ...['--topic', topic, '--from-beginning', '--max-messages', '4', '--group', group],
      ...['--timeout-ms', '30000'],
    ]);
    await run('ConsoleProducer', ['--topic', topic], 'e\n');
    const groups = (words: readonly string[]) => run('consumer.group.ConsumerGroupCommand', words);
    assert.ok((await groups(['--list'])).split('\n').includes(group));
    // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
    assert.match(
      await groups(['--describe', '--group', group]),
      new RegExp(`${topic}\\s+0\\s+4\\s+5\\s+1\\s`),
    );
    assert.match(await groups(['--describe', '--group', group, '--state']), /Empty/);
    await groups([
      ...['--reset-offsets', '--group', group, '--topic', topic, '--to-offset', '2', '--execute'],
    ]);
    assert.match(
      await groups(['--describe', '--group', group]),
      new RegExp(`${topic}\\s+0\\s+2\\s+5\\s+3\\s`),
    );
    await groups(['--delete-offsets', '--group', group, '--topic', topic]);
    await groups(['--delete', '--group', group]);
    assert.ok(!(await groups(['--list'])).split('\n').includes(group));
  });

  test('kafka-console-share-consumer and kafka-share-groups work on one group', async () => {
    const topic = `tools-share-${suffix}`;
    const group = `${topic}-group`;
    await run('TopicCommand', ['--create', '--topic', topic, '--partitions', '1']);
    await run('kafka.admin.ConfigCommand', [
      ...['--entity-type', 'groups', '--entity-name', group],
      ...['--alter', '--add-config', 'share.auto.offset.reset=earliest'],
    ]);
    await run('ConsoleProducer', ['--topic', topic], 'a\nb\nc\n');
    const consume = (max: number) =>
      run('consumer.ConsoleShareConsumer', [
        ...['--topic', topic, '--group', group, '--max-messages', `${max}`],
        ...['--timeout-ms', '30000'],
      ]);
    assert.equal(await consume(3), 'a\nb\nc\n');
    await run('ConsoleProducer', ['--topic', topic], 'd\n');
    const groups = (words: readonly string[]) => run('consumer.group.ShareGroupCommand', words);
    assert.ok((await groups(['--list'])).split('\n').includes(group));
    // GROUP TOPIC PARTITION START-OFFSET LAG
    assert.match(
      await groups(['--describe', '--group', group]),
      new RegExp(`${topic}\\s+0\\s+3\\s+1`),
    );
    assert.match(await groups(['--describe', '--group', group, '--state']), /Empty/);
    await groups([
      ...['--reset-offsets', '--group', group, '--topic', topic, '--to-earliest', '--execute'],
    ]);
    assert.equal(await consume(4), 'a\nb\nc\nd\n');
    await groups(['--delete-offsets', '--group', group, '--topic', topic]);
    assert.ok(!(await groups(['--list'])).split('\n').includes(group));
    assert.equal(await consume(4), 'a\nb\nc\nd\n');
    await groups(['--delete', '--group', group]);
    assert.ok(!(await groups(['--list'])).split('\n').includes(group));
  });

  test('kafka-configs alters and describes', async () => {
    const topic = `tools-configs-${suffix}`;
    await run('TopicCommand', ['--create', '--topic', topic]);
    const configs = (words: readonly string[]) =>
      run('kafka.admin.ConfigCommand', [
        ...['--entity-type', 'topics', '--entity-name', topic, ...words],
      ]);
    await configs(['--alter', '--add-config', 'retention.ms=7200000,cleanup.policy=compact']);
    const described = await configs(['--describe']);
    assert.match(described, /retention\.ms=7200000/);
    assert.match(described, /cleanup\.policy=compact/);
    await configs(['--alter', '--delete-config', 'retention.ms']);
    assert.doesNotMatch(await configs(['--describe']), /retention\.ms=7200000/);
  });

  test('kafka-get-offsets and kafka-delete-records agree', async () => {
    const topic = `tools-offsets-${suffix}`;
    await run('TopicCommand', ['--create', '--topic', topic, '--partitions', '1']);
    await run('ConsoleProducer', ['--topic', topic], 'a\nb\nc\n');
    const offsets = async (time: string) =>
      (await run('GetOffsetShell', ['--topic', topic, '--time', time])).trim();
    assert.equal(await offsets('latest'), `${topic}:0:3`);
    const file = path.join(server.directory, 'delete.json');
    const partitions = [{ topic, partition: 0, offset: 2 }];
    writeFileSync(file, JSON.stringify({ version: 1, partitions }));
    const output = await run('DeleteRecordsCommand', ['--offset-json-file', file]);
    assert.match(output, /low_watermark: 2/);
    assert.equal(await offsets('earliest'), `${topic}:0:2`);
  });

  test('kafka-log-dirs and kafka-cluster describe the store', async () => {
    const topic = `tools-dirs-${suffix}`;
    await run('TopicCommand', ['--create', '--topic', topic, '--partitions', '2']);
    await run('ConsoleProducer', ['--topic', topic], 'a\nb\nc\n');
    const output = await run('LogDirsCommand', ['--describe', '--topic-list', topic]);
    // A cast: the shape is what the tool prints.
    const description = JSON.parse(output.split('\n').find((line) => line.startsWith('{'))!) as {
      brokers: {
        logDirs: { error: string | null; partitions: { partition: string; size: number }[] }[];
      }[];
    };
    const found = description.brokers
      .flatMap((each) => each.logDirs)
      .flatMap((each) => each.partitions);
    assert.deepEqual(found.map((each) => each.partition).toSorted(), [`${topic}-0`, `${topic}-1`]);
    assert.ok(found.some((each) => each.size > 0));
    const cluster = await runCommand([
      ...['java', '-Xmx256m', '-cp', libraries, 'org.apache.kafka.tools.ClusterTool'],
      ...['cluster-id', '--bootstrap-server', server.bootstrap],
    ]);
    assert.match(cluster, /Cluster ID: \S+/);
  });
});
