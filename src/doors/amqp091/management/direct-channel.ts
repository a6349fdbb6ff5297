import { AssertionError, limits } from '../../../base/index.ts';
import type { Identity } from '../../../broker/index.ts';
import { AmqpError } from '../amqp-error.ts';
import type { ChannelContext, MessageHalf } from '../handler.ts';
import type { IncomingPublish, MessageLink } from '../message-channel.ts';
import { ChannelPublisher } from '../publish.ts';
import type { DoorServices } from '../services.ts';
import { vhostOf } from '../vhost.ts';
import { classId, keyOfMethod, type MethodArguments, type MethodName } from '../wire/index.ts';

/**
 * A channel without a connection: requests declare, bind and publish through the door's own handlers, so that the rules, the
 * permissions and the texts are the same. One is made for each request.
 */
export class DirectChannel implements ChannelContext {
  readonly number = 1;
  lastQueueName = '';
  readonly services: DoorServices;
  readonly link: MessageLink;
  readonly messages: MessageHalf;
  #sent: ((method: number) => void) | undefined;

  constructor(services: DoorServices, identity: Identity, namespace: string) {
    this.services = services;
    this.link = {
      frameMax: limits.frameBytesMax,
      vhost: vhostOf(namespace),
      namespace,
      identity,
      owner: this,
      hasCancelNotify: false,
      isSendBlocked: false,
      published: () => this.messages.published(),
      send: (bytes) => this.#send(bytes),
      services,
    };
    this.messages = services.createMessages(this);
  }

  /** Carries a method out. Rejects with an AmqpError or BrokerError. */
  async call<Name extends MethodName>(name: Name, values: MethodArguments<Name>): Promise<void> {
    const registration = this.services.handlers.get(keyOfMethod(name));
    if (registration === undefined) throw new AssertionError(`no handler of ${name}`);
    await registration.handle(this, values);
  }

  /**
   * Publishes, and resolves when the message is stored: false when no queue took it. Rejects with an AmqpError for what is
   * refused.
   */
  async publish(message: IncomingPublish): Promise<boolean> {
    const publisher = new ChannelPublisher(this);
    publisher.selectConfirms();
    const confirmed = new Promise<boolean>((resolve) => {
      this.#sent = (method) => {
        if (method === ackMethod || method === nackMethod) resolve(method === ackMethod);
      };
    });
    publisher.publish(message);
    publisher.endTurn();
    const isStored = await confirmed;
    publisher.close();
    return isStored && publisher.returnedCount === 0;
  }

  reply(): void {
    // Nobody waits for the method of the answer: that `call` resolves says it all.
  }

  fail(error: unknown): void {
    throw error instanceof Error ? error : new AmqpError('INTERNAL_ERROR', String(error));
  }

  #send(bytes: Uint8Array): void {
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (frame.length < 11 || frame[0] !== 1 || frame.readUInt16BE(7) !== classId.basic) return;
    this.#sent?.(frame.readUInt16BE(9));
  }
}

/** basic.ack and basic.nack, as confirms. */
const ackMethod = 80;
const nackMethod = 120;
