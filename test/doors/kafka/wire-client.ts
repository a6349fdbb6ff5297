import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  type ApiName,
  decodeResponse,
  encodeRequest,
  type RequestInput,
  type ResponseOf,
} from '../../../src/doors/kafka/wire/index.ts';
import { BufferPool, LengthPrefixedFrames } from '../../../src/net/index.ts';

interface Expected {
  readonly correlationId: number;
  readonly accept: (frame: Uint8Array) => void;
  readonly fail: (error: Error) => void;
}

/** A client that speaks the bare protocol, and insists on responses in the order of its requests. */
export class WireClient {
  readonly socket: Socket;
  readonly #frames = new LengthPrefixedFrames(1 << 30, new BufferPool());
  readonly #expected: Expected[] = [];
  #nextCorrelationId = 1;
  isClosed = false;

  static async connect(port: number): Promise<WireClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new WireClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      for (const { fail } of this.#expected.splice(0)) fail(new Error('connection closed'));
    });
  }

  /** Sends a request and resolves with its response; rejects when the connection is closed instead. */
  async ask<N extends ApiName>(
    api: N,
    version: number,
    body: RequestInput<N>,
  ): Promise<ResponseOf<N>> {
    const { correlationId, bytes } = this.encode(api, version, body);
    this.socket.write(bytes);
    const frame = await this.nextFrame(correlationId);
    return decodeResponse(api, version, frame).body;
  }

  /** A request's bytes, to be sent in whatever way. */
  encode<N extends ApiName>(api: N, version: number, body: RequestInput<N>) {
    const correlationId = this.#nextCorrelationId;
    this.#nextCorrelationId += 1;
    const slices = encodeRequest(api, version, correlationId, 'wire-client', body);
    return { correlationId, bytes: Buffer.concat(slices) };
  }

  nextFrame(correlationId: number): Promise<Uint8Array> {
    return new Promise((accept, fail) => {
      if (this.isClosed) fail(new Error('connection closed'));
      else this.#expected.push({ correlationId, accept, fail });
    });
  }

  async closed(): Promise<void> {
    if (!this.isClosed) await once(this.socket, 'close');
  }

  close(): void {
    this.socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    this.#frames.push(chunk);
    for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
      const expected = this.#expected.shift();
      assert.ok(expected !== undefined, 'a response to nothing');
      const correlationId = Buffer.from(frame.buffer, frame.byteOffset).readInt32BE();
      if (correlationId === expected.correlationId) expected.accept(frame);
      else expected.fail(new Error(`response ${correlationId} before ${expected.correlationId}`));
    }
  }
}
