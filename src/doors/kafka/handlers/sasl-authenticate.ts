// SaslAuthenticate 0-2 (KIP-152). Since version 1 the client is told when it has to log in again (KIP-368).
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function saslAuthenticate(
  { connection }: HandlerContext,
  { authBytes }: RequestOf<'SaslAuthenticate'>,
): Promise<ResponseInput<'SaslAuthenticate'>> {
  return connection.sasl.authenticate(authBytes);
}
