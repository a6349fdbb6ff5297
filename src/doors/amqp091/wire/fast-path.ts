import { readInt32, writeInt32, writeInt64 } from '../../../bytes/index.ts';
import { classId, frameEnd, frameHeadBytes, frameOverheadBytes, frameType } from './constants.ts';
import { writeShortText } from './field-table.ts';
import { readLongNumber } from './field-table.ts';
import { ByteWriter } from '../../../bytes/index.ts';
import { ArgumentsMismatch } from './method-codec.ts';
import { methodKey, methods } from './methods.ts';

/*
 * The three methods that come with every message, read and written without an object for each. The writers put bytes at
 * a position of memory in which the caller has made room, and return the position behind them.
 */

export const publishKey = methodKey(classId.basic, methods.basicPublish.methodId);
export const ackKey = methodKey(classId.basic, methods.basicAck.methodId);

/** Class and method of a method frame's payload; −1 when it is too short to have them. */
export function readMethodKey(bytes: Buffer, start: number, end: number): number {
  return end - start < 4 ? -1 : readInt32(bytes, start);
}

/** The arguments of a basic.publish, as positions in `bytes`. */
export class PublishArguments {
  bytes: Buffer = Buffer.alloc(0);
  exchangeAt = 0;
  exchangeBytes = 0;
  keyAt = 0;
  keyBytes = 0;
  isMandatory = false;
  isImmediate = false;

  /** `bytes[start, end)` is the frame's whole payload. Throws a ProtocolError when it is not exactly one. */
  read(bytes: Buffer, start: number, end: number): void {
    // Class and method, then the ticket, which nobody uses any more.
    const exchangeAt = start + 7;
    if (exchangeAt > end) throw tooShort();
    const exchangeBytes = bytes[exchangeAt - 1]!;
    const keyAt = exchangeAt + exchangeBytes + 1;
    if (keyAt > end) throw tooShort();
    const keyBytes = bytes[keyAt - 1]!;
    if (keyAt + keyBytes + 1 !== end) throw tooShort();
    const bits = bytes[end - 1]!;
    this.bytes = bytes;
    this.exchangeAt = exchangeAt;
    this.exchangeBytes = exchangeBytes;
    this.keyAt = keyAt;
    this.keyBytes = keyBytes;
    this.isMandatory = (bits & 1) !== 0;
    this.isImmediate = (bits & 2) !== 0;
  }
}

/** The delivery tag of a basic.ack whose whole payload is `bytes[start, end)`. */
export function readAckTag(bytes: Buffer, start: number, end: number): number {
  if (end - start !== ackPayloadBytes) throw tooShort();
  return readLongNumber(bytes, start + 4);
}

export function readAckMultiple(bytes: Buffer, end: number): boolean {
  return (bytes[end - 1]! & 1) !== 0;
}

const ackPayloadBytes = 13;

/** The beginning of a consumer's basic.deliver frames, up to the consumer tag. */
export function encodeDeliverPrefix(channel: number, consumerTag: string): Buffer {
  const writer = new ByteWriter(64);
  writer.uint8(frameType.method);
  writer.uint16(channel);
  writer.uint32(0);
  writer.uint16(classId.basic);
  writer.uint16(methods.basicDeliver.methodId);
  writeShortText(writer, consumerTag);
  return writer.take();
}

/** Bytes of a basic.deliver frame. */
export function deliverFrameBytes(prefix: Buffer, exchangeBytes: number, keyBytes: number): number {
  return prefix.length + 12 + exchangeBytes + keyBytes;
}

/** A basic.deliver; exchange and routing key (at most 255 bytes each) are copied from where they lie. */
export function writeDeliver(
  target: Buffer,
  at: number,
  prefix: Buffer,
  deliveryTag: number,
  isRedelivered: boolean,
  exchange: Uint8Array,
  exchangeAt: number,
  exchangeBytes: number,
  key: Uint8Array,
  keyAt: number,
  keyBytes: number,
): number {
  target.set(prefix, at);
  writeInt32(
    target,
    at + 3,
    deliverFrameBytes(prefix, exchangeBytes, keyBytes) - frameOverheadBytes,
  );
  let next = at + prefix.length;
  writeInt64(target, next, deliveryTag);
  target[next + 8] = isRedelivered ? 1 : 0;
  target[next + 9] = exchangeBytes;
  next = copyRange(target, next + 10, exchange, exchangeAt, exchangeBytes);
  target[next] = keyBytes;
  next = copyRange(target, next + 1, key, keyAt, keyBytes);
  target[next] = frameEnd;
  return next + 1;
}

/** Bytes of a header frame whose property list (without flags) has `listBytes`. */
export function headerFrameBytes(listBytes: number): number {
  return frameOverheadBytes + 14 + listBytes;
}

/**
 * A header frame up to the property list: the caller writes `listBytes` of it at the returned position, and
 * `frameEnd` behind it.
 */
export function writeHeaderStart(
  target: Buffer,
  at: number,
  channel: number,
  bodyBytes: number,
  flags: number,
  listBytes: number,
): number {
  target[at] = frameType.header;
  target[at + 1] = channel >>> 8;
  target[at + 2] = channel;
  writeInt32(target, at + 3, 14 + listBytes);
  writeInt32(target, at + frameHeadBytes, classId.basic * 0x10000);
  writeInt64(target, at + 11, bodyBytes);
  target[at + 19] = flags >>> 8;
  target[at + 20] = flags;
  return at + 21;
}

/** The seven bytes in front of a body frame's payload. */
export function writeBodyStart(
  target: Buffer,
  at: number,
  channel: number,
  payloadBytes: number,
): number {
  target[at] = frameType.body;
  target[at + 1] = channel >>> 8;
  target[at + 2] = channel;
  writeInt32(target, at + 3, payloadBytes);
  return at + frameHeadBytes;
}

/** Copies `source[from, from + length)`; short ranges are copied faster by a loop than by a call into native code. */
export function copyRange(
  target: Buffer,
  at: number,
  source: Uint8Array,
  from: number,
  length: number,
): number {
  if (length <= 24) {
    for (let index = 0; index < length; index += 1) target[at + index] = source[from + index]!;
  } else {
    target.set(source.subarray(from, from + length), at);
  }
  return at + length;
}

function tooShort(): ArgumentsMismatch {
  return new ArgumentsMismatch('the arguments end too early or too late');
}
