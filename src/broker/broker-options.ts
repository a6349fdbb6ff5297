import type { Clock, Random } from '../base/index.ts';
import type { Disk } from '../disk/index.ts';
import type { GroupOptions, ShardLog, ShardObserver, ShardOptions } from '../shard/index.ts';

export interface BrokerOptions {
  /** Directory of the data. Default `./data`; not used by a store in memory. */
  data?: string;
  /** `memory`: everything is gone when the broker closes. Default `file`. */
  store?: 'file' | 'memory';
  /** `os`: acknowledge once the operating system has the data; power loss may take the latest. Default `always`. */
  sync?: 'always' | 'os';
  brokerId?: number;
  /** Partitions of a topic that is created without a number. Default 1. */
  defaultPartitions?: number;
  /** Sending to or asking for a topic that does not exist creates it. Default true. */
  createTopicsOnUse?: boolean;
  /** Journals of a store that is created now; fixed afterwards. Default 1. */
  shards?: number;
  groupOptions?: Partial<GroupOptions>;
  /** Users who may connect from this machine only. Default: `guest`. */
  loopbackUsers?: readonly string[];
  log?: ShardLog;
  observer?: ShardObserver;
  clock?: Clock;
  random?: Random;
  disk?: Disk;
  /** Sizes and rates of the shards, for tests and unusual machines. */
  tuning?: Partial<
    Pick<
      ShardOptions,
      | 'journalFileBytes'
      | 'tailCacheBytes'
      | 'chunkBytesMax'
      | 'freeBytesMin'
      | 'compactionBytesPerSecond'
      | 'retentionCheckMs'
    >
  >;
}
