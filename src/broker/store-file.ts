import { join } from 'node:path';
import { BrokerError, type Random } from '../base/index.ts';
import { crc32c } from '../bytes/index.ts';
import type { Disk } from '../disk/index.ts';

/** What a store is, decided when it is created. Kept as JSON in `pabal.json`, with a CRC32C as `check`. */
export interface StoreIdentity {
  /** Version of the layout of the data directory: 1. */
  format: number;
  /** Random UUID. */
  storeId: string;
  /** Number of shards: it decides where things are, so it never changes. */
  shards: number;
}

const fileName = 'pabal.json';
const formatSupported = 1;
const fileBytesMax = 64 * 1024;

/** Reads the identity of the store in `directory`, or creates one. Rejects with storage-damaged. */
export async function openStoreFile(
  disk: Disk,
  directory: string,
  random: Random,
  shards: number,
): Promise<StoreIdentity> {
  await disk.makeDirectory(directory);
  const names = await disk.list(directory);
  if (names.includes(fileName)) return readStoreFile(disk, directory);
  if (names.some((name) => name.startsWith('shard-'))) {
    throw new BrokerError(
      'storage-damaged',
      `${join(directory, fileName)} is missing; restore it from a backup`,
    );
  }
  const identity: StoreIdentity = { format: formatSupported, storeId: random.nextUuid(), shards };
  const temporary = join(directory, `${fileName}.tmp`);
  await disk.remove(temporary);
  const file = await disk.open(temporary, { create: true });
  try {
    const stored = { ...identity, check: checkOf(identity) };
    await file.write(Buffer.from(`${JSON.stringify(stored)}\n`), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, join(directory, fileName));
  await disk.syncDirectory(directory);
  return identity;
}

async function readStoreFile(disk: Disk, directory: string): Promise<StoreIdentity> {
  const path = join(directory, fileName);
  const file = await disk.open(path, { isReadOnly: true });
  try {
    const bytes = Buffer.alloc(Math.min(await file.size(), fileBytesMax));
    const count = await file.read(bytes, 0);
    const identity = parse(bytes.subarray(0, count).toString('utf8'));
    if (identity === undefined) {
      throw new BrokerError('storage-damaged', `${path} cannot be read; restore it from a backup`);
    }
    if (identity.format > formatSupported) {
      throw new BrokerError(
        'storage-damaged',
        `${path} is of format ${identity.format}, which a newer version of this software wrote`,
      );
    }
    return identity;
  } finally {
    await file.close();
  }
}

/** Undefined when the text is not as it was written: a wrong number of shards would hide what is stored. */
function parse(text: string): StoreIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    if (!('format' in value) || !('storeId' in value) || !('shards' in value)) return undefined;
    const { format, storeId, shards } = value;
    if (!Number.isInteger(format) || typeof storeId !== 'string' || !Number.isInteger(shards))
      return undefined;
    const identity = { format: Number(format), storeId, shards: Number(shards) };
    return 'check' in value && value.check === checkOf(identity) ? identity : undefined;
  } catch {
    return undefined;
  }
}

function checkOf({ format, storeId, shards }: StoreIdentity): number {
  return crc32c(Buffer.from(`${format} ${storeId} ${shards}`));
}
