import type { Exchange, Fields, RoutingFacts, Topic } from '../../broker/index.ts';
import { readFields } from '../../message/index.ts';
import { AmqpError } from './amqp-error.ts';
import type { IncomingPublish, MessageChannel } from './message-channel.ts';
import type { EncodedProperties } from './message/index.ts';
import { checkAccess, nameOf, notFound } from './resource-name.ts';
import { readShortText } from './wire/index.ts';

/**
 * Where a channel's messages go: the last exchange and routing key stay looked up and permitted, since most publishers
 * use one for long.
 */
export class PublishRoute implements RoutingFacts {
  readonly #channel: MessageChannel;
  /** Exchange and routing key with their lengths, as the last basic.publish had them. */
  #bytes: Buffer = Buffer.alloc(0);
  #isKnown = false;
  #version = -1;
  exchangeName = '';
  routingKey = '';
  exchange: Exchange | undefined;
  /** With the keys of copies; the same array while they are the same. */
  keys: readonly string[] = [];
  #ownKeys: readonly string[] = [];
  #properties: EncodedProperties | undefined;
  /** The exchange that may be written to, as far as it was asked. */
  #permitted: string | undefined;

  constructor(channel: MessageChannel) {
    this.#channel = channel;
  }

  /** Whether exchange and routing key are those of the last message, so that what was encoded for it holds. */
  find(publish: IncomingPublish): boolean {
    const { exchanges } = this.#channel.link.services;
    const isSame = this.#isKnown && this.#isSame(publish);
    if (isSame && this.#version === exchanges.version) return true;
    this.#isKnown = false;
    if (!isSame) this.#read(publish);
    this.#lookUp();
    this.#isKnown = true;
    return isSame;
  }

  /** The topics that a message goes to. */
  targets(properties: EncodedProperties): readonly Topic[] {
    const { exchange } = this;
    if (exchange === undefined) return [];
    if (this.#properties !== properties) {
      this.#properties = properties;
      const { copies } = properties;
      this.keys = copies.length === 0 ? this.#ownKeys : [...this.#ownKeys, ...copies];
      if (copies.length > 0) this.#checkKeys(copies);
    }
    return this.#channel.link.services.exchanges.route(exchange, this);
  }

  headers(): Fields {
    const { headers } = this.#properties!;
    return readFields(headers, 0, headers.length);
  }

  property(name: string): string | undefined {
    const { messageId, correlationId, timestamp } = this.#properties!;
    if (name === 'message-id' || name === 'message_id') return messageId;
    if (name === 'correlation-id' || name === 'correlation_id') return correlationId;
    return name === 'timestamp' ? timestamp : undefined;
  }

  #isSame(publish: IncomingPublish): boolean {
    const { method, exchangeAt, keyAt, keyBytes } = publish;
    const wanted = this.#bytes;
    const from = exchangeAt - 1;
    if (keyAt + keyBytes - from !== wanted.length) return false;
    // From the end: routing keys that differ mostly do so there.
    for (let index = wanted.length - 1; index >= 0; index -= 1) {
      if (method[from + index] !== wanted[index]) return false;
    }
    return true;
  }

  #read(publish: IncomingPublish): void {
    const { method, exchangeAt, exchangeBytes, keyAt, keyBytes } = publish;
    this.exchangeName = readShortText(method, exchangeAt, exchangeBytes);
    this.routingKey = readShortText(method, keyAt, keyBytes);
    this.#ownKeys = [this.routingKey];
    this.#properties = undefined;
    this.#bytes = Buffer.from(method.subarray(exchangeAt - 1, keyAt + keyBytes));
  }

  #lookUp(): void {
    const { link } = this.#channel;
    const { namespace, services } = link;
    const { exchanges } = services;
    const name = this.exchangeName;
    if (this.#permitted !== name) {
      checkAccess(link, 'write', 'exchange', name);
      this.#permitted = name;
    }
    this.#version = exchanges.version;
    const exchange = exchanges.find(namespace, name);
    if (exchange === undefined) {
      throw notFound('exchange', name, link);
    }
    if (exchange.isInternal) {
      throw new AmqpError(
        'ACCESS_REFUSED',
        `cannot publish to internal ${nameOf('exchange', name, link)}`,
      );
    }
    this.exchange = exchange;
    this.#checkKeys(this.#ownKeys);
  }

  /** Permissions by routing key, of topic exchanges. */
  #checkKeys(keys: readonly string[]): void {
    if (this.exchange?.kind !== 'topic') return;
    const { namespace, vhost, identity, services } = this.#channel.link;
    for (const key of keys) {
      if (services.access.allowsKey(identity, namespace, 'write', this.exchangeName, key)) continue;
      throw new AmqpError(
        'ACCESS_REFUSED',
        `write access to topic '${key}' in exchange '${this.exchangeName}' in vhost '${vhost}' ` +
          `refused for user '${identity.name}'`,
      );
    }
  }
}
