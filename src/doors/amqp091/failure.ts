import { ProtocolError } from '../../base/index.ts';
import { AmqpError, amqpErrorOf } from './amqp-error.ts';
import { payloadSnippet, printBinary } from './erlang-term.ts';
import {
  ArgumentsMismatch,
  type FrameFault,
  frameOverheadBytes,
  MalformedText,
} from './wire/index.ts';

/*
 * What is said of bytes that are not what the protocol asks for, in RabbitMQ's words.
 */

/** An error that is known to belong to a method, although it came up in another place. */
export class MethodFailure extends Error {
  readonly reason: AmqpError;
  readonly key: number;

  constructor(reason: AmqpError, key: number) {
    super(reason.message);
    this.reason = reason;
    this.key = key;
  }
}

export function outOfPlace(text: string, key: number): MethodFailure {
  return new MethodFailure(new AmqpError('UNEXPECTED_FRAME', text), key);
}

export function syntaxError(cause: ProtocolError): AmqpError {
  const reply = cause instanceof MalformedText ? 'FRAME_ERROR' : 'SYNTAX_ERROR';
  return new AmqpError(reply, cause.message, { cause });
}

/** What is thrown for the arguments of a method in `bytes[start, end)` that could not be read. */
export function argumentsFault(error: unknown, bytes: Buffer, start: number, end: number): unknown {
  if (error instanceof MalformedText) {
    return new MethodFailure(new AmqpError('FRAME_ERROR', error.message, { cause: error }), 0);
  }
  if (!(error instanceof ArgumentsMismatch)) return error;
  const text = `cannot decode ${printBinary(bytes.subarray(start, end))}`;
  return new AmqpError('FRAME_ERROR', text, { cause: error });
}

export function unknownMethod(key: number): AmqpError {
  return new AmqpError(
    'FRAME_ERROR',
    `unknown method ${Math.floor(key / 0x10000)}.${key % 0x10000}`,
  );
}

/** A frame that is too short for its type. */
export function malformedFrame(type: number, payload: Uint8Array): AmqpError {
  return new AmqpError('FRAME_ERROR', `type ${type}, ${payloadSnippet(payload)}: unknown_frame`);
}

/** As a failure of a method; what is not for the client to know stays as it is. */
export function attributed(error: unknown, key: number): unknown {
  if (error instanceof MethodFailure) return error;
  const failure = error instanceof ProtocolError ? syntaxError(error) : amqpErrorOf(error);
  return failure === undefined ? error : new MethodFailure(failure, key);
}

export function unexpectedFrame(type: number, payload: Uint8Array): AmqpError {
  return new AmqpError('UNEXPECTED_FRAME', `type ${type}, ${payloadSnippet(payload)}`);
}

export function frameFaultError({ type, payloadBytes, reason }: FrameFault): AmqpError {
  if (reason.kind === 'too-large') {
    const most = reason.bytesMax - frameOverheadBytes;
    return new AmqpError(
      'FRAME_ERROR',
      `type ${type}, all octets = <<>>: {frame_too_large,${payloadBytes},${most}}`,
    );
  }
  return new AmqpError(
    'FRAME_ERROR',
    `type ${type}, ${payloadSnippet(reason.payload)}: {invalid_frame_end_marker,${reason.found}}`,
  );
}
