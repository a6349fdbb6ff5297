import type { Queue, Topic } from '../../broker/index.ts';
import { AmqpError } from './amqp-error.ts';
import { findUsable } from './declared-queue.ts';
import type { ChannelContext } from './handler.ts';
import { notFound } from './resource-name.ts';

/** The queue's name that a method says, or the one that was declared last on the channel (§1.7.2.1). */
export function queueNameOf(channel: ChannelContext, name: string): string {
  if (name !== '') return name;
  if (channel.lastQueueName !== '') return channel.lastQueueName;
  throw new AmqpError('NOT_FOUND', 'no previously declared queue');
}

/** The queue, which must be there and not another connection's own. */
export function getQueue(channel: ChannelContext, name: string): Queue {
  const queue = findUsable(channel.link, name);
  if (queue === undefined) throw notFound('queue', name, channel.link);
  return queue;
}

/** The log of that name, whether or not there is a queue over it. */
export function findLog(channel: ChannelContext, name: string): Topic | undefined {
  const { namespace, services } = channel.link;
  return services.broker.topics.find(name, namespace);
}
