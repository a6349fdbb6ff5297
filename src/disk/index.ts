export type { Disk, DiskFile, DiskOpenOptions, DiskSpace } from './disk.ts';
export { MemoryDisk } from './memory-disk.ts';
export { NodeDisk } from './node-disk.ts';
