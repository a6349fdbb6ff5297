import type { IncomingPublish } from '../message-channel.ts';
import { badRequest } from './api-error.ts';

/**
 * A publish as if it had come in frames: exchange and key in one piece of memory, properties in another. Returned to its
 * publisher when nobody takes it. Throws an ApiError for names that are too long.
 */
export function incomingMessage(
  exchange: string,
  routingKey: string,
  properties: Uint8Array,
  payload: Buffer,
): IncomingPublish {
  const exchangeBytes = shortText(exchange, 'name');
  const keyBytes = shortText(routingKey, 'routing_key');
  const method = Buffer.concat([
    Buffer.of(exchangeBytes.length),
    exchangeBytes,
    Buffer.of(keyBytes.length),
    keyBytes,
  ]);
  return {
    method,
    exchangeAt: 1,
    exchangeBytes: exchangeBytes.length,
    keyAt: exchangeBytes.length + 2,
    keyBytes: keyBytes.length,
    isMandatory: true,
    isImmediate: false,
    header: Buffer.concat([Buffer.alloc(headerFixedBytes), properties]),
    propertiesAt: headerFixedBytes,
    propertiesBytes: properties.length,
    body: payload.length === 0 ? [] : [payload],
    bodyAt: 0,
    bodyBytes: payload.length,
  };
}

/** Class, weight and size of the body. */
const headerFixedBytes = 12;

function shortText(text: string, key: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > 255) throw badRequest(['too_long', key]);
  return bytes;
}
