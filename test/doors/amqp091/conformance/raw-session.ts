import {
  type Field,
  frameType,
  type MethodArguments,
  type MethodName,
  spellMethod,
} from '../../../../src/doors/amqp091/wire/index.ts';
import { RawClient, type ReceivedFrame } from '../raw-client.ts';

/** Nothing more comes when nothing has come for so long. */
const quietMs = 200;
const answerMs = 5000;
const endMs = 1000;
const capabilities = new Map<string, Field>([
  ['consumer_cancel_notify', { type: 't', value: true }],
  ['connection.blocked', { type: 't', value: true }],
  ['authentication_failure_close', { type: 't', value: true }],
]);

/** A connection with channel 1 open; everything that comes is written down. */
export class RawSession {
  readonly client: RawClient;
  readonly #port: number;
  readonly #lines: string[];
  readonly #others: RawSession[] = [];
  readonly #strangers: RawSession[] = [];

  private constructor(client: RawClient, port: number, lines: string[]) {
    this.client = client;
    this.#port = port;
    this.#lines = lines;
  }

  static async open(port: number, lines: string[]): Promise<RawSession> {
    const client = await RawClient.open(port, { capabilities });
    await client.openChannel(1);
    return new RawSession(client, port, lines);
  }

  /** A second connection, which writes into the same transcript. */
  async another(): Promise<RawSession> {
    const other = await RawSession.open(this.#port, this.#lines);
    this.#others.push(other);
    return other;
  }

  /** A socket on which nothing was said yet; what comes is written into the same transcript. */
  async stranger(): Promise<RawSession> {
    const other = new RawSession(await RawClient.connect(this.#port), this.#port, this.#lines);
    this.#strangers.push(other);
    return other;
  }

  readonly send = <Name extends MethodName>(name: Name, values: MethodArguments<Name>): void => {
    this.client.send(1, name, values);
  };

  publish(
    exchange: string,
    routingKey: string,
    body: string,
    flags: { mandatory?: boolean; immediate?: boolean } = {},
  ): void {
    const values = { mandatory: false, immediate: false, ...flags };
    this.send('basicPublish', { ticket: 0, exchange, routingKey, ...values });
    this.client.header(1, body.length);
    this.client.frame(frameType.body, 1, Buffer.from(body));
  }

  /** Waits for one frame. */
  async answer(): Promise<void> {
    const frame = await this.client.take(answerMs);
    this.#lines.push(frame === undefined ? 'no answer' : show(frame));
  }

  /** Takes what comes until nothing more does. */
  async quiet(): Promise<void> {
    for (;;) {
      const frame = await this.client.take(quietMs);
      if (frame === undefined) break;
      this.#lines.push(show(frame));
    }
    this.#lines.push(this.client.isClosed ? '(closed)' : '(quiet)');
  }

  /** Writes down something that is seen in another way than in a frame. */
  note(line: string): void {
    this.#lines.push(line);
  }

  /** Opens channel 1 again after an error, or closes it before. */
  async reopen(): Promise<void> {
    if (this.client.received.at(-1)?.method === 'channelClose') this.send('channelCloseOk', {});
    else {
      this.send('channelClose', {
        replyCode: 200,
        replyText: '',
        failedClassId: 0,
        failedMethodId: 0,
      });
      await this.client.next('channelCloseOk');
    }
    await this.client.openChannel(1);
  }

  /** Closes in order, so that exclusive queues are gone when the next scenario begins. */
  async end(): Promise<void> {
    for (const other of this.#others) await other.end();
    for (const other of this.#strangers) other.client.destroy();
    const { client } = this;
    if (client.received.at(-1)?.method === 'connectionClose') {
      client.send(0, 'connectionCloseOk', {});
    } else if (!client.isClosed) {
      const ending = { replyCode: 200, replyText: '', failedClassId: 0, failedMethodId: 0 };
      client.send(0, 'connectionClose', ending);
      // What is still on its way comes before the answer; RabbitMQ may keep the socket open behind it.
      let frame = await client.take(endMs);
      while (frame !== undefined && frame.method !== 'connectionCloseOk') {
        frame = await client.take(endMs);
      }
    }
    client.destroy();
  }
}

/** Behind class, weight and size of the body: which properties a header has. */
const flagsAt = 12;

function show(frame: ReceivedFrame): string {
  if (frame.method === undefined) {
    if (frame.type === frameType.body) return `${frame.channel} body ${String(frame.payload)}`;
    const flags = frame.payload.readUInt16BE(flagsAt).toString(2).padStart(16, '0');
    return `${frame.channel} header of ${frame.payload.readBigUInt64BE(4)} bytes, flags ${flags}`;
  }
  const values = Object.entries(frame.values ?? {}).map(
    ([name, value]) => `${name}=${value instanceof Uint8Array ? String(value) : showValue(value)}`,
  );
  return [frame.channel, spellMethod(frame.method), ...values].join(' ');
}

function showValue(value: unknown): string {
  return JSON.stringify(value instanceof Map ? [...value] : value, (_, each: unknown) =>
    typeof each === 'bigint' ? String(each) : each,
  ).replaceAll(/amq\.(gen|ctag)-[\w-]{22}/g, 'amq.$1-*');
}
