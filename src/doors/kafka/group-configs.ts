import { BrokerError, limits } from '../../base/index.ts';
import type { BrokerPort } from '../../broker/index.ts';
import { type GroupConfig, type OffsetReset, parseReset } from './group-config.ts';
import { type GroupPresets, noPresets } from './group-presets.ts';
import { internalTopics } from './internal-topics.ts';

/** What was set, by name; the others have their defaults. */
type OwnConfigs = Readonly<Record<string, string>>;

const none: OwnConfigs = Object.freeze({});
const attributePrefix = 'kafka.group-configs.';

/**
 * The configurations of groups. They are kept with the topic in which Kafka keeps what it knows of groups: there may be
 * some before the group, and they outlive its members.
 */
export class GroupConfigs {
  readonly #broker: BrokerPort;
  /** What was parsed last, with the text that it was; no more than there are attributes. */
  readonly #parsed = new Map<string, { text: string; configs: OwnConfigs }>();

  /** All that there are, with the defaults and bounds that the broker presets. */
  readonly all: readonly GroupConfig[];
  readonly presets: GroupPresets;
  readonly #byName: ReadonlyMap<string, GroupConfig>;

  constructor(broker: BrokerPort, presets: GroupPresets = noPresets) {
    this.#broker = broker;
    this.presets = presets;
    this.all = presets.configs;
    this.#byName = new Map(this.all.map((config) => [config.name, config]));
  }

  find(name: string): GroupConfig | undefined {
    return this.#byName.get(name);
  }

  own(groupId: string): OwnConfigs {
    const text = this.#attributes()[attributePrefix + groupId];
    if (text === undefined) {
      this.#parsed.delete(groupId);
      return none;
    }
    const known = this.#parsed.get(groupId);
    if (known?.text === text) return known.configs;
    // Only `change` writes it.
    const configs = JSON.parse(text) as OwnConfigs;
    this.#parsed.set(groupId, { text, configs });
    return configs;
  }

  /** Groups that something was set for. */
  list(): string[] {
    return Object.keys(this.#attributes())
      .filter((name) => name.startsWith(attributePrefix))
      .map((name) => name.slice(attributePrefix.length));
  }

  /** Replaces what is set for a group; durable when resolved. The internal topic must be there. */
  async change(groupId: string, configs: OwnConfigs): Promise<void> {
    const isEmpty = Object.keys(configs).length === 0;
    const isNew = this.#attributes()[attributePrefix + groupId] === undefined;
    if (isEmpty && isNew) return;
    if (isNew && this.list().length >= limits.groupConfigsMax) {
      throw new BrokerError(
        'policy-refused',
        `at most ${limits.groupConfigsMax} groups have configurations`,
      );
    }
    await this.#broker.topics.configure(internalTopics.offsets, {
      attributes: { [attributePrefix + groupId]: isEmpty ? undefined : JSON.stringify(configs) },
    });
  }

  value(groupId: string, name: string): string {
    const own = this.own(groupId)[name];
    if (own !== undefined) return own;
    const config = this.#byName.get(name);
    if (config === undefined) throw new TypeError(`no configuration is called ${name}`);
    return config.preset ?? config.default;
  }

  number(groupId: string, name: string): number {
    return Number(this.value(groupId, name));
  }

  reset(groupId: string): OffsetReset {
    return parseReset(this.value(groupId, 'share.auto.offset.reset')) ?? 'latest';
  }

  #attributes(): Readonly<Record<string, string>> {
    return this.#broker.topics.find(internalTopics.offsets)?.attributes ?? none;
  }
}
