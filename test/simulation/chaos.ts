import { dirname, join } from 'node:path';
import { chunkBytesFor, findChunkHeader, isChunkIntact } from '../../src/journal/chunk.ts';
import type { SeededRandom } from '../../src/testing/index.ts';
import { dataDirectory, type World } from './world.ts';

/** Lets the disk fail now and then, for a while each. */
export async function runChaos(world: World, random: SeededRandom): Promise<void> {
  const { plan, disk, life } = world;
  for (;;) {
    await life.sleep(random.nextFraction() * 150);
    const kinds: Array<() => Promise<void>> = [];
    if (plan.hasDiskErrors) {
      kinds.push(
        () => failFor(world, random, { writeErrorRate: random.pick([0.02, 0.3]) }),
        () => failFor(world, random, { readErrorRate: random.pick([0.02, 0.3]) }),
        () => failFor(world, random, { nameErrorRate: random.pick([0.05, 0.5]) }),
      );
    }
    // With `--sync os` a sync that fails loses what only memory held, under the broker's feet: as good as power loss.
    if (plan.hasDiskErrors && plan.sync === 'always')
      kinds.push(() => failFor(world, random, { syncErrorRate: random.pick([0.02, 0.3]) }));
    if (plan.hasSlowSyncs)
      kinds.push(() => failFor(world, random, { slowSyncRate: 0.3, slowSyncMs: 40 }));
    if (plan.hasFullDisk) {
      kinds.push(async () => {
        disk.capacityBytes = disk.usedBytes + random.nextInt(20_000);
        world.trace(`the disk has room for ${disk.capacityBytes - disk.usedBytes} bytes`);
        await life.sleep(random.nextFraction() * 300);
        disk.capacityBytes = Number.POSITIVE_INFINITY;
        world.trace('the disk has room again');
      });
    }
    const kind = kinds[random.nextInt(Math.max(kinds.length, 1))];
    if (kind !== undefined) await kind();
  }
}

async function failFor(
  world: World,
  random: SeededRandom,
  faults: Partial<World['disk']['faults']>,
): Promise<void> {
  world.trace(`faults: ${JSON.stringify(faults)}`);
  Object.assign(world.disk.faults, faults);
  await world.life.sleep(random.nextFraction() * 100);
  heal(world);
}

/** The disk works from now on. */
export function heal(world: World): void {
  Object.assign(world.disk.faults, {
    writeErrorRate: 0,
    syncErrorRate: 0,
    readErrorRate: 0,
    nameErrorRate: 0,
    slowSyncRate: 0,
  });
  world.disk.capacityBytes = Number.POSITIVE_INFINITY;
}

/** One bit that has turned over, and whether it stands in the last chunk of a journal. */
export interface Flip {
  path: string;
  position: number;
  bit: number;
  isInLastChunk: boolean;
  /** What is around the bit since: when it is something else, the file was written anew. */
  around: Buffer;
}

/** Turns the bit back, as restoring the file from a backup would; not where the broker has written the file anew. */
export async function flipBack(world: World, flip: Flip): Promise<void> {
  const { disk, clock } = world;
  const bytes = await clock.runUntil(readAll(world, flip.path).catch(() => undefined));
  if (bytes === undefined || !flip.around.equals(around(bytes, flip.position))) return;
  disk.flipBit(flip.path, flip.position, flip.bit);
  world.trace('flipped back');
}

function around(bytes: Uint8Array, position: number): Buffer {
  return Buffer.from(bytes.subarray(Math.max(position - 200, 0), position + 200));
}

/** Turns one bit of a stored file over, somewhere in its data. Undefined when chance hits nothing. */
export async function flipSomewhere(world: World, random: SeededRandom): Promise<Flip | undefined> {
  const { disk, clock } = world;
  const paths: string[] = [join(dataDirectory, 'pabal.json')];
  for (let shard = 0; shard < world.plan.shards; shard++) {
    for (const part of ['journal', 'segments']) {
      const directory = join(dataDirectory, `shard-${shard}`, part);
      const names = await clock.runUntil(disk.list(directory).catch(() => []));
      for (const name of names.toSorted(byName)) paths.push(join(directory, name));
    }
  }
  // Most of them in the data themselves: indexes and snapshots are small, and many.
  const data = paths.filter((path) => /\.(?:journal|segment)$/.test(path));
  const choices = data.length > 0 && random.chance(0.6) ? data : paths;
  const path = choices[random.nextInt(choices.length)] ?? '';
  const bytes = await clock.runUntil(readAll(world, path));
  // A journal file that is being written ends in a hole: what counts is in front of it.
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length -= 1;
  if (length === 0) return undefined;
  const position = random.nextInt(Math.min(length + 16, bytes.length));
  // With `--sync os` a chunk in the last file that is not whole may be where power loss has left a hole: nobody can
  // tell, and what follows it is cut off, as it must be.
  const isLastFile = paths.every((other) => dirname(other) !== dirname(path) || other <= path);
  if (world.plan.sync === 'os' && path.endsWith('.journal') && isLastFile) return undefined;
  const bit = random.nextInt(8);
  if (!disk.flipBit(path, position, bit)) return undefined;
  const isInLastChunk = path.endsWith('.journal') && position >= lastChunkAt(path, bytes);
  bytes[position] = (bytes[position] ?? 0) ^ (1 << bit);
  const flip = { path, position, bit, isInLastChunk, around: around(bytes, position) };
  world.trace(`flip ${path} ${position} ${bit} ${isInLastChunk}`);
  return flip;
}

/** Where the last whole chunk of a journal file begins: behind it there may be a torn one. */
function lastChunkAt(path: string, bytes: Uint8Array): number {
  const baseLsn = Number(/(\d+)\.journal$/.exec(path)?.[1]);
  let last = 0;
  for (let at = 0; at + 64 <= bytes.length; ) {
    const header = findChunkHeader(bytes, at, baseLsn + at);
    if (header === undefined) break;
    if (isChunkIntact(bytes, at, Math.min(header.payloadBytes, bytes.length - at - 64))) last = at;
    at += chunkBytesFor(header.payloadBytes);
  }
  return last;
}

async function readAll(world: World, path: string): Promise<Uint8Array> {
  const file = await world.disk.open(path, { isReadOnly: true });
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

function byName(a: string, b: string): number {
  return a < b ? -1 : 1;
}
