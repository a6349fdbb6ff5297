import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { type Channel, type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AmqpDoor, type AmqpDoorLimits } from '../../../src/doors/amqp091/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { until } from '../../support/until.ts';

export interface MessagesBed {
  readonly broker: Broker;
  readonly port: number;
  readonly url: string;
  /** A connection of amqplib's. Errors are what the tests look at, and are not thrown by themselves. */
  readonly connect: (user?: string) => Promise<ChannelModel>;
  /** A channel on a connection of its own. */
  readonly channel: (prefetch?: number) => Promise<Channel>;
  /** What the door said of itself as an error. */
  readonly complaints: unknown[];
}

/** A broker in memory with a door on a free port; both are gone when the test ends. */
export async function openBed(
  t: TestContext,
  options: { limits?: Partial<AmqpDoorLimits> } = {},
): Promise<MessagesBed> {
  const broker = await Broker.open({ store: 'memory' });
  const complaints: unknown[] = [];
  const door = await AmqpDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: { ...silentLog, error: (fields, message) => complaints.push([fields, message]) },
    version: '0.0.0',
    host: '127.0.0.1',
    port: 0,
    ...options,
  });
  const clients: ChannelModel[] = [];
  t.after(async () => {
    await Promise.allSettled(clients.map((client) => client.close()));
    await door.close(0);
    await broker.close();
  });
  const url = `amqp://guest:guest@127.0.0.1:${door.port}`;
  const open = async (user = 'guest:guest'): Promise<ChannelModel> => {
    const client = await connect(`amqp://${user}@127.0.0.1:${door.port}`);
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  return {
    broker,
    port: door.port,
    url,
    complaints,
    connect: open,
    async channel(prefetch) {
      const channel = await (await open()).createChannel();
      if (prefetch !== undefined) await channel.prefetch(prefetch);
      channel.on('error', () => undefined);
      return channel;
    },
  };
}

/** What a consumer has got, and a way to wait for more. */
export class Inbox {
  readonly messages: ConsumeMessage[] = [];
  /** The server ended the consumer. */
  isCancelled = false;
  tag = '';

  readonly take = (message: ConsumeMessage | null): void => {
    if (message === null) this.isCancelled = true;
    else this.messages.push(message);
  };

  get bodies(): string[] {
    return this.messages.map(({ content }) => content.toString());
  }

  /** Waits until there are so many in all. */
  async until(count: number): Promise<ConsumeMessage[]> {
    return this.waitFor(() => this.messages.length >= count);
  }

  async waitFor(isDone: () => boolean): Promise<ConsumeMessage[]> {
    await until(isDone, () => `${isDone.toString()}, with ${this.bodies.join()}`);
    return this.messages;
  }
}

export async function consume(
  channel: Channel,
  queue: string,
  options: Parameters<Channel['consume']>[2] = {},
): Promise<Inbox> {
  const inbox = new Inbox();
  inbox.tag = (await channel.consume(queue, inbox.take, options)).consumerTag;
  return inbox;
}

/** The error that closes a channel, in RabbitMQ's words behind the name of the method. */
export async function closeReason(channel: Channel): Promise<string> {
  const [error] = await once(channel, 'error');
  return error instanceof Error ? error.message : String(error);
}

/** Everything that was sent before has been handled, and what follows from it at once has arrived. */
export async function settle(channel: Channel): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await channel.checkExchange('amq.direct');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
