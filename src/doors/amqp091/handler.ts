import type { IncomingPublish, MessageChannel } from './message-channel.ts';
import type { DoorServices } from './services.ts';
import type { MethodArguments, MethodName } from './wire/index.ts';

/** What a handler may use of its channel; the seam to the message half is in it. */
export interface ChannelContext extends MessageChannel {
  /** The half of the channel that publishes, delivers and settles. */
  readonly messages: MessageHalf;
  lastQueueName: string;
  readonly services: DoorServices;
  /** Queues a method of this channel. */
  reply<Name extends MethodName>(name: Name, values: MethodArguments<Name>): void;
}

/**
 * The message half of a channel as the channel drives it. What `publish` and `ack` throw is treated as thrown by a
 * handler. `publish` is called only when nothing that came before it on the channel is still being handled.
 */
export interface MessageHalf {
  /** A basic.publish with its whole content. Borrowed: see `IncomingPublish`. */
  publish(message: IncomingPublish): void;
  ack(deliveryTag: number, isMultiple: boolean): void;
  /**
   * Undefined when all that was published on the channel is durable, or has failed; else resolves when it is. Whoever counts
   * or fetches messages for the client waits for it: in RabbitMQ a channel sees what it has published itself.
   */
  published(): Promise<void> | undefined;
  /**
   * Everything that one chunk of bytes from the socket brought was handed over; called when `publish` or `ack` were
   * called since the last time. The place to close the publish group.
   */
  turnEnded(): void;
  /** The client's channel.flow, or the connection's send queue has room again. */
  resume(): void;
  /** What the message half gives away: consumers are detached, messages return. The channel or connection is gone. */
  close(): void;
  /** Confirms, or a commit, are still to be sent: a shutdown waits for them. */
  readonly owesAnswers: boolean;
  /** RabbitMQ's words of a channel for the management door: `consumer_count`, `prefetch_count`, `confirm`, ... */
  details(): Record<string, unknown>;
  /** Those of its consumers. */
  consumers(): readonly ConsumerInfo[];
}

export interface ConsumerInfo {
  readonly tag: string;
  readonly queue: { readonly namespace: string; readonly name: string };
  details(): Record<string, unknown>;
}

/**
 * Carries a method out, and replies. What it throws closes the channel or the connection: see `AmqpError`. While the
 * promise is pending, what comes next on the channel waits; other channels go on.
 */
export type Handler<Name extends MethodName> = (
  channel: ChannelContext,
  values: MethodArguments<Name>,
) => void | Promise<void>;

export interface Registration {
  readonly name: MethodName;
  readonly handle: Handler<MethodName>;
}

export function register<Name extends MethodName>(name: Name, handle: Handler<Name>): Registration {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- whoever dispatches gives it what belongs to the name
  return { name, handle: handle as unknown as Handler<MethodName> };
}
