import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { patienceMs } from '../support/patience.ts';
import { ServerProcess } from './server-process.ts';
import { until } from '../support/until.ts';

/** `kcat -V`, or why there is none. */
function findVersion(): string | undefined {
  try {
    const text = execFileSync('kcat', ['-V'], { encoding: 'utf8' });
    return /Version ([^\s(]+).*librdkafka ([^\s)]+)/s.exec(text)?.slice(1, 3).join(', librdkafka ');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const version = findVersion();
const skip = version === undefined ? 'kcat is not installed (Debian package kcat)' : false;

let server: ServerProcess;
const suffix = process.pid.toString(36);
const runLimitMs = 2 * patienceMs;
/** What librdkafka asks a broker first has ten seconds by default; without an answer kcat ends. */
const patient = ['-X', `api.version.request.timeout.ms=${patienceMs}`];

/** Runs kcat to its end with `input` and returns what it printed. */
function kcat(words: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'kcat',
      ['-b', server.bootstrap, '-m', String(patienceMs / 1000), ...patient, ...words],
      { timeout: runLimitMs, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`kcat ${words.join(' ')}: ${error.message}\n${stderr}`));
      },
    );
    // What ends without reading says by its status whether that is right.
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(input);
  });
}

function topicName(name: string): string {
  return `kcat-${name}-${suffix}`;
}

describe(`kcat ${version ?? ''}`, { skip }, () => {
  before(async () => {
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    test(`reads back in order what it produced with ${codec}`, async () => {
      const topic = topicName(codec);
      const lines = Array.from({ length: 2000 }, (_, index) => `key-${index}:value ${index}`);
      await kcat(
        ['-P', '-t', topic, '-p', '0', '-K:', '-z', codec, '-X', 'acks=all'],
        `${lines.join('\n')}\n`,
      );
      const read = await kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-K:']);
      assert.deepEqual(read.trimEnd().split('\n'), lines);
    });
  }

  test('sends with an idempotent producer, with headers and keys', async () => {
    const topic = topicName('headers');
    await kcat(
      [
        ...['-P', '-t', topic, '-K:', '-H', 'kind=test', '-H', 'empty='],
        ...['-X', 'enable.idempotence=true'],
      ],
      'a:1\nb:2\n',
    );
    const read = await kcat([
      ...['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%k %s %h\n'],
    ]);
    assert.deepEqual(read.trimEnd().split('\n').toSorted(), [
      'a 1 kind=test,empty=',
      'b 2 kind=test,empty=',
    ]);
  });

  test('lists brokers, topics and partitions', async () => {
    const topic = topicName('list');
    await kcat(['-P', '-t', topic], 'x\n');
    const metadata = JSON.parse(await kcat(['-L', '-J'])) as {
      brokers: { id: number; name: string }[];
      topics: { topic: string; partitions: { partition: number; leader: number }[] }[];
    };
    assert.deepEqual(
      metadata.brokers.map((broker) => broker.name),
      [server.bootstrap],
    );
    const found = metadata.topics.find((each) => each.topic === topic);
    assert.equal(found?.partitions[0]?.leader, metadata.brokers[0]!.id);
  });

  test('finds offsets by time and reads from there', async () => {
    const topic = topicName('time');
    await kcat(['-P', '-t', topic, '-p', '0'], 'before\n');
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    const nowMs = Date.now();
    await kcat(['-P', '-t', topic, '-p', '0'], 'after\n');
    assert.match(await kcat(['-Q', '-t', `${topic}:0:${nowMs}`]), /offset 1$/m);
    const read = await kcat(['-C', '-t', topic, '-p', '0', '-o', `s@${nowMs}`, '-e', '-q']);
    assert.equal(read, 'after\n');
    const last = await kcat([
      '-C',
      '-t',
      topic,
      '-p',
      '0',
      '-o',
      '-1',
      '-e',
      '-q',
      '-f',
      '%o %s\n',
    ]);
    assert.equal(last, '1 after\n');
  });

  test('follows a log that grows', async () => {
    const topic = topicName('follow');
    await kcat(['-P', '-t', topic, '-p', '0'], '0\n');
    const reading = kcat(['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-c', '3', '-q', '-u']);
    await kcat(['-P', '-t', topic, '-p', '0'], '1\n');
    await kcat(['-P', '-t', topic, '-p', '0'], '2\n');
    assert.equal(await reading, '0\n1\n2\n');
  });

  test('shares a group, and the survivor of a kill reads everything', async () => {
    const topic = topicName('group');
    await kcat(['-P', '-t', topic], numbered('early', 40));
    const group = `${topic}-group`;
    const first = startMember(topic, group);
    const second = startMember(topic, group);
    try {
      await until(() => union(first, second).size === 40);
      first.child.kill('SIGKILL');
      await kcat(['-P', '-t', topic], numbered('late', 40));
      await until(() => union(first, second).size === 80);
    } finally {
      first.child.kill('SIGKILL');
      // Asked politely, it would wait for a coordinator that the end of the tests takes away.
      second.child.kill('SIGKILL');
    }
  });
});

function numbered(word: string, count: number): string {
  return Array.from({ length: count }, (_, index) => `${word}-${index}\n`).join('');
}

interface Member {
  child: ChildProcess;
  seen: Set<string>;
}

function startMember(topic: string, group: string): Member {
  const child = spawn(
    'kcat',
    [
      ...['-b', server.bootstrap, '-q', '-u', '-G', group, topic],
      ...['-X', 'auto.offset.reset=earliest', '-X', 'session.timeout.ms=6000'],
      ...['-X', 'heartbeat.interval.ms=500', '-X', 'auto.commit.interval.ms=200'],
      ...patient,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const seen = new Set<string>();
  let rest = '';
  child.stdout.on('data', (data: Buffer) => {
    const parts = (rest + data.toString()).split('\n');
    rest = parts.pop()!;
    for (const line of parts) seen.add(line);
  });
  return { child, seen };
}

function union(first: Member, second: Member): Set<string> {
  return new Set([...first.seen, ...second.seen]);
}
