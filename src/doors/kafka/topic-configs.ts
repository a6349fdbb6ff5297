import { type Codec, codecs } from '../../bytes/index.ts';
import type { Topic, TopicOptions } from '../../broker/index.ts';
import { configSources } from './config-sources.ts';
import { type ConfigKind, fromLimit, parseConfig, splitList, toLimit } from './config-kind.ts';

/** A configuration of topics, under Kafka's name. */
export interface TopicConfig {
  readonly name: string;
  readonly kind: ConfigKind;
  readonly default: string;
  /** The broker's configuration that the default comes from. */
  readonly brokerName: string;
  readonly documentation: string;
  /** Kafka 4 sets its default for all brokers of a cluster (KIP-966), and clients that list what is set see it. */
  readonly isSetForAll?: boolean;
  /** The option of the broker behind it. Without one, the value is kept for the clients that look at it. */
  readonly option?: OptionMapping;
}

/** How a configuration and an option of the broker become one another. */
interface OptionMapping {
  readonly name: keyof TopicOptions;
  /** Of a value that was parsed before. */
  toOption(value: string): Partial<TopicOptions>;
  fromOptions(options: Readonly<TopicOptions>): string;
  /** The same value may be written in several ways: clients are told how they wrote it. */
  readonly isKeptAsWritten?: boolean;
}

/** A change of a topic: undefined resets to the default. */
export interface TopicChange {
  options: { [K in keyof TopicOptions]?: TopicOptions[K] | undefined };
  attributes: Record<string, string | undefined>;
}

const longMax = '9223372036854775807';
const kept = 'Kept for clients that look at it; it changes nothing in this broker.';

function int(min: bigint): ConfigKind {
  return { type: 'int', min };
}

function long(min?: bigint): ConfigKind {
  return min === undefined ? { type: 'long' } : { type: 'long', min };
}

function limitOption(
  name: {
    [K in keyof TopicOptions]: TopicOptions[K] extends number ? K : never;
  }[keyof TopicOptions] &
    keyof TopicOptions,
): OptionMapping {
  return {
    name,
    toOption: (value) => ({ [name]: toLimit(value) }),
    fromOptions: (options) => fromLimit(options[name]),
  };
}

function attribute(
  name: string,
  kind: ConfigKind,
  defaultValue: string,
  brokerName = `log.${name}`,
): TopicConfig {
  return { name, kind, default: defaultValue, brokerName, documentation: kept };
}

const cleanupOption: OptionMapping = {
  name: 'cleanup',
  toOption(value) {
    const policies = splitList(value);
    // Since Kafka 4.2 the list may be empty: nothing is taken away by itself (KIP-1161).
    if (policies.length === 0) return { cleanup: 'none' };
    const isCompacted = policies.includes('compact');
    if (isCompacted && policies.includes('delete')) return { cleanup: 'compact,delete' };
    return { cleanup: isCompacted ? 'compact' : 'delete' };
  },
  fromOptions: ({ cleanup }) => (cleanup === 'none' ? '' : cleanup),
  isKeptAsWritten: true,
};

const timestampTypeOption: OptionMapping = {
  name: 'timestampType',
  toOption: (value) => ({ timestampType: value === 'LogAppendTime' ? 'append' : 'create' }),
  fromOptions: ({ timestampType }) => (timestampType === 'append' ? 'LogAppendTime' : 'CreateTime'),
};

const compressionOption: OptionMapping = {
  name: 'compression',
  // Codecs have Kafka's names, but for that of none.
  toOption: (value) => ({
    compression: value === 'uncompressed' ? 'none' : (findCodecByName(value) ?? 'producer'),
  }),
  fromOptions: ({ compression }) => (compression === 'none' ? 'uncompressed' : compression),
};

const dirtyShareOption: OptionMapping = {
  name: 'dirtyShareMin',
  toOption: (value) => ({ dirtyShareMin: Number(value) }),
  fromOptions: ({ dirtyShareMin }) => String(dirtyShareMin),
};

function findCodecByName(name: string): Codec | undefined {
  return codecs.find((codec) => codec === name);
}

/** All of them, in order of name, with Kafka's defaults. */
export const topicConfigs: readonly TopicConfig[] = [
  {
    name: 'cleanup.policy',
    kind: { type: 'list', choices: ['compact', 'delete'] },
    default: 'delete',
    brokerName: 'log.cleanup.policy',
    documentation:
      'What happens to old records: delete drops them by age and size, compact keeps the newest of each key.',
    option: cleanupOption,
  },
  attribute(
    'compression.gzip.level',
    { type: 'int', min: -1n, max: 9n },
    '-1',
    'compression.gzip.level',
  ),
  attribute(
    'compression.lz4.level',
    { type: 'int', min: 1n, max: 17n },
    '9',
    'compression.lz4.level',
  ),
  {
    name: 'compression.type',
    kind: {
      type: 'string',
      choices: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
    },
    default: 'producer',
    brokerName: 'compression.type',
    documentation:
      'How batches are stored and served: those that come otherwise are compressed anew; producer keeps them as they come.',
    option: compressionOption,
  },
  attribute(
    'compression.zstd.level',
    { type: 'int', min: -131_072n, max: 22n },
    '3',
    'compression.zstd.level',
  ),
  {
    name: 'delete.retention.ms',
    kind: long(0n),
    default: '86400000',
    brokerName: 'log.cleaner.delete.retention.ms',
    documentation: 'Compacted topics keep a record without a value at least so long.',
    option: limitOption('tombstoneRetentionMs'),
  },
  {
    ...attribute(
      'errors.deadletterqueue.group.enable',
      { type: 'boolean' },
      'false',
      'errors.deadletterqueue.group.enable',
    ),
    documentation: 'Whether share groups may send their dead records here (KIP-1191).',
  },
  attribute('file.delete.delay.ms', long(0n), '60000', 'log.segment.delete.delay.ms'),
  attribute('flush.messages', long(1n), longMax, 'log.flush.interval.messages'),
  attribute('flush.ms', long(0n), longMax, 'log.flush.interval.ms'),
  attribute(
    'follower.replication.throttled.replicas',
    { type: 'list' },
    '',
    'follower.replication.throttled.replicas',
  ),
  attribute('index.interval.bytes', int(0n), '4096', 'log.index.interval.bytes'),
  attribute(
    'leader.replication.throttled.replicas',
    { type: 'list' },
    '',
    'leader.replication.throttled.replicas',
  ),
  attribute('local.retention.bytes', long(-2n), '-2', 'log.local.retention.bytes'),
  attribute('local.retention.ms', long(-2n), '-2', 'log.local.retention.ms'),
  {
    name: 'max.compaction.lag.ms',
    kind: long(1n),
    default: longMax,
    brokerName: 'log.cleaner.max.compaction.lag.ms',
    documentation: 'Compacted topics are compacted when a record was left alone for so long.',
    option: limitOption('compactionLagMaxMs'),
  },
  {
    name: 'max.message.bytes',
    kind: int(0n),
    default: '1048588',
    brokerName: 'message.max.bytes',
    documentation: 'The largest record batch that is accepted, compressed as it comes.',
    option: limitOption('batchBytesMax'),
  },
  {
    name: 'message.timestamp.after.max.ms',
    kind: long(0n),
    default: '3600000',
    brokerName: 'log.message.timestamp.after.max.ms',
    documentation: "How far a record's timestamp may be ahead of the broker's clock.",
    option: limitOption('timestampAheadMaxMs'),
  },
  {
    name: 'message.timestamp.before.max.ms',
    kind: long(0n),
    default: longMax,
    brokerName: 'log.message.timestamp.before.max.ms',
    documentation: "How far a record's timestamp may be behind the broker's clock.",
    option: limitOption('timestampBehindMaxMs'),
  },
  {
    name: 'message.timestamp.type',
    kind: { type: 'string', choices: ['CreateTime', 'LogAppendTime'] },
    default: 'CreateTime',
    brokerName: 'log.message.timestamp.type',
    documentation: 'Whether records keep the time of the producer or get the time of the append.',
    option: timestampTypeOption,
  },
  {
    name: 'min.cleanable.dirty.ratio',
    kind: { type: 'double' },
    default: '0.5',
    brokerName: 'log.cleaner.min.cleanable.ratio',
    documentation: 'Compacted topics are compacted when this part of their bytes is new.',
    option: dirtyShareOption,
  },
  {
    name: 'min.compaction.lag.ms',
    kind: long(0n),
    default: '0',
    brokerName: 'log.cleaner.min.compaction.lag.ms',
    documentation: 'Compacted topics keep every record at least so long.',
    option: limitOption('compactionLagMinMs'),
  },
  {
    ...attribute('min.insync.replicas', int(1n), '1', 'min.insync.replicas'),
    isSetForAll: true,
    documentation:
      'There is one replica, and what is acknowledged is durable, whatever is set here.',
  },
  attribute('preallocate', { type: 'boolean' }, 'false', 'log.preallocate'),
  attribute('remote.log.copy.disable', { type: 'boolean' }, 'false', 'remote.log.copy.disable'),
  attribute(
    'remote.log.delete.on.disable',
    { type: 'boolean' },
    'false',
    'remote.log.delete.on.disable',
  ),
  attribute('remote.storage.enable', { type: 'boolean' }, 'false', 'remote.storage.enable'),
  {
    name: 'retention.bytes',
    kind: long(-1n),
    default: '-1',
    brokerName: 'log.retention.bytes',
    documentation: 'The oldest records are dropped while a partition is larger; -1 for no limit.',
    option: limitOption('retentionBytes'),
  },
  {
    name: 'retention.ms',
    kind: long(-1n),
    default: '604800000',
    brokerName: 'log.retention.ms',
    documentation: 'Records older than this are dropped; -1 keeps them.',
    option: limitOption('retentionMs'),
  },
  {
    name: 'segment.bytes',
    kind: int(14n),
    default: '1073741824',
    brokerName: 'log.segment.bytes',
    documentation: 'Compacted topics: the newest part may be compacted when it is so large.',
    option: limitOption('activeBytesMax'),
  },
  attribute('segment.index.bytes', int(4n), '10485760', 'log.index.size.max.bytes'),
  attribute('segment.jitter.ms', long(0n), '0', 'log.roll.jitter.ms'),
  {
    name: 'segment.ms',
    kind: long(1n),
    default: '604800000',
    brokerName: 'log.roll.ms',
    documentation:
      'Compacted topics: the newest part may be compacted when its first record is so old.',
    option: limitOption('activeMs'),
  },
  attribute(
    'unclean.leader.election.enable',
    { type: 'boolean' },
    'false',
    'unclean.leader.election.enable',
  ),
];

const byName: ReadonlyMap<string, TopicConfig> = new Map(
  topicConfigs.map((config) => [config.name, config]),
);

export function findTopicConfig(name: string): TopicConfig | undefined {
  return byName.get(name);
}

/** The name under which the broker keeps a configuration that only this door understands. */
function attributeName(config: TopicConfig): string {
  return `kafka.${config.name}`;
}

/** Where a value comes from that was not set for the topic. */
export function defaultSource({ isSetForAll }: TopicConfig): number {
  return isSetForAll === true ? configSources.allBrokers : configSources.default;
}

/** The value that is in force for a topic, and whether it was set for it. */
export function valueOf(config: TopicConfig, topic: Topic): { value: string; isOwn: boolean } {
  const { option } = config;
  const own = topic.attributes[attributeName(config)];
  if (option !== undefined) {
    const value = option.fromOptions(topic.options);
    const isOwn = topic.ownOptions[option.name] !== undefined;
    // Other doors may have changed the option since.
    const isAsWritten = isOwn && own !== undefined && usualForm(option, own) === value;
    return { value: isAsWritten ? own : value, isOwn };
  }
  return own === undefined ? { value: config.default, isOwn: false } : { value: own, isOwn: true };
}

/** How the broker's option puts a value that a client wrote. */
function usualForm(option: OptionMapping, text: string): string {
  // A mapping reads the one option that it is of.
  return option.fromOptions(option.toOption(text) as TopicOptions);
}

/** Adds one setting to a change; undefined resets it. Returns what is wrong with it, if anything. */
export function addToChange(
  change: TopicChange,
  config: TopicConfig,
  text: string | undefined,
): string | undefined {
  const { option } = config;
  if (text === undefined) {
    if (option !== undefined) change.options[option.name] = undefined;
    if (option === undefined || option.isKeptAsWritten === true) {
      change.attributes[attributeName(config)] = undefined;
    }
    return undefined;
  }
  const parsed = parseConfig(config.kind, text);
  if ('problem' in parsed) {
    return `Invalid value ${text} for configuration ${config.name}: ${parsed.problem}`;
  }
  const { value } = parsed;
  if (option !== undefined) Object.assign(change.options, option.toOption(value));
  if (option === undefined) change.attributes[attributeName(config)] = value;
  else if (option.isKeptAsWritten === true) {
    change.attributes[attributeName(config)] =
      usualForm(option, value) === value ? undefined : value;
  }
  return undefined;
}
