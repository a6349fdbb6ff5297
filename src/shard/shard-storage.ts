import { join } from 'node:path';
import type { Disk, DiskSpace } from '../disk/index.ts';
import { FileJournal, type Journal, type JournalOpenOptions } from '../journal/index.ts';
import { FileSegmentStore, type SegmentStore } from '../segment/index.ts';

/** Where a shard keeps its journal and its objects: all that it knows of its storage. */
export interface ShardBacking {
  /** Named in messages: a directory, a database. */
  readonly place: string;
  /** Takes ownership of the journal with a new epoch, and replays it. */
  openJournal(options: JournalOpenOptions): Promise<Journal>;
  openSegments(): Promise<SegmentStore>;
  /** Room left. A storage that has no such bound answers with a very large number. */
  space(): Promise<DiskSpace>;
}

export interface FileBackingOptions {
  disk: Disk;
  /** Holds nothing but this shard. */
  directory: string;
  journalFileBytes: number;
  /** False: acknowledge once the operating system has the bytes. */
  isDurable: boolean;
}

/** Journal and objects in files below one directory. */
export class FileBacking implements ShardBacking {
  readonly place: string;
  readonly #options: FileBackingOptions;

  constructor(options: FileBackingOptions) {
    this.place = options.directory;
    this.#options = options;
  }

  openJournal(options: JournalOpenOptions): Promise<Journal> {
    const { disk, directory, journalFileBytes, isDurable } = this.#options;
    return FileJournal.open({
      ...options,
      disk,
      directory: join(directory, 'journal'),
      fileBytes: journalFileBytes,
      isDurable,
    });
  }

  openSegments(): Promise<SegmentStore> {
    return FileSegmentStore.open(this.#options.disk, join(this.place, 'segments'));
  }

  space(): Promise<DiskSpace> {
    return this.#options.disk.space(this.place);
  }
}
