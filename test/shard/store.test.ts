import assert from 'node:assert/strict';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import test from 'node:test';
import { verifyStore } from '../../src/shard/index.ts';
import {
  createDirectory,
  fill,
  findFiles,
  flipByte,
  numbers,
  openBroker,
  readKeys,
} from './store-fixture.ts';

test('what was stored is read again: over files, from memory and from disk', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await fill(first, 'a', 150);
  assert.deepEqual(await readKeys(first, 'a'), numbers(0, 150));
  assert.ok((await findFiles(data, '.journal')).length > 2);
  await first.close();
  const second = await openBroker(data);
  assert.deepEqual(await readKeys(second, 'a'), numbers(0, 150));
  await fill(second, 'a', 10, 150);
  assert.deepEqual(await readKeys(second, 'a'), numbers(0, 160));
  await second.close();
});

test('indexes that are missing or damaged are built anew', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await fill(first, 'a', 150);
  await first.close();
  const [missing = '', damaged = ''] = await findFiles(data, '.journal-index');
  await rm(missing);
  await flipByte(damaged, 30);
  const warnings: string[] = [];
  const second = await openBroker(data, warnings);
  assert.deepEqual(await readKeys(second, 'a'), numbers(0, 150));
  assert.deepEqual(
    [missing, damaged].map((path) => warnings.some((warning) => warning.includes(basename(path)))),
    [true, true],
  );
  await second.close();
});

test('a damaged snapshot gives way to the one before it', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await fill(first, 'a', 100);
  await first.close();
  const newest = (await findFiles(data, '.snapshot')).at(-1) ?? '';
  await flipByte(newest, 40);
  const warnings: string[] = [];
  const second = await openBroker(data, warnings);
  assert.deepEqual(await readKeys(second, 'a'), numbers(0, 100));
  assert.match(warnings.join(), /snapshot is damaged/);
  await second.close();
});

test('without any snapshot the journal alone leads to the same state', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await fill(first, 'a', 20);
  await first
    .groupsFor('g')
    .commit('g', undefined, [
      { topicId: 't', partition: 0, offset: 7, leaderEpoch: -1, metadata: '' },
    ]);
  await first.close();
  for (const path of await findFiles(data, '.snapshot')) await rm(path);
  const second = await openBroker(data);
  assert.deepEqual(await readKeys(second, 'a'), numbers(0, 20));
  const [offset] = await second.groupsFor('g').fetchOffsets('g');
  assert.equal(offset?.offset, 7);
  await second.close();
});

test('damage in one batch is reported where it is read, and all else stays readable', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await fill(first, 'a', 100);
  await first.close();
  const [file = ''] = await findFiles(data, '.journal');
  const at = (await readFile(file)).indexOf('vvvvvvvv', 5000);
  await flipByte(file, at);
  const second = await openBroker(data);
  const log = second.findTopic('a')?.partitions[0];
  let damaged = 0;
  const keys: number[] = [];
  for (let offset = 0; offset < (log?.highWatermark ?? 0); offset++) {
    try {
      const [record] = await second.read('a', 0, offset, 1);
      keys.push(Number(record?.key));
    } catch (error) {
      assert.equal((error as { code: string }).code, 'storage-damaged');
      damaged += 1;
    }
  }
  assert.ok(damaged >= 1 && damaged < 60, `${damaged} records cannot be read`);
  assert.equal(keys.length + damaged, 100);
  assert.deepEqual(keys.slice(-30), numbers(70, 100));
  await second.close();
});

test('a base offset or an epoch that was changed on the disk is noticed', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await fill(first, 'a', 30);
  await first.close();
  const [file = ''] = await findFiles(data, '.journal');
  const whole = await readFile(file);
  // The batch begins 61 bytes and a record's head before its value; its prefix is not under its CRC.
  const value = whole.indexOf('vvvvvvvv', 2000);
  const magicAt = whole.lastIndexOf(2, value - 50);
  assert.equal(
    whole.readInt32BE(magicAt - 8) > 200,
    true,
    'the length field is where it should be',
  );
  for (const position of [magicAt - 9, magicAt - 1]) {
    const changed = Buffer.from(whole);
    changed[position] = (changed[position] ?? 0) ^ 1;
    await writeFile(file, changed);
    const broker = await openBroker(data);
    await assert.rejects(readKeys(broker, 'a'), { code: 'storage-damaged' });
    await broker.close();
  }
});

test('many small files become one segment, and no record is lost or moved', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await first.createTopic('b', { partitions: 2 });
  for (let round = 0; round < 10; round++) {
    await fill(first, 'a', 40, round * 40);
    await first.send('b', { partition: 1, key: `${round}`, value: 'x' });
  }
  await first.maintain();
  assert.equal((await findFiles(data, '.segment')).length, 1);
  const files = await findFiles(data, '.journal');
  assert.ok(files.length < 8, `${files.length} journal files are left`);
  assert.deepEqual(await readKeys(first, 'a'), numbers(0, 400));
  assert.deepEqual(await readKeys(first, 'b', 1), numbers(0, 10));
  await first.close();
  assert.deepEqual((await verifyStore(data)).problems, []);
  const second = await openBroker(data);
  assert.deepEqual(await readKeys(second, 'a'), numbers(0, 400));
  await second.close();
});

test('deleted records are gone for good, and their files with them', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await fill(first, 'a', 200);
  const before = (await findFiles(data, '.journal')).length;
  const log = first.findTopic('a')?.partitions[0];
  assert.equal(await log?.deleteBefore(150), 150);
  assert.throws(() => log?.read(149, { maxBytes: 1, minOneBatch: true }), {
    code: 'offset-out-of-range',
  });
  await assert.rejects(log?.deleteBefore(201) ?? Promise.resolve(), {
    code: 'offset-out-of-range',
  });
  await first.maintain();
  assert.ok((await findFiles(data, '.journal')).length < before);
  await first.close();
  const second = await openBroker(data);
  assert.equal(second.findTopic('a')?.partitions[0]?.logStartOffset, 150);
  assert.deepEqual(await readKeys(second, 'a'), numbers(150, 200));
  assert.equal(await second.findTopic('a')?.partitions[0]?.deleteBefore(-1), 200);
  await second.close();
});

test('records are found by time, in memory and on disk', async (context) => {
  const data = await createDirectory(context);
  const first = await openBroker(data);
  await fill(first, 'a', 150);
  await first.send('a', { key: '150', value: '', timestampMs: 5000 });
  await first.send('a', { key: '151', value: '', timestampMs: 2000 });
  const check = async (broker: typeof first): Promise<void> => {
    const log = broker.findTopic('a')?.partitions[0];
    for (const [time, offset] of [
      [0, 0],
      [1000, 0],
      [1077, 77],
      [1150, 150],
      [5000, 150],
      [5001, undefined],
    ] as const) {
      assert.equal((await log?.findByTime(time))?.offset, offset, `time ${time}`);
    }
    assert.equal((await log?.findMaxTimestamp())?.offset, 150);
  };
  await check(first);
  await first.close();
  const second = await openBroker(data);
  await check(second);
  await second.findTopic('a')?.partitions[0]?.deleteBefore(151);
  assert.equal((await second.findTopic('a')?.partitions[0]?.findMaxTimestamp())?.offset, 151);
  await second.close();
});

test('each opening is an epoch of its own, and says where the ones before ended', async (context) => {
  const data = await createDirectory(context);
  for (let life = 0; life < 3; life++) {
    const broker = await openBroker(data);
    await fill(broker, 'a', 5, life * 5);
    await broker.close();
  }
  const broker = await openBroker(data);
  const log = broker.findTopic('a')?.partitions[0];
  const epoch = log?.leaderEpoch ?? 0;
  assert.deepEqual(log?.findEpochEnd(epoch), { epoch, endOffset: 15 });
  assert.deepEqual(log?.findEpochEnd(epoch - 1), { epoch: epoch - 1, endOffset: 15 });
  assert.deepEqual(log?.findEpochEnd(epoch - 2), { epoch: epoch - 2, endOffset: 10 });
  assert.deepEqual(log?.findEpochEnd(epoch - 3), { epoch: epoch - 3, endOffset: 5 });
  assert.deepEqual(log?.findEpochEnd(0), { epoch: 0, endOffset: 0 });
  // Whoever had read all that is gone stays where it is.
  await log?.deleteBefore(10);
  assert.deepEqual(log?.findEpochEnd(epoch - 2), { epoch: epoch - 2, endOffset: 10 });
  assert.deepEqual(log?.findEpochEnd(epoch - 3), { epoch: epoch - 3, endOffset: 10 });
  await broker.close();
});

test('verification finds nothing in a whole store', async (context) => {
  const data = await createDirectory(context);
  const broker = await openBroker(data);
  await fill(broker, 'a', 150);
  await broker.close();
  const report = await verifyStore(data);
  assert.deepEqual(report.problems, []);
  assert.equal(report.records, 150);
});

test('verification names file and position of a flipped byte, a cut and a missing file', async (context) => {
  const data = await createDirectory(context);
  const broker = await openBroker(data);
  await fill(broker, 'a', 150);
  await broker.close();
  const [first = '', second = '', third = ''] = await findFiles(data, '.journal');
  await flipByte(first, 5000);
  await truncate(second, 4096);
  await rm(third);
  const { problems } = await verifyStore(data);
  const flip = problems.find((problem) => problem.file === first);
  assert.ok(
    flip !== undefined && flip.position <= 5000 && flip.position > 4000,
    `the flipped byte: ${JSON.stringify(problems)}`,
  );
  assert.ok(
    problems.some((problem) => problem.file === second && problem.position <= 4096),
    `the cut file: ${JSON.stringify(problems)}`,
  );
  const missing = `journal ${Number.parseInt(basename(third), 10)}`;
  assert.ok(
    problems.some((problem) => problem.file === missing),
    `the missing file: ${JSON.stringify(problems)}`,
  );
});

test('verification finds every flipped byte of a segment and of a journal file', async (context) => {
  const data = await createDirectory(context);
  const broker = await openBroker(data);
  await fill(broker, 'a', 330);
  await broker.maintain();
  await broker.close();
  const [segment = ''] = await findFiles(data, '.segment');
  const journal = (await findFiles(data, '.journal')).at(-1) ?? '';
  for (const [file, from] of [
    [segment, 0],
    [journal, 0],
  ] as const) {
    const length = (await readFile(file)).length;
    // One whole chunk or entry, and some further on.
    for (let position = from; position < length; position += position < 400 ? 23 : 16_001) {
      await flipByte(file, position);
      const { problems } = await verifyStore(data);
      await flipByte(file, position);
      assert.ok(
        problems.some((problem) => problem.file === file),
        `byte ${position} of ${basename(file)}: ${JSON.stringify(problems)}`,
      );
    }
  }
});
