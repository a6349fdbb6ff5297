// SaslAuthenticate 0-2 (KIP-152, KIP-368). Sessions have no end but the connection's: the lifetime is always 0.
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export async function saslAuthenticate(
  { connection }: HandlerContext,
  { authBytes }: RequestOf<'SaslAuthenticate'>,
): Promise<ResponseInput<'SaslAuthenticate'>> {
  return { ...(await connection.sasl.authenticate(authBytes)), sessionLifetimeMs: 0 };
}
