import { type ConfigKind, parseConfig } from './config-kind.ts';

/** A configuration of groups, under Kafka's name (KIP-848, KIP-932, KIP-1071, KIP-1191, KIP-1240). */
export interface GroupConfig {
  readonly name: string;
  readonly kind: ConfigKind;
  readonly default: string;
  /** The default that the broker has for all groups, where it was set. */
  readonly preset?: string | undefined;
  /** The broker's configuration that the default comes from; undefined where Kafka has none. */
  readonly brokerName: string | undefined;
  readonly documentation: string;
}

function int(
  name: string,
  [min, byDefault, max]: readonly [number, number, number],
  brokerName: string,
  documentation: string,
): GroupConfig {
  const kind: ConfigKind = { type: 'int', min: BigInt(min), max: BigInt(max) };
  return { name, kind, default: String(byDefault), brokerName, documentation };
}

const kept = 'Kept for clients that look at it; it changes nothing in this broker.';

function offload(kindOfGroup: 'consumer' | 'share' | 'streams'): GroupConfig {
  return {
    name: `${kindOfGroup}.assignor.offload.enable`,
    kind: { type: 'boolean' },
    default: 'true',
    brokerName: `group.${kindOfGroup}.assignor.offload.enable`,
    documentation: kept,
  };
}

/** Of share groups (KIP-1191). */
export const deadLetterConfigs = {
  topic: 'errors.deadletterqueue.topic.name',
  copies: 'errors.deadletterqueue.copy.record.enable',
} as const;

/** All of them, in order of name, with Kafka's bounds and defaults. */
export const groupConfigs: readonly GroupConfig[] = [
  int(
    'consumer.assignment.interval.ms',
    [0, 1000, 15_000],
    'group.consumer.assignment.interval.ms',
    kept,
  ),
  offload('consumer'),
  int(
    'consumer.heartbeat.interval.ms',
    [5000, 5000, 15_000],
    'group.consumer.heartbeat.interval.ms',
    'How often the members of a consumer group are asked to send heartbeats.',
  ),
  int(
    'consumer.session.timeout.ms',
    [45_000, 45_000, 60_000],
    'group.consumer.session.timeout.ms',
    'A member of a consumer group that sends no heartbeat for this long is removed.',
  ),
  {
    name: deadLetterConfigs.copies,
    kind: { type: 'boolean' },
    default: 'false',
    brokerName: undefined,
    documentation:
      'Whether a record in the dead-letter topic has the key, the value and the headers of the one that died.',
  },
  {
    name: deadLetterConfigs.topic,
    kind: { type: 'string' },
    default: '',
    brokerName: undefined,
    documentation:
      'The topic to which a share group sends what is rejected or was delivered too often; empty: it is dropped.',
  },
  int(
    'share.assignment.interval.ms',
    [0, 1000, 15_000],
    'group.share.assignment.interval.ms',
    kept,
  ),
  offload('share'),
  {
    name: 'share.auto.offset.reset',
    kind: { type: 'string' },
    default: 'latest',
    brokerName: undefined,
    documentation:
      'Where a share group begins in a partition that it has not read: earliest, latest, or by_duration: and an ISO 8601 duration.',
  },
  int(
    'share.delivery.count.limit',
    [2, 5, 10],
    'group.share.delivery.count.limit',
    'Deliveries of a record that was not accepted; then it is dropped.',
  ),
  int(
    'share.heartbeat.interval.ms',
    [5000, 5000, 15_000],
    'group.share.heartbeat.interval.ms',
    'How often the members of a share group are asked to send heartbeats.',
  ),
  {
    name: 'share.isolation.level',
    kind: { type: 'string', choices: ['read_committed', 'read_uncommitted'] },
    default: 'read_uncommitted',
    brokerName: undefined,
    documentation:
      'read_uncommitted: what an open transaction has written is delivered too, and what was aborted as well.',
  },
  int(
    'share.partition.max.record.locks',
    [100, 2000, 4000],
    'group.share.partition.max.record.locks',
    'Records of a partition that a share group may have acquired at once.',
  ),
  int(
    'share.record.lock.duration.ms',
    [15_000, 30_000, 60_000],
    'group.share.record.lock.duration.ms',
    'How long a record stays acquired unless it is acknowledged or renewed.',
  ),
  {
    name: 'share.renew.acknowledge.enable',
    kind: { type: 'boolean' },
    default: 'true',
    brokerName: undefined,
    documentation: 'Whether acquired records may be renewed.',
  },
  int(
    'share.session.timeout.ms',
    [45_000, 45_000, 60_000],
    'group.share.session.timeout.ms',
    'A member of a share group that sends no heartbeat for this long is removed.',
  ),
  int(
    'streams.assignment.interval.ms',
    [0, 1000, 15_000],
    'group.streams.assignment.interval.ms',
    kept,
  ),
  offload('streams'),
  int(
    'streams.heartbeat.interval.ms',
    [5000, 5000, 15_000],
    'group.streams.heartbeat.interval.ms',
    'How often the members of a streams group are asked to send heartbeats.',
  ),
  int(
    'streams.initial.rebalance.delay.ms',
    [0, 3000, 2_147_483_647],
    'group.streams.initial.rebalance.delay.ms',
    'How long the first members of a streams group wait for each other.',
  ),
  int(
    'streams.num.standby.replicas',
    [0, 0, 2],
    'group.streams.num.standby.replicas',
    'Standby copies of each task with state.',
  ),
  int(
    'streams.session.timeout.ms',
    [45_000, 45_000, 60_000],
    'group.streams.session.timeout.ms',
    'A member of a streams group that sends no heartbeat for this long is removed.',
  ),
];

/** The value in its usual form, or what is wrong with it. */
export function parseGroupConfig(
  config: GroupConfig,
  text: string,
): { value: string } | { problem: string } {
  const parsed = parseConfig(config.kind, text);
  if (config.name !== 'share.auto.offset.reset' || 'problem' in parsed) return parsed;
  return parseReset(parsed.value) === undefined
    ? { problem: 'it must be earliest, latest or by_duration:PnDTnHnMn.nS' }
    : parsed;
}

/** Where a share group begins: at one of the ends, or so many milliseconds back. */
export type OffsetReset = 'earliest' | 'latest' | { durationMs: number };

const durationPattern =
  /^by_duration:P(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$/i;

export function parseReset(text: string): OffsetReset | undefined {
  if (text === 'earliest' || text === 'latest') return text;
  const match = durationPattern.exec(text);
  if (match === null || match.slice(1).every((part) => part === undefined)) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  return { durationMs: (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 };
}
