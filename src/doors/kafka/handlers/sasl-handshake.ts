// SaslHandshake 0-1 (KIP-43, KIP-152). After version 0 the tokens come without headers, in frames of their own.
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function saslHandshake(
  { connection }: HandlerContext,
  { mechanism }: RequestOf<'SaslHandshake'>,
  version: number,
): ResponseInput<'SaslHandshake'> {
  return connection.sasl.handshake(mechanism, version);
}
