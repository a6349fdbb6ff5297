export type { Disk, DiskFile, DiskOpenOptions } from './disk.ts';
export { MemoryDisk } from './memory-disk.ts';
export { NodeDisk } from './node-disk.ts';
