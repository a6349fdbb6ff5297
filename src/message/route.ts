import { asBuffer } from '../bytes/index.ts';
import { HeaderReader } from './header-reader.ts';
import type { HeaderWriter } from './header-writer.ts';
import { isUtf8Range } from './header-walk.ts';
import { property } from './property.ts';

/*
 * A record has one key; a routed message has a routing key and perhaps a key of its application. Which of them the
 * record's key is follows from what is stored: with an exchange and no routing key it is the routing key, otherwise it is
 * the application's. A routing key that neither gives is the name of the queue.
 */

/** Whether the routing key has a header of its own. `hasCopies`: the message goes to the queues of other keys, too. */
export function isRoutingKeyStored(
  exchange: string,
  isKeyGiven: boolean,
  hasCopies: boolean,
): boolean {
  return exchange === '' ? hasCopies : isKeyGiven;
}

/** Adds exchange and routing key behind the application's headers and answers the record's key. */
export function addRoute(
  writer: HeaderWriter,
  exchange: string,
  routingKey: string,
  hasCopies: boolean,
): Uint8Array | null {
  const given = writer.key;
  if (exchange !== '') writer.text(property.exchange, exchange);
  if (isRoutingKeyStored(exchange, given !== undefined, hasCopies)) {
    writer.text(property.routingKey, routingKey);
  }
  if (given !== undefined) return given;
  return exchange === '' || routingKey === '' ? null : Buffer.from(routingKey, 'utf8');
}

export interface Route {
  /** '' is the default exchange. */
  exchange: string;
  routingKey: string;
  /** The application's key, text where it is UTF-8, else a borrowed slice; undefined: none. */
  key: string | Uint8Array | undefined;
}

/** The reverse of `addRoute`, for encoded headers `bytes[at, end)` and a key in the same bytes (−1 bytes: null). */
export function readRoute(
  bytes: Uint8Array,
  at: number,
  end: number,
  keyAt: number,
  keyBytes: number,
  queueName: string,
): Route {
  let exchange = '';
  let routingKey: string | undefined;
  const reader = new HeaderReader().begin(bytes, at, end);
  while (reader.next()) {
    if (reader.property === property.exchange) exchange = reader.text;
    else if (reader.property === property.routingKey) routingKey = reader.text;
  }
  const keyText = (): string => asBuffer(bytes).toString('utf8', keyAt, keyAt + keyBytes);
  if (exchange !== '' && routingKey === undefined) {
    return { exchange, routingKey: keyBytes < 0 ? '' : keyText(), key: undefined };
  }
  routingKey ??= queueName;
  if (keyBytes < 0) return { exchange, routingKey, key: undefined };
  const isText = isUtf8Range(bytes, keyAt, keyAt + keyBytes);
  return {
    exchange,
    routingKey,
    key: isText ? keyText() : bytes.subarray(keyAt, keyAt + keyBytes),
  };
}
