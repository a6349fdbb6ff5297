import { AmqpError } from '../amqp-error.ts';
import { register } from '../handler.ts';
import { messagesOf } from './basic-messages.ts';

/*
 * basic.ack, nack, reject, recover. A message that is given back keeps its place in the order. A reject with requeue counts
 * as a failed delivery, a nack does not (RabbitMQ 4.3: https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling).
 */

export const basicAck = register('basicAck', (channel, { deliveryTag, multiple }) => {
  const messages = messagesOf(channel);
  messages.ack(deliveryTag, multiple);
  messages.resume();
});

export const basicNack = register('basicNack', (channel, { deliveryTag, multiple, requeue }) => {
  const messages = messagesOf(channel);
  messages.settle(deliveryTag, multiple, requeue ? 'release' : 'reject');
  messages.resume();
});

export const basicReject = register('basicReject', (channel, { deliveryTag, requeue }) => {
  const messages = messagesOf(channel);
  messages.settle(deliveryTag, false, requeue ? 'release-failed' : 'reject');
  messages.resume();
});

export const basicRecover = register('basicRecover', (channel, { requeue }) => {
  if (!requeue) throw new AmqpError('NOT_IMPLEMENTED', 'requeue=false');
  messagesOf(channel).recover();
  channel.reply('basicRecoverOk', {});
});

export const basicRecoverAsync = register('basicRecoverAsync', (channel, { requeue }) => {
  if (!requeue) throw new AmqpError('NOT_IMPLEMENTED', 'requeue=false');
  messagesOf(channel).recover();
});
