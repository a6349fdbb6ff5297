import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  decodeArguments,
  emptyTable,
  encodeMethod,
  type FieldTable,
  findMethod,
  FrameReader,
  frameType,
  type MethodArguments,
  type MethodName,
  readMethodKey,
} from '../../../src/doors/amqp091/wire/index.ts';
import { patienceMs } from '../../support/patience.ts';

/** A frame as it was received; `method` where it is one. */
export interface ReceivedFrame {
  type: number;
  channel: number;
  payload: Buffer;
  method?: MethodName;
  values?: Record<string, unknown>;
}

/** Talks AMQP 0-9-1 frame by frame, so that tests can say what no client library would. */
export class RawClient {
  readonly socket: Socket;
  readonly received: ReceivedFrame[] = [];
  readonly raw: Buffer[] = [];
  isClosed = false;
  #taken = 0;
  #wake: (() => void) | undefined;
  readonly #frames = new FrameReader(16 * 1024 * 1024);
  #isRaw: boolean;

  private constructor(socket: Socket, isRaw: boolean) {
    this.socket = socket;
    this.#isRaw = isRaw;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake?.();
    });
  }

  /** Connected, and nothing sent. With `isRaw` what comes is kept as bytes only. */
  static async connect(port: number, isRaw = false): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new RawClient(socket, isRaw);
  }

  /** Logged in and on a virtual host, with everything sent at once. */
  static async open(
    port: number,
    options: {
      vhost?: string;
      capabilities?: FieldTable;
      user?: string;
      password?: string;
      heartbeat?: number;
    } = {},
  ): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.sendOpening(options);
    await client.next('connectionOpenOk');
    return client;
  }

  sendOpening(
    options: {
      vhost?: string;
      capabilities?: FieldTable;
      user?: string;
      password?: string;
      heartbeat?: number;
    } = {},
  ): void {
    const { vhost = '/', capabilities = emptyTable, user = 'guest', password = 'guest' } = options;
    this.write(protocolHeader);
    this.send(0, 'connectionStartOk', {
      clientProperties: new Map([['capabilities', { type: 'F', value: capabilities }]]),
      mechanism: 'PLAIN',
      response: Buffer.from(`\0${user}\0${password}`),
      locale: 'en_US',
    });
    this.send(0, 'connectionTuneOk', {
      channelMax: 2047,
      frameMax: 131072,
      heartbeat: options.heartbeat ?? 0,
    });
    this.send(0, 'connectionOpen', { virtualHost: vhost, capabilities: '', insist: false });
  }

  async openChannel(channel = 1): Promise<void> {
    this.send(channel, 'channelOpen', { outOfBand: '' });
    await this.next('channelOpenOk');
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  send<Name extends MethodName>(channel: number, name: Name, values: MethodArguments<Name>): void {
    this.write(encodeMethod(channel, name, values));
  }

  frame(type: number, channel: number, payload: Uint8Array, end = 0xce): void {
    const head = Buffer.alloc(7);
    head[0] = type;
    head.writeUInt16BE(channel, 1);
    head.writeUInt32BE(payload.length, 3);
    this.write(Buffer.concat([head, payload, Buffer.from([end])]));
  }

  /** A frame with a method that need not be one. */
  method(
    channel: number,
    classId: number,
    methodId: number,
    rest: Uint8Array = Buffer.alloc(0),
  ): void {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(classId, 0);
    head.writeUInt16BE(methodId, 2);
    this.frame(frameType.method, channel, Buffer.concat([head, rest]));
  }

  /** A header frame of class basic without properties. */
  header(channel: number, bodyBytes: number, classId = 60): void {
    const payload = Buffer.alloc(14);
    payload.writeUInt16BE(classId, 0);
    payload.writeBigUInt64BE(BigInt(bodyBytes), 4);
    this.frame(frameType.header, channel, payload);
  }

  /** The next frame that is no heartbeat; undefined when the connection is closed, or none comes in time. */
  async take(waitMs = patienceMs): Promise<ReceivedFrame | undefined> {
    const endMs = Date.now() + waitMs;
    for (;;) {
      while (this.#taken < this.received.length) {
        const frame = this.received[this.#taken]!;
        this.#taken += 1;
        if (frame.type !== frameType.heartbeat) return frame;
      }
      if (this.isClosed) return undefined;
      const leftMs = endMs - Date.now();
      if (leftMs <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** The arguments of the next method of this name; others before it are passed by. Throws when none comes. */
  async next<Name extends MethodName>(
    name: Name,
    waitMs = patienceMs,
  ): Promise<MethodArguments<Name>> {
    for (;;) {
      const frame = await this.take(waitMs);
      if (frame === undefined) throw new Error(`no ${name} came`);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- decoded by the description of this name
      if (frame.method === name) return frame.values as MethodArguments<Name>;
      if (frame.method === 'connectionClose' || frame.method === 'channelClose') {
        throw new Error(`${String(frame.values?.['replyText'])} instead of ${name}`);
      }
    }
  }

  /** Resolves when the connection is closed, in whatever way; throws when it is not in time. */
  async closed(waitMs = patienceMs): Promise<void> {
    const endMs = Date.now() + waitMs;
    while (!this.isClosed) {
      if (Date.now() > endMs) throw new Error('the connection stays open');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Frames that were taken need no more memory. */
  forgetTaken(): void {
    this.received.splice(0, this.#taken);
    this.#taken = 0;
    this.raw.length = 0;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.raw.push(chunk);
    if (!this.#isRaw) {
      this.#frames.push(chunk);
      try {
        while (this.#frames.next()) this.#note();
      } catch {
        this.#isRaw = true;
      }
    }
    this.#wake?.();
  }

  #note(): void {
    const { type, channel, bytes, start, end } = this.#frames;
    const frame: ReceivedFrame = { type, channel, payload: bytes.subarray(start, end) };
    const name =
      type === frameType.method ? findMethod(readMethodKey(bytes, start, end)) : undefined;
    if (name !== undefined) {
      frame.method = name;
      frame.values = { ...decodeArguments(name, bytes, start + 4, end) };
    }
    this.received.push(frame);
  }
}

export const protocolHeader = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);
