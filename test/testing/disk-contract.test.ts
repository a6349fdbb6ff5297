import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { type Disk, MemoryDisk, NodeDisk } from '../../src/disk/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../src/testing/index.ts';

/** What every disk does, whatever it stands on: the simulated one must not promise more or less than a real one. */
const disks: Record<string, () => Disk> = {
  'a real disk': () => new NodeDisk(),
  'a disk in memory': () => new MemoryDisk(),
  'a simulated disk': () =>
    new SimulatedDisk({
      clock: new SimulatedClock(),
      random: new SeededRandom(1),
      latencyMsMax: 0,
    }),
};

for (const [name, createDisk] of Object.entries(disks)) {
  /** Runs `scenario` in a directory of its own that exists. */
  const contract = (
    title: string,
    scenario: (disk: Disk, directory: string) => Promise<void>,
  ): void => {
    test(`${name}: ${title}`, async () => {
      const root = await mkdtemp(join(tmpdir(), 'pabal-disk-'));
      try {
        const disk = createDisk();
        await disk.makeDirectory(root);
        await scenario(disk, root);
      } finally {
        await rm(root, { recursive: true });
      }
    });
  };

  contract(
    'what is written is read, with zeros in holes and short at the end',
    async (disk, root) => {
      for (const isDurable of [true, false]) {
        const file = await disk.open(join(root, `${isDurable}`), { create: true, isDurable });
        assert.equal(await file.size(), 0);
        await file.write(Buffer.from('abc'), 1000);
        await file.write(Buffer.from('X'), 1001);
        await file.write(Buffer.alloc(0), 5000);
        await file.sync();
        assert.equal(await file.size(), 1003);
        const into = Buffer.alloc(10, 0xee);
        assert.equal(await file.read(into, 998), 5);
        assert.equal(into.toString('latin1'), '\0\0aXcîîîîî');
        assert.equal(await file.read(into, 2000), 0);
        await file.close();
      }
    },
  );

  contract('truncating cuts, and growing adds zeros', async (disk, root) => {
    const file = await disk.open(join(root, 'file'), { create: true });
    await file.write(Buffer.alloc(2000, 1), 0);
    await file.truncate(700);
    assert.equal(await file.size(), 700);
    await file.truncate(1500);
    const into = Buffer.alloc(1500, 0xee);
    assert.equal(await file.read(into, 0), 1500);
    assert.deepEqual(into, Buffer.concat([Buffer.alloc(700, 1), Buffer.alloc(800)]));
    await file.close();
  });

  contract('opening finds what is there and creates only what is not', async (disk, root) => {
    const path = join(root, 'file');
    await assert.rejects(disk.open(path, {}), { code: 'ENOENT' });
    const file = await disk.open(path, { create: true });
    await assert.rejects(disk.open(path, { create: true }), { code: 'EEXIST' });
    await file.write(Buffer.from('abc'), 0);
    await file.close();
    const again = await disk.open(path, { isReadOnly: true });
    assert.equal(await again.size(), 3);
    await again.close();
  });

  contract('names are listed, replaced and removed', async (disk, root) => {
    for (const letter of 'ab') {
      const file = await disk.open(join(root, letter), { create: true });
      await file.write(Buffer.from(letter), 0);
      await file.close();
    }
    await disk.makeDirectory(join(root, 'deep', 'er'));
    await disk.makeDirectory(join(root, 'deep'));
    assert.deepEqual((await disk.list(root)).toSorted(), ['a', 'b', 'deep']);
    assert.deepEqual(await disk.list(join(root, 'deep')), ['er']);
    await disk.rename(join(root, 'a'), join(root, 'b'));
    await disk.syncDirectory(root);
    assert.deepEqual((await disk.list(root)).toSorted(), ['b', 'deep']);
    const file = await disk.open(join(root, 'b'), {});
    const into = Buffer.alloc(1);
    await file.read(into, 0);
    assert.equal(into.toString(), 'a');
    await file.close();
    await assert.rejects(disk.rename(join(root, 'a'), join(root, 'c')), { code: 'ENOENT' });
    await disk.remove(join(root, 'b'));
    await disk.remove(join(root, 'b'));
    assert.deepEqual(await disk.list(root), ['deep']);
    await assert.rejects(disk.list(join(root, 'none')), { code: 'ENOENT' });
  });

  contract('a removed file lives on for those who have it open', async (disk, root) => {
    const path = join(root, 'file');
    const file = await disk.open(path, { create: true });
    await file.write(Buffer.from('abc'), 0);
    await disk.remove(path);
    const into = Buffer.alloc(3);
    assert.equal(await file.read(into, 0), 3);
    assert.equal(into.toString(), 'abc');
    await file.close();
  });

  contract('there is room', async (disk, root) => {
    assert.ok((await disk.space(root)).freeBytes > 0);
  });
}
