import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { NodeDisk } from '../../src/disk/index.ts';

test('directories are made with those above them, also by several at once', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'pabal-node-disk-'));
  t.after(() => rm(root, { recursive: true }));
  const disk = new NodeDisk();
  const paths = ['a/b/c', 'a/b/d', 'a/b/c', 'a'].map((path) => join(root, path));
  await Promise.all(paths.map((path) => disk.makeDirectory(path)));
  for (const path of paths) assert.ok((await stat(path)).isDirectory());
  await mkdir(join(root, 'real'));
  await symlink(join(root, 'real'), join(root, 'link'));
  await disk.makeDirectory(join(root, 'link', 'below'));
  assert.ok((await stat(join(root, 'real', 'below'))).isDirectory());
});

test('where no directory can be made, that is said at once', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'pabal-node-disk-'));
  t.after(() => rm(root, { recursive: true }));
  const disk = new NodeDisk();
  await writeFile(join(root, 'file'), '');
  await symlink(join(root, 'nothing'), join(root, 'dangling'));
  await assert.rejects(disk.makeDirectory(join(root, 'file')), { code: 'EEXIST' });
  await assert.rejects(disk.makeDirectory(join(root, 'file', 'below')), { code: 'EEXIST' });
  await assert.rejects(disk.makeDirectory(join(root, 'dangling')), { code: 'EEXIST' });
  // The directory above is there, and takes none.
  await assert.rejects(disk.makeDirectory('/proc/pabal-is-not-there/below'));
});
