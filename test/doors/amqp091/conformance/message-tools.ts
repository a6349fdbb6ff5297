import type { Channel, ConfirmChannel, GetMessage, Options } from 'amqplib';

export interface MessageScenario {
  name: string;
  /** What it returns is compared, spelled as JSON. `open` opens another channel. */
  run: (channel: ConfirmChannel, open: () => Promise<Channel>) => Promise<unknown>;
  /** Why the results differ from RabbitMQ 3.10's; they must. */
  differs?: string;
}

export const dead = 'conformance.dead';
export const target = 'conformance.q';
export const waitLimitMs = 5000;
export const pollMs = 20;

/** A queue of the channel's own, and one for its dead letters. */
export async function declare(
  channel: Channel,
  options: Options.AssertQueue = {},
  name = target,
): Promise<string> {
  await channel.assertQueue(name, { exclusive: true, ...options });
  return name;
}

export async function send(
  channel: ConfirmChannel,
  queue: string,
  bodies: readonly string[],
  options: Options.Publish = {},
): Promise<string[]> {
  const outcomes: string[] = [];
  for (const body of bodies) {
    channel.sendToQueue(queue, Buffer.from(body), options, (error: unknown) => {
      outcomes.push(`${body} ${error === null || error === undefined ? 'ack' : 'nack'}`);
    });
  }
  await channel.waitForConfirms().catch(() => undefined);
  return outcomes;
}

export async function drain(channel: Channel, queue: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return bodies;
    bodies.push(message.content.toString());
  }
}

/** The next message, when it has come. */
export async function await1(channel: Channel, queue: string): Promise<GetMessage> {
  const deadlineMs = Date.now() + waitLimitMs;
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message !== false) return message;
    if (Date.now() > deadlineMs) throw new Error(`nothing came to ${queue}`);
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
}

/** What a dead letter tells, without its times, and without x-last-death-*, which a scenario of its own looks at. */
export function told({ fields, properties, content }: GetMessage): unknown {
  const { 'x-death': deaths, ...headers } = properties.headers ?? {};
  return {
    body: content.toString(),
    key: fields.routingKey,
    exchange: fields.exchange,
    expiration: properties.expiration,
    headers: Object.fromEntries(
      Object.entries(headers).filter(([name]) => !name.startsWith('x-last-death-')),
    ),
    deaths: deaths?.map((death) => Object.assign(death, { time: typeof death.time })),
  };
}

export function deadLettering(options: Options.AssertQueue = {}): Options.AssertQueue {
  return { deadLetterExchange: '', deadLetterRoutingKey: dead, ...options };
}

/** `letters` of the queues that a message reached. */
export async function reached(
  channel: ConfirmChannel,
  exchange: string,
  queues: readonly string[],
  messages: ReadonlyArray<readonly [key: string, headers?: Record<string, unknown>]>,
): Promise<string[][]> {
  const results: string[][] = [];
  for (const [key, headers] of messages) {
    channel.publish(exchange, key, Buffer.from('x'), headers === undefined ? {} : { headers });
    await channel.waitForConfirms();
    const hit: string[] = [];
    for (const queue of queues) for (const _ of await drain(channel, queue)) hit.push(queue);
    results.push(hit);
  }
  return results;
}
