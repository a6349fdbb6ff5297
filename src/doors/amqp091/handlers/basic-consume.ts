import { limits } from '../../../base/index.ts';
import type { Queue, Topic } from '../../../broker/index.ts';
import { AmqpError } from '../amqp-error.ts';
import type { ChannelMessages } from '../channel-messages.ts';
import { type ChannelConsumer, QueueChannelConsumer } from '../consumer.ts';
import { DeliveryEncoder } from '../consumer-frames.ts';
import { findLog, getQueue, queueNameOf } from '../consumer-queue.ts';
import { ReplyConsumer } from '../consumer-replies.ts';
import { StreamConsumer } from '../consumer-stream.ts';
import { readStreamFilter } from '../consumer-stream-filter.ts';
import { readStreamStart } from '../consumer-stream-start.ts';
import { findUsable, queueType } from '../declared-queue.ts';
import { letterName } from '../field-name.ts';
import { type ChannelContext, register } from '../handler.ts';
import { integerOf } from '../queue-arguments.ts';
import { randomToken, replyQueueName } from '../publish-replies.ts';
import { checkAccess, nameOf, notFound } from '../resource-name.ts';
import type { FieldTable, MethodArguments } from '../wire/index.ts';
import { messagesOf } from './basic-messages.ts';

type ConsumeArguments = MethodArguments<'basicConsume'>;

/** basic.consume. `no-local` is not looked at, as in RabbitMQ. */
export const basicConsume = register('basicConsume', (channel, values) => {
  // What the channel published before did not find this consumer waiting.
  const published = channel.messages.published();
  if (published === undefined) return consume(channel, values);
  return published.then(() => consume(channel, values));
});

function consume(channel: ChannelContext, values: ConsumeArguments): Promise<void> | undefined {
  const messages = messagesOf(channel);
  if (messages.isClosed) return undefined;
  const tag = newTag(channel, messages, values.consumerTag);
  if (values.queue === replyQueueName) {
    consumeReplies(channel, messages, values, tag);
    return undefined;
  }
  const name = queueNameOf(channel, values.queue);
  checkAccess(channel.link, 'read', 'queue', name);
  const log = findStream(channel, name, values.arguments);
  if (log !== undefined) return consumeStream(channel, messages, values, tag, name, log);
  const queue = findUsable(channel.link, name);
  if (queue === undefined) return consumeLog(channel, messages, values, tag, name);
  consumeQueue(channel, messages, values, tag, queue);
  return undefined;
}

/**
 * What the channel did before finds this consumer waiting still: what it published, and what its settlements made room
 * for, is delivered before the answer, as by RabbitMQ.
 */
export const basicCancel = register('basicCancel', (channel, { consumerTag, nowait }) => {
  const messages = messagesOf(channel);
  const end = (): void => {
    if (messages.isClosed) return;
    messages.cancelConsumer(consumerTag);
    // A tag that is not known is no error.
    if (!nowait) channel.reply('basicCancelOk', { consumerTag });
  };
  const { clock } = channel.link.services;
  // Queues deliver in the turn after that in which a message is stored, or is wanted again.
  const delivered = (): Promise<void> => {
    messages.resume();
    return new Promise((resolve) => clock.setAfterIo(resolve));
  };
  const published = messages.published();
  return (published === undefined ? delivered() : published.then(delivered)).then(end);
});

/** The client has taken note that the server ended its consumer. */
export const basicCancelOk = register('basicCancelOk', () => undefined);

function newTag(channel: ChannelContext, messages: ChannelMessages, wanted: string): string {
  if (wanted !== '' && messages.findConsumer(wanted) !== undefined) {
    throw new AmqpError('NOT_ALLOWED', `attempt to reuse consumer tag '${wanted}'`);
  }
  if (messages.consumerCount >= limits.consumersPerChannelMax) {
    throw new AmqpError(
      'NOT_ALLOWED',
      `reached maximum (${limits.consumersPerChannelMax}) of consumers per channel`,
    );
  }
  return wanted === '' ? `amq.ctag-${randomToken(channel.link.services.random)}` : wanted;
}

function consumeReplies(
  channel: ChannelContext,
  messages: ChannelMessages,
  { noAck, nowait }: ConsumeArguments,
  tag: string,
): void {
  const { publisher } = messages;
  if (!noAck) throw new AmqpError('PRECONDITION_FAILED', 'reply consumer cannot acknowledge');
  if (publisher.replyKey !== undefined) {
    throw new AmqpError('PRECONDITION_FAILED', 'reply consumer already set');
  }
  const consumer = new ReplyConsumer(channel, tag, messages, () => publisher.closeReplies());
  const key = channel.link.services.tools.replies.open(consumer);
  if (key === undefined) throw new AmqpError('RESOURCE_ERROR', 'too many reply consumers');
  publisher.replyKey = key;
  messages.addConsumer(consumer);
  if (!nowait) channel.reply('basicConsumeOk', { consumerTag: tag });
}

/** A log that nobody has declared as a queue becomes one: from its beginning on. */
async function consumeLog(
  channel: ChannelContext,
  messages: ChannelMessages,
  values: ConsumeArguments,
  tag: string,
  name: string,
): Promise<void> {
  const { namespace, services } = channel.link;
  if (findLog(channel, name) === undefined) throw notFound('queue', name, channel.link);
  await services.queues.declare({ namespace, name });
  if (!messages.isClosed) consumeQueue(channel, messages, values, tag, getQueue(channel, name));
}

function consumeQueue(
  channel: ChannelContext,
  messages: ChannelMessages,
  values: ConsumeArguments,
  tag: string,
  queue: Queue,
): void {
  const { tools } = channel.link.services;
  const { noAck, exclusive, nowait } = values;
  const first: object = queue.parts[0] ?? queue;
  const place = nameOf('queue', queue.name, channel.link);
  checkFailover(values.arguments, place);
  const isTaken = tools.exclusive.has(first) || (exclusive && queue.counts().consumers > 0);
  if (isTaken) throw new AmqpError('ACCESS_REFUSED', `${place} in exclusive use`);
  const type = queueType(queue);
  const consumer: QueueChannelConsumer = new QueueChannelConsumer({
    tag,
    queue,
    host: messages,
    encoder: new DeliveryEncoder(
      channel.link,
      channel.number,
      tag,
      queue.name,
      { hasCounts: type === 'quorum', hasOffset: false },
      tools.writer,
    ),
    priority: readPriority(values.arguments, place),
    prefetch: messages.prefetch,
    isAutoSettled: noAck,
    isExclusive: exclusive,
    timeoutMs: noAck ? 0 : readTimeout(queue, values.arguments, place),
    onEnd: () => {
      if (tools.exclusive.get(first) === consumer) tools.exclusive.delete(first);
    },
  });
  if (exclusive) tools.exclusive.set(first, consumer);
  begin(channel, messages, consumer, nowait);
  consumer.start();
}

function begin(
  channel: ChannelContext,
  messages: ChannelMessages,
  consumer: ChannelConsumer,
  nowait: boolean,
): void {
  messages.addConsumer(consumer);
  if (!nowait) channel.reply('basicConsumeOk', { consumerTag: consumer.tag });
}

/** Greater goes first (https://www.rabbitmq.com/docs/consumer-priority). */
function readPriority(values: FieldTable, place: string): number {
  return readInteger('x-priority', values, place) ?? 0;
}

/** The consumer's own time, or the queue's, or the broker's. */
function readTimeout(queue: Queue, values: FieldTable, place: string): number {
  const timeoutMs = readInteger('x-consumer-timeout', values, place);
  if (timeoutMs === undefined) {
    const { leaseMs } = queue.settings;
    return leaseMs > 0 ? leaseMs : limits.unsettledMs;
  }
  if (timeoutMs < 0)
    throw invalidArgument('x-consumer-timeout', place, `{value_negative,${timeoutMs}}`);
  return timeoutMs;
}

function readInteger(name: string, values: FieldTable, place: string): number | undefined {
  const field = values.get(name);
  if (field === undefined) return undefined;
  const value = integerOf(field);
  if (value !== undefined && Number.isSafeInteger(value)) return value;
  throw invalidArgument(name, place, `"expected integer, got ${letterName(field)}"`);
}

/** There are no mirrors that could fail over; what the argument says has to be right all the same. */
function checkFailover(values: FieldTable, place: string): void {
  const name = 'x-cancel-on-ha-failover';
  const field = values.get(name);
  if (field === undefined || field.type === 't') return;
  throw invalidArgument(name, place, `{unacceptable_type,${letterName(field)}}`);
}

/** In RabbitMQ's words, which name the queue. */
function invalidArgument(name: string, place: string, why: string): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `invalid arg '${name}' for ${place}: ${why}`);
}

/** The log that is to be read, and not consumed: a stream's, or any where `x-stream-offset` says from where on. */
function findStream(channel: ChannelContext, name: string, values: FieldTable): Topic | undefined {
  const { namespace, services } = channel.link;
  const queue = services.queues.find(namespace, name);
  if (queue !== undefined) {
    const isStream = queueType(queue) === 'stream' || values.has('x-stream-offset');
    return isStream ? getQueue(channel, name).topic : undefined;
  }
  if (!values.has('x-stream-offset')) return undefined;
  const log = findLog(channel, name);
  if (log === undefined) throw notFound('queue', name, channel.link);
  return log;
}

async function consumeStream(
  channel: ChannelContext,
  messages: ChannelMessages,
  values: ConsumeArguments,
  tag: string,
  name: string,
  topic: Topic,
): Promise<void> {
  const place = nameOf('queue', name, channel.link);
  if (values.noAck) {
    throw new AmqpError(
      'NOT_IMPLEMENTED',
      `automatic acknowledgement not supported by stream ${place}`,
    );
  }
  if (messages.hasGlobalPrefetch) {
    throw new AmqpError('NOT_IMPLEMENTED', `${place} does not support global qos`);
  }
  if (messages.prefetch === 0) {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `consumer prefetch count is not set for stream ${place}`,
    );
  }
  const { clock, tools } = channel.link.services;
  const start = readStreamStart(values.arguments.get('x-stream-offset'), clock.nowMs());
  const consumer = new StreamConsumer({
    tag,
    topic,
    queueName: name,
    channel,
    host: messages,
    encoder: new DeliveryEncoder(
      channel.link,
      channel.number,
      tag,
      name,
      { hasCounts: false, hasOffset: true },
      tools.writer,
    ),
    prefetch: messages.prefetch,
    start,
    filter: readStreamFilter(values.arguments),
  });
  await consumer.prepare();
  if (messages.isClosed) {
    consumer.cancel();
    return;
  }
  begin(channel, messages, consumer, values.nowait);
  consumer.start();
}
