import { BrokerError } from '../../../base/index.ts';
import type { Exchange, ExchangeKind } from '../../../broker/index.ts';
import { AmqpError } from '../amqp-error.ts';
import { fieldsOf } from '../binding-fields.ts';
import { checkSame, checkSameArgument } from '../equivalence.ts';
import { letterName } from '../field-name.ts';
import { type ChannelContext, register } from '../handler.ts';
import {
  checkAccess,
  checkNotDefault,
  checkReserved,
  nameOf,
  notFound,
  withoutLineBreaks,
} from '../resource-name.ts';
import { restoreArguments, storeArguments, typeAttribute } from '../stored-arguments.ts';
import { emptyTable, type FieldTable, type MethodArguments } from '../wire/index.ts';

/*
 * exchange.declare, delete, bind, unbind (the last two are RabbitMQ's).
 * Types: those of the specification, `x-delayed-message`, `x-consistent-hash`, `x-modulus-hash`, `x-random`,
 * `x-local-random` (whose bindings have no key; every queue is on this node).
 */

export const localRandomType = 'x-local-random';

const kinds: ReadonlyMap<string, ExchangeKind> = new Map([
  ['direct', 'direct'],
  ['fanout', 'fanout'],
  ['topic', 'topic'],
  ['headers', 'headers'],
  ['x-consistent-hash', 'consistent-hash'],
  ['x-modulus-hash', 'modulus-hash'],
  ['x-random', 'random'],
  [localRandomType, 'random'],
]);
const delayedType = 'x-delayed-message';

async function declare(
  channel: ChannelContext,
  values: MethodArguments<'exchangeDeclare'>,
): Promise<void> {
  const { link } = channel;
  const { exchanges } = link.services;
  const name = withoutLineBreaks(values.exchange);
  if (values.passive) {
    checkNotDefault(name);
    if (exchanges.find(link.namespace, name) === undefined) throw notFound('exchange', name, link);
  } else {
    const { kind, isDelayed } = readType(values.type, values.arguments);
    checkNotDefault(name);
    checkAccess(link, 'configure', 'exchange', name);
    const known = exchanges.find(link.namespace, name);
    if (known === undefined) {
      checkReserved('exchange', name);
      const alternate = readAlternate(channel, name, values.arguments);
      const { exchange, isNew } = await exchanges.declare({
        namespace: link.namespace,
        name,
        kind,
        isDelayed,
        lifetime: values.durable ? 'durable' : 'temporary',
        isAutoDelete: values.autoDelete,
        isInternal: values.internal,
        alternate,
        arguments: fieldsOf(values.arguments),
        attributes: { ...storeArguments(values.arguments), [typeAttribute]: values.type },
      });
      // Somebody else was quicker.
      if (!isNew) checkEquivalent(channel, exchange, values);
    } else {
      checkEquivalent(channel, known, values);
      // One that is not durable yet is not answered for.
      await exchanges.declare(known);
    }
  }
  if (!values.nowait) channel.reply('exchangeDeclareOk', {});
}

function readType(type: string, table: FieldTable): { kind: ExchangeKind; isDelayed: boolean } {
  if (type === delayedType) {
    const inner = table.get('x-delayed-type');
    const kind = inner?.type === 'S' ? kinds.get(inner.value) : undefined;
    if (kind === undefined) {
      throw new AmqpError(
        'PRECONDITION_FAILED',
        `Invalid argument, 'x-delayed-type' must be an existing exchange type`,
      );
    }
    return { kind, isDelayed: true };
  }
  const kind = kinds.get(type);
  if (kind === undefined) {
    // RabbitMQ 4 closes the channel; 3.x closed the connection with COMMAND_INVALID.
    throw new AmqpError('PRECONDITION_FAILED', `unknown exchange type '${type}'`);
  }
  return { kind, isDelayed: false };
}

function readAlternate(
  channel: ChannelContext,
  name: string,
  table: FieldTable,
): string | undefined {
  const field = table.get('alternate-exchange');
  if (field === undefined) return undefined;
  const { link } = channel;
  if (field.type !== 'S') {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `invalid type '${letterName(field)}' for arg 'alternate-exchange' in ${nameOf('exchange', name, link)}`,
    );
  }
  checkAccess(link, 'read', 'exchange', name);
  checkAccess(link, 'write', 'exchange', field.value);
  return field.value;
}

/** The type as it was declared. */
export function exchangeType(exchange: Exchange): string {
  const stored = exchange.attributes[typeAttribute];
  if (stored !== undefined) return stored;
  if (exchange.isDelayed) return delayedType;
  for (const [type, kind] of kinds) if (kind === exchange.kind) return type;
  return exchange.kind;
}

function checkEquivalent(
  channel: ChannelContext,
  exchange: Exchange,
  values: MethodArguments<'exchangeDeclare'>,
): void {
  const place = nameOf('exchange', exchange.name, channel.link);
  checkSame('type', values.type, exchangeType(exchange), place);
  checkSame('durable', values.durable, exchange.lifetime === 'durable', place);
  checkSame('auto_delete', values.autoDelete, exchange.isAutoDelete, place);
  checkSame('internal', values.internal, exchange.isInternal, place);
  const current = restoreArguments(exchange.attributes) ?? emptyTable;
  checkSameArgument('alternate-exchange', values.arguments, current, place);
  if (exchange.isDelayed) checkSameArgument('x-delayed-type', values.arguments, current, place);
}

async function remove(
  channel: ChannelContext,
  values: MethodArguments<'exchangeDelete'>,
): Promise<void> {
  const { link } = channel;
  const name = withoutLineBreaks(values.exchange);
  checkNotDefault(name);
  if (name.startsWith('amq.') && link.services.exchanges.find(link.namespace, name) !== undefined) {
    throw new AmqpError(
      'ACCESS_REFUSED',
      `deletion of system ${nameOf('exchange', name, link)} not allowed`,
    );
  }
  checkAccess(link, 'configure', 'exchange', name);
  try {
    await link.services.exchanges.delete(link.namespace, name, { ifUnused: values.ifUnused });
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    if (error.code === 'exchange-in-use') {
      throw new AmqpError('PRECONDITION_FAILED', `${nameOf('exchange', name, link)} in use`, {
        cause: error,
      });
    }
    // Deleting what is not there succeeds: AMQP 0-9-1 errata, and RabbitMQ since 3.2.
    if (error.code !== 'exchange-not-found') throw error;
  }
  if (!values.nowait) channel.reply('exchangeDeleteOk', {});
}

/** Checks that both ends may be bound, and gives their names. */
function checkEnds(
  channel: ChannelContext,
  values: MethodArguments<'exchangeBind'>,
): { source: string; destination: string } {
  const { link } = channel;
  const source = withoutLineBreaks(values.source);
  const destination = withoutLineBreaks(values.destination);
  checkNotDefault(destination);
  checkAccess(link, 'write', 'exchange', destination);
  checkNotDefault(source);
  checkAccess(link, 'read', 'exchange', source);
  return { source, destination };
}

async function bind(
  channel: ChannelContext,
  values: MethodArguments<'exchangeBind'>,
): Promise<void> {
  const { link } = channel;
  const { exchanges } = link.services;
  const { source, destination } = checkEnds(channel, values);
  for (const name of [source, destination]) {
    if (exchanges.find(link.namespace, name) === undefined) throw notFound('exchange', name, link);
  }
  await exchanges.bind({
    namespace: link.namespace,
    source,
    destination: { kind: 'exchange', name: destination },
    key: values.routingKey,
    arguments: fieldsOf(values.arguments),
  });
  if (!values.nowait) channel.reply('exchangeBindOk', {});
}

async function unbind(
  channel: ChannelContext,
  values: MethodArguments<'exchangeUnbind'>,
): Promise<void> {
  const { link } = channel;
  const { exchanges } = link.services;
  const { source, destination } = checkEnds(channel, values);
  if (
    exchanges.find(link.namespace, source) !== undefined &&
    exchanges.find(link.namespace, destination) !== undefined
  ) {
    await exchanges.unbind({
      namespace: link.namespace,
      source,
      destination: { kind: 'exchange', name: destination },
      key: values.routingKey,
      arguments: fieldsOf(values.arguments),
    });
  }
  if (!values.nowait) channel.reply('exchangeUnbindOk', {});
}

export const exchangeHandlers = [
  register('exchangeDeclare', declare),
  register('exchangeDelete', remove),
  register('exchangeBind', bind),
  register('exchangeUnbind', unbind),
];
