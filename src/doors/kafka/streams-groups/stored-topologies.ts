import { BrokerError, limits } from '../../../base/index.ts';
import type { BrokerPort } from '../../../broker/index.ts';
import { internalTopics } from '../internal-topics.ts';
import type { Topology } from './topology.ts';

const attributePrefix = 'kafka.streams-groups.';

/**
 * Which groups are streams groups, and what they compute, with or without members. It is kept with the topic in which
 * Kafka keeps what it knows of groups.
 */
export class StoredTopologies {
  readonly #broker: BrokerPort;
  /** What was parsed last, with the text that it was; no more than there are attributes. */
  readonly #parsed = new Map<string, { text: string; topology: Topology }>();

  constructor(broker: BrokerPort) {
    this.#broker = broker;
  }

  find(groupId: string): Topology | undefined {
    const text = this.#attributes()[attributePrefix + groupId];
    if (text === undefined) {
      this.#parsed.delete(groupId);
      return undefined;
    }
    const known = this.#parsed.get(groupId);
    if (known?.text === text) return known.topology;
    // Only `change` writes it.
    const topology = JSON.parse(text) as Topology;
    this.#parsed.set(groupId, { text, topology });
    return topology;
  }

  has(groupId: string): boolean {
    return this.#attributes()[attributePrefix + groupId] !== undefined;
  }

  groupIds(): string[] {
    return Object.keys(this.#attributes())
      .filter((name) => name.startsWith(attributePrefix))
      .map((name) => name.slice(attributePrefix.length));
  }

  /**
   * Durable when resolved; undefined: the group is no streams group any more. The internal topic must be there. Rejects:
   * policy-refused (there are too many groups, or the topology is too large).
   */
  async change(groupId: string, topology: Topology | undefined): Promise<void> {
    const text = topology === undefined ? undefined : JSON.stringify(topology);
    if (text === this.#attributes()[attributePrefix + groupId]) return;
    if (text !== undefined && Buffer.byteLength(text) > limits.streamsTopologyBytesMax) {
      const max = limits.streamsTopologyBytesMax;
      throw new BrokerError('policy-refused', `a topology takes at most ${max} bytes`);
    }
    if (!this.has(groupId) && this.groupIds().length >= limits.streamsGroupsMax) {
      const max = limits.streamsGroupsMax;
      throw new BrokerError('policy-refused', `there are at most ${max} streams groups`);
    }
    await this.#broker.topics.configure(internalTopics.offsets, {
      attributes: { [attributePrefix + groupId]: text },
    });
  }

  #attributes(): Readonly<Record<string, string>> {
    return this.#broker.topics.find(internalTopics.offsets)?.attributes ?? {};
  }
}
