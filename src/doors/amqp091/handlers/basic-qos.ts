import { AmqpError } from '../amqp-error.ts';
import { register } from '../handler.ts';
import { messagesOf } from './basic-messages.ts';

/**
 * Credit (https://www.rabbitmq.com/docs/consumer-prefetch): without `global` for each consumer that comes, with it for all
 * of the channel together. A limit in bytes there is none.
 */
export const basicQos = register('basicQos', (channel, { prefetchSize, prefetchCount, global }) => {
  if (prefetchSize !== 0) {
    throw new AmqpError('NOT_IMPLEMENTED', `prefetch_size!=0 (${prefetchSize})`);
  }
  const messages = messagesOf(channel);
  if (global) {
    messages.setGlobalPrefetch(prefetchCount);
  } else {
    messages.prefetch = prefetchCount;
    messages.setGlobalPrefetch(0);
  }
  channel.reply('basicQosOk', {});
});
