import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findKafkaVersion, installKafka } from '../../bench/kafka/distribution.ts';
import { describeProgram, install, runCommand } from './external-suite.ts';
import { installPython } from './python-environment.ts';
import { ServerProcess } from './server-process.ts';

const version = findKafkaVersion();
const classes = path.resolve(import.meta.dirname, '../../.cache/clients/java');

describeProgram({
  name: `Consumer groups of the Java client ${version}, group.protocol=consumer`,
  checks: {
    share: 'members come and go: each partition has one reader, each record is read',
    range: 'the same with the range assignor',
    static: 'a static member that was away finds its partitions, and nobody else notices',
    pattern: 'a pattern takes in topics that come later',
    grow: 'partitions that are added are assigned',
    migrate: 'classic members, both kinds, and classic ones again in one group',
    admin: 'describes, lists, alters offsets of and deletes groups',
  },
  install: () => {
    const libraries = installKafka();
    mkdirSync(classes, { recursive: true });
    const source = path.join(import.meta.dirname, 'java/GroupClient.java');
    install('javac', ['-nowarn', '-cp', libraries, '-d', classes, source]);
    return ['java', '-Xmx256m', '-cp', `${classes}:${libraries}`, 'GroupClient'];
  },
});

describeProgram({
  name: 'confluent-kafka (Python, librdkafka), group.protocol=consumer',
  checks: { consumer: 'shares work among members that come and go, patterns and static members' },
  install: () => {
    const folder = path.join(import.meta.dirname, 'python');
    return [installPython(folder), path.join(folder, 'confluent.py')];
  },
});

describe(`Kafka's tools for groups ${version}`, () => {
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

  async function fill(topic: string, lines: readonly string[]): Promise<void> {
    await run('TopicCommand', ['--create', '--if-not-exists', '--topic', topic]);
    await run('ConsoleProducer', ['--topic', topic], `${lines.join('\n')}\n`);
  }

  for (const protocol of ['classic', 'consumer']) {
    test(`kafka-consumer-groups knows every subcommand for ${protocol} groups`, async () => {
      const topic = `groups-${protocol}-${suffix}`;
      const group = `${topic}-group`;
      await fill(topic, ['a', 'b', 'c', 'd', 'e']);
      const consumer = run('consumer.ConsoleConsumer', [
        // It stays until there is a sixth.
        ...['--topic', topic, '--from-beginning', '--group', group, '--max-messages', '6'],
        ...['--command-property', `group.protocol=${protocol}`],
      ]);
      const groups = (...words: string[]) => run('consumer.group.ConsumerGroupCommand', words);
      const ofGroup = (...words: string[]) => groups(...words, '--group', group);
      const isThere = async () => /Stable/.test(await ofGroup('--describe', '--state'));
      while (!(await isThere().catch(() => false)));
      assert.match(await ofGroup('--describe', '--members', '--verbose'), new RegExp(topic));
      assert.match(
        await groups('--list', '--type', protocol),
        new RegExp(`${group}\\s+${protocol}`, 'i'),
      );
      assert.match(await groups('--list', '--state', 'stable'), new RegExp(`${group}\\s+Stable`));
      // What has members is not deleted, nor are its offsets put back.
      assert.match(await ofGroup('--delete'), /not empty|NonEmptyGroup/i);
      await fill(topic, ['f']);
      assert.equal(await consumer.then((output) => output.trimEnd().split('\n').length), 6);
      assert.match(await ofGroup('--describe', '--state'), /Empty/);
      // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
      assert.match(await ofGroup('--describe', '--offsets'), new RegExp(`${topic}\\s+0\\s+6\\s+6`));
      const reset = (...words: string[]) =>
        ofGroup('--reset-offsets', '--topic', topic, '--execute', ...words);
      const resets: ReadonlyArray<[words: string[], offset: number]> = [
        [['--to-earliest'], 0],
        [['--to-latest'], 6],
        [['--shift-by', '-2'], 4],
        [['--to-offset', '1'], 1],
        [['--to-current'], 1],
        [['--by-duration', 'PT1H'], 0],
        [['--to-datetime', '2020-01-01T00:00:00.000'], 0],
      ];
      for (const [words, offset] of resets) {
        assert.match(await reset(...words), new RegExp(`${topic}\\s+0\\s+${offset}\\s`));
      }
      await ofGroup('--delete-offsets', '--topic', topic);
      await ofGroup('--delete').catch((error: unknown) => {
        // Without offsets a group may be gone already.
        assert.match(String(error), /not exist|not found/i);
      });
      assert.ok(!(await groups('--list')).split('\n').includes(group));
    });
  }

  test('kafka-share-groups knows every subcommand', async () => {
    const topic = `groups-share-${suffix}`;
    const group = `${topic}-group`;
    await fill(topic, ['a', 'b', 'c']);
    await run('kafka.admin.ConfigCommand', [
      ...['--entity-type', 'groups', '--entity-name', group],
      ...['--alter', '--add-config', 'share.auto.offset.reset=earliest'],
    ]);
    const consumer = run('consumer.ConsoleShareConsumer', [
      // It stays until there is a fourth.
      ...['--topic', topic, '--group', group, '--max-messages', '4'],
    ]);
    const groups = (...words: string[]) => run('consumer.group.ShareGroupCommand', words);
    const ofGroup = (...words: string[]) => groups(...words, '--group', group);
    const isThere = async () => /Stable/.test(await ofGroup('--describe', '--state'));
    while (!(await isThere().catch(() => false)));
    assert.match(await ofGroup('--describe', '--members', '--verbose'), new RegExp(topic));
    assert.match(await groups('--list', '--state'), new RegExp(`${group}\\s+Stable`));
    assert.match(await ofGroup('--delete'), /not empty|NonEmptyGroup/i);
    await fill(topic, ['d']);
    assert.equal(await consumer, 'a\nb\nc\nd\n');
    assert.match(await ofGroup('--describe', '--offsets'), new RegExp(`${topic}\\s+0\\s+4\\s+0`));
    const reset = (...words: string[]) =>
      ofGroup('--reset-offsets', '--topic', topic, '--execute', ...words);
    assert.match(await reset('--to-earliest'), new RegExp(`${topic}\\s+0\\s+0`));
    assert.match(await reset('--to-latest'), new RegExp(`${topic}\\s+0\\s+4`));
    assert.match(
      await reset('--to-datetime', '2020-01-01T00:00:00.000'),
      new RegExp(`${topic}\\s+0\\s+0`),
    );
    await ofGroup('--delete-offsets', '--topic', topic);
    await ofGroup('--delete').catch((error: unknown) => {
      assert.match(String(error), /not exist|not found/i);
    });
    assert.ok(!(await groups('--list')).split('\n').includes(group));
  });

  test('kafka-groups lists groups of every kind', async () => {
    const topic = `groups-all-${suffix}`;
    await fill(topic, ['a']);
    for (const protocol of ['classic', 'consumer']) {
      await run('consumer.ConsoleConsumer', [
        ...['--topic', topic, '--from-beginning', '--max-messages', '1'],
        ...['--group', `${topic}-${protocol}`],
        ...['--command-property', `group.protocol=${protocol}`],
      ]);
    }
    const output = await run('GroupsCommand', ['--list']);
    assert.match(output, new RegExp(`${topic}-classic\\s+Classic`));
    assert.match(output, new RegExp(`${topic}-consumer\\s+Consumer`));
  });
});
