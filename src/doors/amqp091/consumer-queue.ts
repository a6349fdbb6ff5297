import type { Queue, Topic } from '../../broker/index.ts';
import { AmqpError } from './amqp-error.ts';
import type { ChannelContext } from './handler.ts';

/** The queue's name that a method says, or the one that was declared last on the channel (§1.7.2.1). */
export function queueNameOf(channel: ChannelContext, name: string): string {
  if (name !== '') return name;
  if (channel.lastQueueName !== '') return channel.lastQueueName;
  throw new AmqpError('NOT_FOUND', 'no previously declared queue');
}

export function checkReadable(channel: ChannelContext, name: string): void {
  const { identity, namespace, vhost, services } = channel.link;
  if (services.access.allows(identity, namespace, 'read', name)) return;
  throw new AmqpError(
    'ACCESS_REFUSED',
    `read access to queue '${name}' in vhost '${vhost}' refused for user '${identity.name}'`,
  );
}

/** The queue, which must be there and not another connection's own. */
export function getQueue(channel: ChannelContext, name: string): Queue {
  const { namespace, owner, services } = channel.link;
  const queue = services.queues.find(namespace, name);
  if (queue === undefined) throw queueNotFound(channel, name);
  if (queue.exclusiveOwner !== undefined && queue.exclusiveOwner !== owner) {
    throw new AmqpError(
      'RESOURCE_LOCKED',
      `cannot obtain exclusive access to locked ${spellQueue(channel, name)}. It could be originally declared on another ` +
        'connection or the exclusive property value does not match that of the original declaration.',
    );
  }
  return queue;
}

/** The log behind a name, where there is one, whether or not there is a queue over it. */
export function findLog(channel: ChannelContext, name: string): Topic | undefined {
  const { namespace, services } = channel.link;
  const queue = services.queues.find(namespace, name);
  if (queue !== undefined) return queue.topic;
  return namespace === '' ? services.broker.topics.find(name) : undefined;
}

export function queueNotFound(channel: ChannelContext, name: string): AmqpError {
  return new AmqpError('NOT_FOUND', `no ${spellQueue(channel, name)}`);
}

export function spellQueue(channel: ChannelContext, name: string): string {
  return `queue '${name}' in vhost '${channel.link.vhost}'`;
}

export type QueueType = 'classic' | 'quorum' | 'stream';

/** As what it was declared; what another protocol made is a classic queue. */
export function queueTypeOf(queue: Queue): QueueType {
  const type = queue.attributes['amqp.type'];
  return type === 'quorum' || type === 'stream' ? type : 'classic';
}
