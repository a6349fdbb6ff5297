import { BrokerError } from '../../../base/index.ts';
import type { Queue } from '../../../broker/index.ts';
import { AmqpError } from '../amqp-error.ts';
import { fieldsOf } from '../binding-fields.ts';
import { type DeclaredQueue, declareQueue, findUsable, queueType } from '../declared-queue.ts';
import { exchangeType, localRandomType } from './exchange.ts';
import { messagesOf } from './basic-messages.ts';
import { type ChannelContext, register } from '../handler.ts';
import type { MessageLink } from '../message-channel.ts';
import { replyQueueName } from '../publish-replies.ts';
import {
  checkAccess,
  checkNotDefault,
  checkReserved,
  nameOf,
  notFound,
  withoutLineBreaks,
} from '../resource-name.ts';
import { letterName, printField } from '../field-name.ts';
import { printBinary } from '../erlang-term.ts';
import type { FieldTable, MethodArguments } from '../wire/index.ts';

/*
 * queue.declare, bind, unbind, purge, delete.
 * An empty name means the queue that this channel declared last; in a declaration, one that the broker names.
 */

async function declare(
  channel: ChannelContext,
  values: MethodArguments<'queueDeclare'>,
): Promise<void> {
  await channel.messages.published();
  const { link } = channel;
  const given = withoutLineBreaks(values.queue);
  let counts: { ready: number; consumers: number };
  let name = given;
  if (given.startsWith(replyQueueName)) {
    counts = replyCounts(channel, given);
  } else if (values.passive) {
    counts = passiveCounts(channel, given);
  } else {
    if (given === '') name = serverName(channel);
    else checkReserved('queue', given);
    checkAccess(link, 'configure', 'queue', name);
    const declared: DeclaredQueue = {
      queue: name,
      vhost: link.vhost,
      durable: values.durable,
      exclusive: values.exclusive,
      autoDelete: values.autoDelete,
      arguments: values.arguments,
    };
    const queue = await declareQueue(link, channel.services, declared);
    counts = queue.counts();
  }
  channel.lastQueueName = name;
  if (values.nowait) return;
  channel.reply('queueDeclareOk', {
    queue: name,
    messageCount: counts.ready,
    consumerCount: counts.consumers,
  });
}

/** A topic that nobody has declared as a queue counts as one that is empty: it can be consumed from. */
function passiveCounts(
  channel: ChannelContext,
  name: string,
): { ready: number; consumers: number } {
  const { link } = channel;
  const queue = findUsable(link, name);
  if (queue !== undefined) {
    queue.touch();
    return queue.counts();
  }
  const topic = name === '' ? undefined : link.services.broker.topics.find(name, link.namespace);
  if (topic === undefined) throw notFound('queue', name, link);
  return { ready: 0, consumers: 0 };
}

/** A channel that waits for direct replies is found as a queue with one consumer; nobody else can make one of the name. */
function replyCounts(channel: ChannelContext, name: string): { ready: number; consumers: number } {
  const { link } = channel;
  if (name !== replyQueueName && link.services.tools.replies.find(name) === undefined) {
    throw notFound('queue', name, link);
  }
  return { ready: 0, consumers: 1 };
}

/** 128 random bits in an alphabet that is safe in URLs. */
function serverName(channel: ChannelContext): string {
  const bytes = Buffer.from(channel.link.services.random.nextBytes(16));
  return `amq.gen-${bytes.toString('base64url')}`;
}

/** What may be bound to an exchange that picks a queue of its own node (https://www.rabbitmq.com/docs/local-random-exchange). */
function checkLocal(link: MessageLink, name: string, key: string): void {
  const queue = findUsable(link, name);
  const type = queue === undefined ? 'stream' : queueType(queue);
  let fault: string | undefined;
  if (key !== '') fault = `Non empty binding '${key}' key not permitted`;
  else if (type !== 'classic') {
    fault = `Queue type rabbit_${type}_queue not valid for this exchange type`;
  }
  if (fault !== undefined) throw new AmqpError('PRECONDITION_FAILED', fault);
}

/** The queue's name, or that of the last one declared. */
function shortName(channel: ChannelContext, given: string): string {
  if (given !== '') return withoutLineBreaks(given);
  if (channel.lastQueueName !== '') return channel.lastQueueName;
  throw new AmqpError('NOT_FOUND', 'no previously declared queue');
}

/** With neither queue nor key, the queue's name is the key, too. AMQP 0-9-1 §1.7.2.3. */
function shortKey(queueName: string, values: { queue: string; routingKey: string }): string {
  return values.queue === '' && values.routingKey === '' ? queueName : values.routingKey;
}

function getUsable(channel: ChannelContext, name: string): Queue {
  const queue = findUsable(channel.link, name);
  if (queue === undefined) throw notFound('queue', name, channel.link);
  return queue;
}

async function bind(channel: ChannelContext, values: MethodArguments<'queueBind'>): Promise<void> {
  const { link } = channel;
  const { exchanges, broker } = link.services;
  const name = shortName(channel, values.queue);
  const key = shortKey(name, values);
  checkAccess(link, 'write', 'queue', name);
  const source = withoutLineBreaks(values.exchange);
  checkNotDefault(source);
  checkAccess(link, 'read', 'exchange', source);
  const exchange = exchanges.find(link.namespace, source);
  if (exchange?.kind === 'topic') checkKey(channel, source, key);
  if (
    findUsable(link, name) === undefined &&
    broker.topics.find(name, link.namespace) === undefined
  ) {
    throw notFound('queue', name, link);
  }
  if (exchange === undefined) throw notFound('exchange', source, link);
  if (exchange.kind === 'headers') checkMatch(values.arguments);
  if (exchangeType(exchange) === localRandomType) checkLocal(link, name, key);
  await exchanges.bind({
    namespace: link.namespace,
    source,
    destination: { kind: 'queue', name },
    key,
    arguments: fieldsOf(values.arguments),
  });
  if (!values.nowait) channel.reply('queueBindOk', {});
}

function checkKey(channel: ChannelContext, exchange: string, key: string): void {
  const { identity, namespace, services } = channel.link;
  if (services.access.allowsKey(identity, namespace, 'read', exchange, key)) return;
  throw new AmqpError(
    'ACCESS_REFUSED',
    `read access to topic '${key}' in ${nameOf('exchange', exchange, channel.link)} refused for user '${identity.name}'`,
  );
}

const matches: ReadonlySet<string> = new Set(['all', 'any', 'all-with-x', 'any-with-x']);
const matchWords = [...matches].join(', ').replace(/, (?=[^,]*$)/, ', or ');

function checkMatch(table: FieldTable): void {
  const field = table.get('x-match');
  if (field === undefined) return;
  if (field.type !== 'S') {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `Invalid x-match field type ${letterName(field)} (value ${printField(field)}); expected longstr`,
    );
  }
  if (matches.has(field.value)) return;
  throw new AmqpError(
    'PRECONDITION_FAILED',
    `Invalid x-match field value ${printBinary(Buffer.from(field.value))}; expected ${matchWords}`,
  );
}

async function unbind(
  channel: ChannelContext,
  values: MethodArguments<'queueUnbind'>,
): Promise<void> {
  const { link } = channel;
  const { exchanges } = link.services;
  const name = shortName(channel, values.queue);
  const key = shortKey(name, values);
  checkAccess(link, 'write', 'queue', name);
  const source = withoutLineBreaks(values.exchange);
  checkNotDefault(source);
  checkAccess(link, 'read', 'exchange', source);
  // Refused where it is another connection's own.
  findUsable(link, name);
  try {
    await exchanges.unbind({
      namespace: link.namespace,
      source,
      destination: { kind: 'queue', name },
      key,
      arguments: fieldsOf(values.arguments),
    });
  } catch (error) {
    // What is not bound, or not there, is unbound: RabbitMQ since 3.2.
    if (!(error instanceof BrokerError) || !missing.has(error.code)) throw error;
  }
  channel.reply('queueUnbindOk', {});
}

const missing: ReadonlySet<string> = new Set(['exchange-not-found', 'queue-not-found']);

async function purge(
  channel: ChannelContext,
  values: MethodArguments<'queuePurge'>,
): Promise<void> {
  await channel.messages.published();
  const { link } = channel;
  const name = shortName(channel, values.queue);
  checkAccess(link, 'read', 'queue', name);
  const queue = getUsable(channel, name);
  if (queueType(queue) === 'stream') {
    throw new AmqpError(
      'NOT_IMPLEMENTED',
      `queue.purge not supported by stream queues ${nameOf('queue', name, link)}`,
    );
  }
  const messageCount = await queue.purge();
  if (!values.nowait) channel.reply('queuePurgeOk', { messageCount });
}

async function deleteLog(link: MessageLink, name: string): Promise<void> {
  const { topics } = link.services.broker;
  if (topics.find(name, link.namespace) !== undefined) await topics.delete(name, link.namespace);
}

/** Consumers of the queue on this very channel are told behind the answer. */
async function remove(
  channel: ChannelContext,
  values: MethodArguments<'queueDelete'>,
): Promise<void> {
  const messages = messagesOf(channel);
  messages.holdEnded();
  try {
    await deleteQueue(channel, values);
  } finally {
    messages.tellEnded();
  }
}

async function deleteQueue(
  channel: ChannelContext,
  values: MethodArguments<'queueDelete'>,
): Promise<void> {
  await channel.messages.published();
  const { link } = channel;
  const name = shortName(channel, values.queue);
  checkAccess(link, 'configure', 'queue', name);
  const queue = findUsable(link, name);
  let messageCount = 0;
  if (queue !== undefined) {
    try {
      messageCount = await link.services.queues.delete(queue, {
        ifUnused: values.ifUnused,
        ifEmpty: values.ifEmpty,
      });
      // Its log was made before it (see `prepareStream`), and ends with it all the same.
      if (queueType(queue) === 'stream') await deleteLog(link, name);
    } catch (error) {
      const why = error instanceof BrokerError ? refusals.get(error.code) : undefined;
      if (why !== undefined) {
        const text = `${nameOf('queue', name, link)} ${why}`;
        throw new AmqpError('PRECONDITION_FAILED', text, { cause: error });
      }
      if (!(error instanceof BrokerError) || error.code !== 'queue-not-found') throw error;
    }
  }
  if (!values.nowait) channel.reply('queueDeleteOk', { messageCount });
}

const refusals: ReadonlyMap<string, string> = new Map([
  ['queue-in-use', 'in use'],
  ['queue-not-empty', 'not empty'],
]);

export const queueHandlers = [
  register('queueDeclare', declare),
  register('queueBind', bind),
  register('queueUnbind', unbind),
  register('queuePurge', purge),
  register('queueDelete', remove),
];
