import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { type Disk, MemoryDisk, NodeDisk } from '../../src/disk/index.ts';
import { HeldDisk } from '../support/held-disk.ts';
import { FileSegmentStore, SegmentMissing, type SegmentStore } from '../../src/segment/index.ts';

/** What every store of segments does. */
const disks: Record<string, () => Disk> = {
  'on a real disk': () => new NodeDisk(),
  'in memory': () => new MemoryDisk(),
};

for (const [where, createDisk] of Object.entries(disks)) {
  const contract = (
    title: string,
    scenario: (store: SegmentStore, disk: Disk, directory: string) => Promise<void>,
  ): void => {
    test(`segments ${where}: ${title}`, async () => {
      const root = await mkdtemp(join(tmpdir(), 'pabal-segments-'));
      try {
        const disk = createDisk();
        const directory = join(root, 'segments');
        const store = await FileSegmentStore.open(disk, directory);
        await scenario(store, disk, directory);
        await store.close();
      } finally {
        await rm(root, { recursive: true });
      }
    });
  };

  contract('what is put is read, whole and in part', async (store) => {
    await store.put('a', [Buffer.from('hello '), Buffer.from('world')]);
    assert.equal(Buffer.from(await store.read('a')).toString(), 'hello world');
    const into = Buffer.alloc(8, '.');
    assert.equal(await store.readRange('a', 6, into), 5);
    assert.equal(into.toString(), 'world...');
    assert.equal(await store.readRange('a', 50, into), 0);
  });

  contract('parts may come asynchronously, and an empty object is one', async (store) => {
    await store.put('parts', parts());
    await store.put('empty', []);
    assert.equal(Buffer.from(await store.read('parts')).toString(), 'xy');
    assert.equal((await store.read('empty')).length, 0);
    assert.deepEqual(
      (await store.list()).toSorted((a, b) => a.bytes - b.bytes),
      [
        { name: 'empty', bytes: 0 },
        { name: 'parts', bytes: 2 },
      ],
    );
  });

  contract('a put replaces, also for those who have read before', async (store) => {
    const into = Buffer.alloc(3);
    await store.put('a', [Buffer.from('old')]);
    await store.readRange('a', 0, into);
    await store.put('a', [Buffer.from('new')]);
    await store.readRange('a', 0, into);
    assert.equal(into.toString(), 'new');
  });

  contract('a put that fails leaves what was there', async (store) => {
    await store.put('a', [Buffer.from('old')]);
    await assert.rejects(store.put('a', failing()), { code: 'storage-failed' });
    assert.equal(Buffer.from(await store.read('a')).toString(), 'old');
    assert.deepEqual(await store.list(), [{ name: 'a', bytes: 3 }]);
  });

  contract('what is not there is missing, and deleting it is nothing', async (store) => {
    await assert.rejects(store.read('none'), SegmentMissing);
    await assert.rejects(store.readRange('none', 0, new Uint8Array(1)), SegmentMissing);
    await store.delete('none');
    await store.put('a', [Buffer.from('a')]);
    await store.readRange('a', 0, new Uint8Array(1));
    await store.delete('a');
    await assert.rejects(store.readRange('a', 0, new Uint8Array(1)), SegmentMissing);
    assert.deepEqual(await store.list(), []);
  });

  contract(
    'an unfinished put of a process that died is cleared',
    async (_store, disk, directory) => {
      await (await disk.open(join(directory, 'a.0.tmp'), { create: true })).close();
      const again = await FileSegmentStore.open(disk, directory);
      assert.deepEqual(await disk.list(directory), []);
      await again.close();
    },
  );
}

async function* parts(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x');
  await Promise.resolve();
  yield Buffer.from('y');
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('ne');
  throw new Error('the source failed');
}

test('what is deleted while objects are listed is left out', async () => {
  const disk = new HeldDisk();
  const store = await FileSegmentStore.open(disk, '/segments');
  await store.put('a', [Buffer.from('x')]);
  await store.put('b', [Buffer.from('yz')]);
  disk.holdNext('list', /segments/);
  const listing = store.list();
  while (!disk.isHolding) await Promise.resolve();
  await store.delete('a');
  disk.release();
  assert.deepEqual(await listing, [{ name: 'b', bytes: 2 }]);
});
