import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AmqpDoor } from '../../../src/doors/amqp091/index.ts';
import {
  emptyTable,
  type Field,
  type FieldTable,
  type MethodArguments,
} from '../../../src/doors/amqp091/wire/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { RawClient } from './raw-client.ts';

export const table = (entries: Record<string, Field> = {}): FieldTable =>
  new Map(Object.entries(entries));
export const text = (value: string): Field => ({ type: 'S', value });
export const int = (value: number): Field => ({ type: 'I', value });

/** A broker in memory with a door, for tests that declare things frame by frame. */
export class RawBed {
  readonly broker: Broker;
  readonly door: AmqpDoor;
  #names = 0;

  private constructor(broker: Broker, door: AmqpDoor) {
    this.broker = broker;
    this.door = door;
  }

  static async open(): Promise<RawBed> {
    const broker = await Broker.open({ store: 'memory' });
    const door = await AmqpDoor.open({
      broker,
      clock: new SystemClock(),
      random: new SystemRandom(),
      log: silentLog,
      version: '0.0.0',
      host: '127.0.0.1',
      port: 0,
    });
    return new RawBed(broker, door);
  }

  async close(): Promise<void> {
    await this.door.close(0);
    await this.broker.close();
  }

  freshName(): string {
    this.#names += 1;
    return `t${this.#names}`;
  }

  /** With channel 1 of a connection of its own. */
  async withChannel(act: (client: RawClient) => Promise<void>, vhost = '/'): Promise<void> {
    const client = await RawClient.open(this.door.port, { vhost });
    try {
      await client.openChannel(1);
      await act(client);
    } finally {
      client.destroy();
    }
  }

  async answerTo(act: (client: RawClient) => void): Promise<string> {
    let answer = '';
    await this.withChannel(async (client) => {
      act(client);
      answer = await answerOf(client);
    });
    return answer;
  }
}

export function queue(
  values: Partial<MethodArguments<'queueDeclare'>> = {},
): MethodArguments<'queueDeclare'> {
  return {
    ticket: 0,
    queue: '',
    passive: false,
    durable: false,
    exclusive: false,
    autoDelete: false,
    nowait: false,
    arguments: emptyTable,
    ...values,
  };
}

export function exchange(
  values: Partial<MethodArguments<'exchangeDeclare'>> = {},
): MethodArguments<'exchangeDeclare'> {
  return {
    ticket: 0,
    exchange: '',
    type: 'direct',
    passive: false,
    durable: false,
    autoDelete: false,
    internal: false,
    nowait: false,
    arguments: emptyTable,
    ...values,
  };
}

/** The next method as `queue.declare_ok`, or the text with which channel or connection close. */
export async function answerOf(client: RawClient): Promise<string> {
  const frame = await client.take();
  const reply = frame?.values?.['replyText'];
  return typeof reply === 'string' ? reply : String(frame?.method);
}

export const locked =
  "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'Q' in vhost '/'. It could be originally declared on " +
  'another connection or the exclusive property value does not match that of the original declaration.';
