import { BrokerError } from '../../base/index.ts';
import { type ConfigKind, parseConfig } from './config-kind.ts';
import { type GroupConfig, groupConfigs } from './group-config.ts';

/** A property of the broker: what is in force, and whether somebody said so. */
export interface GroupProperty {
  readonly name: string;
  readonly kind: ConfigKind;
  readonly default: string;
  readonly documentation: string;
  value: string;
  isSet: boolean;
}

/** What the broker presets for all groups: the configurations' defaults and bounds, and those of classic members. */
export interface GroupPresets {
  readonly configs: readonly GroupConfig[];
  /** Everything that can be preset, as it is now. */
  readonly properties: readonly GroupProperty[];
  /** Session timeouts that classic members may ask for. */
  readonly sessionTimeoutMinMs: number;
  readonly sessionTimeoutMaxMs: number;
}

/** Bounds within which the bounds themselves may be set; the others are from 1 on. */
const widest: Readonly<Record<string, readonly [min: number, max: number]>> = {
  'share.delivery.count.limit': [2, 25],
  'share.partition.max.record.locks': [100, 10_000],
  'share.record.lock.duration.ms': [1000, 3_600_000],
};
const intMax = 0x7fff_ffff;
const sessionTimeoutNames = ['group.min.session.timeout.ms', 'group.max.session.timeout.ms'];

/**
 * Reads properties under the names that Kafka has for them in `server.properties`. Throws config-invalid for a name that
 * is none, for a value that cannot be, and for bounds and defaults that are not in order.
 */
export function presetGroups(given: ReadonlyMap<string, string>): GroupPresets {
  const properties = new Map(listProperties().map((property) => [property.name, property]));
  for (const [name, text] of given) {
    const property = properties.get(name);
    if (property === undefined) {
      throw new BrokerError('config-invalid', `${name} cannot be set here`);
    }
    const parsed = parseConfig(property.kind, text);
    if ('problem' in parsed) {
      throw new BrokerError('config-invalid', `${name}: ${parsed.problem}, not ${text}`);
    }
    property.value = parsed.value;
    property.isSet = true;
  }
  const read = (name: string): number => Number(properties.get(name)?.value);
  const [sessionTimeoutMinMs = 0, sessionTimeoutMaxMs = 0] = sessionTimeoutNames.map(read);
  if (sessionTimeoutMinMs > sessionTimeoutMaxMs) {
    const problem = sessionTimeoutNames.join(' is more than ');
    throw new BrokerError('config-invalid', problem);
  }
  return {
    configs: groupConfigs.map((config) => preset(config, properties)),
    properties: [...properties.values()],
    sessionTimeoutMinMs,
    sessionTimeoutMaxMs,
  };
}

export const noPresets: GroupPresets = presetGroups(new Map());

function preset(config: GroupConfig, properties: ReadonlyMap<string, GroupProperty>): GroupConfig {
  const { brokerName, kind } = config;
  const own = brokerName === undefined ? undefined : properties.get(brokerName);
  if (brokerName === undefined || own === undefined) return config;
  const presetValue = own.isSet ? own.value : undefined;
  if (kind.type !== 'int') return { ...config, preset: presetValue };
  const { minName, maxName } = boundNames(brokerName);
  const min = BigInt(properties.get(minName)?.value ?? kind.min ?? 0);
  const max = BigInt(properties.get(maxName)?.value ?? kind.max ?? intMax);
  const value = BigInt(own.value);
  if (value < min || value > max) {
    throw new BrokerError(
      'config-invalid',
      `${brokerName}: it must be from ${min} to ${max}, not ${value}`,
    );
  }
  return { ...config, kind: { ...kind, min, max }, preset: presetValue };
}

function listProperties(): GroupProperty[] {
  const sessionTimeout: ConfigKind = { type: 'int', min: 1n, max: BigInt(intMax) };
  const [sessionMin = '', sessionMax = ''] = sessionTimeoutNames;
  const properties = [
    unset(sessionMin, sessionTimeout, '6000', 'The shortest that a classic member may ask for.'),
    unset(sessionMax, sessionTimeout, '1800000', 'The longest that a classic member may ask for.'),
  ];
  for (const { name, brokerName, kind, default: value, documentation } of groupConfigs) {
    if (brokerName === undefined) continue;
    if (kind.type !== 'int') {
      properties.push(unset(brokerName, kind, value, documentation));
      continue;
    }
    const [min, max] = widest[name] ?? [kind.min === 0n ? 0 : 1, intMax];
    const widestKind: ConfigKind = { type: 'int', min: BigInt(min), max: BigInt(max) };
    properties.push(unset(brokerName, widestKind, value, documentation));
    const { minName, maxName } = boundNames(brokerName);
    if (minName !== '')
      properties.push(
        unset(minName, widestKind, String(kind.min), `The least that ${name} may be.`),
      );
    if (maxName !== '')
      properties.push(
        unset(maxName, widestKind, String(kind.max), `The most that ${name} may be.`),
      );
  }
  return properties;
}

function unset(
  name: string,
  kind: ConfigKind,
  value: string,
  documentation: string,
): GroupProperty {
  return { name, kind, default: value, documentation, value, isSet: false };
}

/** What Kafka calls the bounds of a configuration; empty where it has none. */
function boundNames(brokerName: string): { minName: string; maxName: string } {
  if (brokerName === 'group.streams.num.standby.replicas')
    return { minName: '', maxName: 'group.streams.max.standby.replicas' };
  if (brokerName === 'group.streams.initial.rebalance.delay.ms')
    return { minName: '', maxName: '' };
  const bound = (which: string): string => brokerName.replace(/^(group\.[a-z]+)\./, `$1.${which}.`);
  return { minName: bound('min'), maxName: bound('max') };
}
