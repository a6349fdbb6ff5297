/**
 * Real text through real clients: the distribution's package index, manual pages and documentation, line by line with
 * keys, into twelve partitions by kcat, and out of them by two groups of three members. One member is killed midway.
 * What each group has read is compared with the source: count, checksum of every line, order of every key.
 *
 * REAL_DATA_MB says how much text (default 300).
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import { ServerProcess } from './server-process.ts';

const partitions = 12;
const wantedBytes = Number(process.env.REAL_DATA_MB ?? 300) * 1e6;
const linesMax = 20_000_000;
const keyBytesMax = 24;
/** Of all lines, when the first group's first member is killed. */
const killAt = 0.4;
const stallLimitMs = 120_000;

function* listFiles(directory: string): Generator<string> {
  const entries = readdirSync(directory, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) yield* listFiles(file);
    else if (entry.isFile() && statSync(file).size < 256 * 1024 * 1024) yield file;
  }
}

function readText(file: string): Buffer {
  if (file.endsWith('.gz')) return gunzipSync(readFileSync(file));
  if (file.endsWith('.lz4')) {
    return execFileSync('/usr/lib/apt/apt-helper', ['cat-file', file], { maxBuffer: 1 << 30 });
  }
  return readFileSync(file);
}

/** Non-empty lines without the bytes that kcat gives a meaning, from as many files as it takes. */
function* readLines(): Generator<Buffer> {
  let bytes = 0;
  for (const directory of ['/var/lib/apt/lists', '/usr/share/doc', '/usr/share/man']) {
    for (const file of listFiles(directory)) {
      if (/\.(?:png|jpg|svgz|zip|xz|bz2|pdf|db|so)$/.test(file)) continue;
      const text = readText(file);
      for (let index = 0; index < text.length; index++) {
        if (text[index] === 9 || text[index] === 13 || text[index] === 0) text[index] = 32;
      }
      for (let start = 0; start < text.length; ) {
        const newline = text.indexOf(10, start);
        const end = newline === -1 ? text.length : newline;
        if (end > start) yield text.subarray(start, end);
        bytes += end - start;
        if (bytes >= wantedBytes) return;
        start = end + 1;
      }
    }
  }
}

/** A line's first word: keys that repeat, some of them very often. */
function keyOf(line: Buffer): Buffer {
  const start = line.findIndex((byte) => byte !== 32);
  if (start === -1) return Buffer.from('blank');
  const space = line.indexOf(32, start);
  const end = Math.min(space === -1 ? line.length : space, start + keyBytesMax);
  return line.subarray(start, end);
}

/** What was sent, by line number. */
class Source {
  readonly checksums = new Uint32Array(linesMax);
  readonly keyChecksums = new Uint32Array(linesMax);
  /** Keys as numbers: checksums of this many keys would clash. */
  readonly keys = new Uint32Array(linesMax);
  readonly #numberOfKey = new Map<string, number>();
  count = 0;
  bytes = 0;

  async send(bootstrap: string, topic: string): Promise<void> {
    const child = spawn(
      'kcat',
      [
        ...['-P', '-b', bootstrap, '-t', topic, '-K', '\t', '-z', 'lz4'],
        ...['-X', 'enable.idempotence=true', '-X', 'linger.ms=20'],
      ],
      { stdio: ['pipe', 'ignore', 'pipe'] },
    );
    let errors = '';
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    const ended = once(child, 'close');
    const parts: Buffer[] = [];
    let partBytes = 0;
    for (const line of readLines()) {
      if (this.count === linesMax) break;
      const key = keyOf(line);
      const value = Buffer.concat([Buffer.from(`${this.count} `), line]);
      this.checksums[this.count] = crc32c(value);
      this.keyChecksums[this.count] = crc32c(key);
      this.keys[this.count] = this.#intern(key);
      this.count += 1;
      this.bytes += value.length;
      parts.push(key, tab, value, newline);
      partBytes += value.length;
      if (partBytes > 1 << 18) {
        const isWritable = child.stdin.write(Buffer.concat(parts.splice(0)));
        partBytes = 0;
        if (!isWritable) await once(child.stdin, 'drain');
      }
    }
    child.stdin.end(Buffer.concat(parts));
    const [code] = await ended;
    assert.equal(code, 0, errors);
  }

  #intern(key: Buffer): number {
    const text = key.toString('latin1');
    const known = this.#numberOfKey.get(text);
    if (known !== undefined) return known;
    this.#numberOfKey.set(text, this.#numberOfKey.size);
    return this.#numberOfKey.size - 1;
  }
}

const tab = Buffer.from('\t');
const newline = Buffer.from('\n');

/** What one group has read: for every partition, which line each offset holds. */
class GroupReader {
  readonly name: string;
  readonly members: ChildProcess[] = [];
  /** -1 where nothing has come yet. */
  readonly lineAt: Int32Array[] = [];
  readonly #source: Source;
  distinct = 0;
  repeated = 0;
  readonly problems: string[] = [];

  constructor(name: string, source: Source) {
    this.name = name;
    this.#source = source;
    for (let partition = 0; partition < partitions; partition++) {
      this.lineAt.push(new Int32Array(1 << 20).fill(-1));
    }
  }

  startMember(bootstrap: string, topic: string): void {
    const child = spawn(
      'kcat',
      [
        ...['-b', bootstrap, '-q', '-u', '-G', this.name, '-f', '%p %o %k\t%s\n'],
        ...['-X', 'auto.offset.reset=earliest', '-X', 'session.timeout.ms=6000'],
        ...['-X', 'heartbeat.interval.ms=500', '-X', 'auto.commit.interval.ms=500'],
        topic,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    let rest: Buffer = Buffer.alloc(0);
    child.stdout.on('data', (data: Buffer) => {
      const text = rest.length === 0 ? data : Buffer.concat([rest, data]);
      let start = 0;
      for (;;) {
        const end = text.indexOf(10, start);
        if (end === -1) break;
        this.#take(text.subarray(start, end));
        start = end + 1;
      }
      rest = text.subarray(start);
    });
    this.members.push(child);
  }

  #take(line: Buffer): void {
    const first = line.indexOf(32);
    const second = line.indexOf(32, first + 1);
    const tabAt = line.indexOf(9, second + 1);
    const partition = Number(line.toString('latin1', 0, first));
    const offset = Number(line.toString('latin1', first + 1, second));
    const value = line.subarray(tabAt + 1);
    const number = Number(value.toString('latin1', 0, value.indexOf(32)));
    if (crc32c(value) !== this.#source.checksums[number]) {
      this.#complain(`line ${number} has changed: ${value.toString()}`);
    }
    if (crc32c(line.subarray(second + 1, tabAt)) !== this.#source.keyChecksums[number]) {
      this.#complain(`line ${number} has another key`);
    }
    this.#remember(partition, offset, number);
  }

  #remember(partition: number, offset: number, number: number): void {
    let lines = this.lineAt[partition]!;
    if (offset >= lines.length) {
      const larger = new Int32Array(Math.max(offset + 1, lines.length * 2)).fill(-1);
      larger.set(lines);
      lines = larger;
      this.lineAt[partition] = lines;
    }
    const known = lines[offset]!;
    if (known === -1) {
      lines[offset] = number;
      this.distinct += 1;
    } else if (known === number) {
      this.repeated += 1;
    } else {
      this.#complain(`partition ${partition} offset ${offset}: line ${known}, then ${number}`);
    }
  }

  #complain(problem: string): void {
    if (this.problems.length < 20) this.problems.push(problem);
  }

  /** Every line once, without gaps in the offsets, and each key's lines in the order they were sent. */
  check(): void {
    assert.deepEqual(this.problems, []);
    const seen = new Uint8Array(this.#source.count);
    const lastOfKey = new Map<number, number>();
    const partitionOfKey = new Map<number, number>();
    for (const [partition, lines] of this.lineAt.entries()) {
      const end = lines.findLastIndex((line) => line !== -1) + 1;
      for (let offset = 0; offset < end; offset++) {
        const number = lines[offset]!;
        assert.notEqual(number, -1, `partition ${partition} has no offset ${offset}`);
        assert.equal(seen[number], 0, `line ${number} was stored twice`);
        seen[number] = 1;
        const key = this.#source.keys[number]!;
        assert.equal(partitionOfKey.get(key) ?? partition, partition, 'a key in two partitions');
        partitionOfKey.set(key, partition);
        assert.ok((lastOfKey.get(key) ?? -1) < number, `line ${number} came before an older one`);
        lastOfKey.set(key, number);
      }
    }
    assert.equal(seen.indexOf(0), -1, 'a line is missing');
  }

  stop(): void {
    for (const member of this.members) member.kill('SIGKILL');
  }
}

describe('real text through two groups of three members', () => {
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start();
  });

  after(async () => {
    await server.stop();
  });

  test('every line comes out as it went in, and each key in order', async (t) => {
    const topic = `text-${process.pid}`;
    await createTopic(server.bootstrap, topic);
    const source = new Source();
    const groups = ['first', 'second'].map((name) => new GroupReader(`${topic}-${name}`, source));
    try {
      const startedMs = Date.now();
      for (const group of groups) {
        for (let member = 0; member < 3; member++) group.startMember(server.bootstrap, topic);
      }
      const sending = source.send(server.bootstrap, topic);
      const progress = { isSent: false };
      void sending.then(() => (progress.isSent = true));
      let isKilled = false;
      let changedMs = Date.now();
      let total = 0;
      while (!progress.isSent || groups.some((group) => group.distinct < source.count)) {
        await new Promise((resolve) => {
          setTimeout(resolve, 100);
        });
        const now = groups[0]!.distinct + groups[1]!.distinct;
        if (now !== total) changedMs = Date.now();
        total = now;
        assert.ok(Date.now() - changedMs < stallLimitMs, `nothing came for long; ${total} so far`);
        const expected = wantedBytes / (source.bytes / Math.max(1, source.count));
        if (!isKilled && groups[0]!.distinct > expected * killAt) {
          groups[0]!.members[0]!.kill('SIGKILL');
          isKilled = true;
        }
      }
      await sending;
      assert.ok(isKilled);
      for (const group of groups) group.check();
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
      t.diagnostic(
        `${source.count} lines, ${(source.bytes / 1e6).toFixed(0)} MB, ${seconds} s; ` +
          `read again after the kill: ${groups.map((group) => group.repeated).join(', ')}`,
      );
    } finally {
      for (const group of groups) group.stop();
    }
  });
});

/** kcat cannot make topics with a number of partitions; kafkajs can. */
async function createTopic(bootstrap: string, topic: string): Promise<void> {
  const { default: kafkajs } = await import('kafkajs');
  const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [{ topic, numPartitions: partitions }],
    waitForLeaders: true,
  });
  await admin.disconnect();
  await promisify(execFile)('kcat', ['-b', bootstrap, '-L', '-t', topic]);
}
