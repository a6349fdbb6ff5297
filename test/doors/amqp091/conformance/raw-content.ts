import { frameType } from '../../../../src/doors/amqp091/wire/index.ts';
import { publication } from './raw-methods.ts';
import type { RawSession } from './raw-session.ts';

/** What a client sends of a message beyond its method: a header that tells `bytes`, with these property flags. */
export function header(
  session: RawSession,
  bytes: bigint,
  { flags = 0, weight = 0, rest = '' } = {},
): void {
  const payload = Buffer.alloc(14);
  payload.writeUInt16BE(60, 0);
  payload.writeUInt16BE(weight, 2);
  payload.writeBigUInt64BE(bytes, 4);
  payload.writeUInt16BE(flags, 12);
  session.client.frame(frameType.header, 1, Buffer.concat([payload, Buffer.from(rest, 'hex')]));
}

export function body(session: RawSession, text_: string): void {
  session.client.frame(frameType.body, 1, Buffer.from(text_));
}

/** A message with one property, spelled as it stands in the header. */
export function publishWith(
  session: RawSession,
  flags: number,
  rest: Buffer,
  to = publication('', 'conformance'),
): void {
  session.send('basicPublish', to);
  header(session, 1n, { flags, rest: rest.toString('hex') });
  body(session, 'x');
}

export function short(value: string): Buffer {
  return Buffer.concat([Buffer.from([Buffer.byteLength(value)]), Buffer.from(value)]);
}

export const expirationFlag = 1 << 8;
export const userFlag = 1 << 4;
export const replyToFlag = 1 << 9;
export const headersFlag = 1 << 13;
