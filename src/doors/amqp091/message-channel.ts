import type { Clock, Random } from '../../base/index.ts';
import type {
  AccessPort,
  BrokerPort,
  ExchangesPort,
  Identity,
  PublisherPort,
  QueuesPort,
  TransactionPort,
} from '../../broker/index.ts';

import type { MessageTools } from './message-tools.ts';

/*
 * The seam between a channel, which knows frames, states and methods, and its message half, which publishes and
 * delivers.
 */

/** What the message half asks of its channel. */
export interface MessageChannel {
  readonly number: number;
  readonly link: MessageLink;
  /** The name that the last `queue.declare` of this channel answered; '' before. */
  readonly lastQueueName: string;
  /** An error came up outside a method: closes the channel, or the connection where the code says so. */
  fail(error: unknown): void;
}

/** What it asks of the connection. */
export interface MessageLink {
  /** Bytes of a whole frame at most, as negotiated; never 0. */
  readonly frameMax: number;
  /** Of the virtual host that was opened: `namespace` is the broker's name for it. */
  readonly vhost: string;
  readonly namespace: string;
  readonly identity: Identity;
  /** Stands for the connection where queues are exclusive. */
  readonly owner: object;
  /** The client understands `basic.cancel` from the server. */
  readonly hasCancelNotify: boolean;
  readonly isSendBlocked: boolean;
  /** Undefined when all that was published on any of its channels is durable, or has failed; else resolves when it is. */
  published(): Promise<void> | undefined;
  /** Queues bytes; they are not written to afterwards. */
  send(bytes: Uint8Array): void;
  readonly services: MessageServices;
}

/** What it asks of the door. */
export interface MessageServices {
  readonly broker: BrokerPort;
  readonly queues: QueuesPort;
  readonly exchanges: ExchangesPort;
  readonly access: AccessPort;
  readonly publisher: PublisherPort;
  openTransaction(): TransactionPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly messageBytesMax: number;
  readonly partialBodiesBytesMax: number;
  /** `new MessageTools(random)`, one for the door. */
  readonly tools: MessageTools;
}

/**
 * A publish whose content has arrived as a whole. The object is filled again for the next one; its bytes are slices of
 * what came from the socket, or of a frame that was assembled, and stay as they are.
 */
export interface IncomingPublish {
  /** Memory of the method frame; where exchange and routing key stand in it. */
  method: Buffer;
  exchangeAt: number;
  exchangeBytes: number;
  keyAt: number;
  keyBytes: number;
  isMandatory: boolean;
  isImmediate: boolean;
  /** Memory of the header frame; where the property flags begin, and the bytes of flags and properties. */
  header: Buffer;
  propertiesAt: number;
  propertiesBytes: number;
  /** The payloads of the body frames, in order; one alone may be a part of what stands here, from `bodyAt` on. */
  body: readonly Uint8Array[];
  bodyAt: number;
  bodyBytes: number;
}
