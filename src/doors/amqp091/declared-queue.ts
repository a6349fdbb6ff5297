import type { Queue } from '../../broker/index.ts';
import { AmqpError } from './amqp-error.ts';
import { checkSame, checkSameArgument } from './equivalence.ts';
import type { MessageLink } from './message-channel.ts';
import { limitOf } from './opening.ts';
import { type QueuePolicies, typeOfQueue } from './policies.ts';
import {
  comparedArguments,
  type DeclaredQueue,
  planQueue,
  type QueuePlan,
  type QueueType,
} from './queue-arguments.ts';
import { checkAccess, nameOf } from './resource-name.ts';
import {
  defaultTypeAttribute,
  restoreArguments,
  storeArguments,
  typeAttribute,
} from './stored-arguments.ts';
import { emptyTable, type Field, type FieldTable } from './wire/index.ts';

export type { DeclaredQueue };

/** Undefined: there is none. Throws RESOURCE_LOCKED where another connection has it to itself. */
export function findUsable(link: MessageLink, name: string): Queue | undefined {
  const queue = link.services.queues.find(link.namespace, name);
  if (queue?.exclusiveOwner !== undefined && queue.exclusiveOwner !== link.owner) {
    throw locked(link, name);
  }
  return queue;
}

export function queueType(queue: Queue): QueueType {
  return typeOfQueue(queue);
}

export function isDurableQueue(queue: Queue): boolean {
  return queue.lifetime === 'durable';
}

/** The queue, new or as it was; throws an AmqpError for one that is otherwise than declared, or cannot be. */
export async function declareQueue(
  link: MessageLink,
  { policies }: { policies: QueuePolicies },
  asked: DeclaredQueue,
): Promise<Queue> {
  const declared = withDefaultType(link, asked);
  const known = link.services.queues.find(link.namespace, declared.queue);
  if (known !== undefined) checkEquivalent(link, known, declared);
  const plan = known === undefined ? planNew(link, declared) : undefined;
  if (plan?.type === 'stream') await prepareStream(link, declared.queue, plan);
  const { queue, isNew } = await link.services.queues.declare(
    plan === undefined
      ? { namespace: link.namespace, name: declared.queue }
      : requestOf(link, policies, declared, plan),
  );
  // Somebody else was quicker.
  if (plan !== undefined && !isNew) checkEquivalent(link, queue, declared);
  return queue;
}

/** A queue that does not say its type, and may be of any, is of its vhost's (https://www.rabbitmq.com/docs/vhosts#default-queue-type). */
function withDefaultType(
  { services, namespace }: MessageLink,
  declared: DeclaredQueue,
): DeclaredQueue {
  const { durable, exclusive, autoDelete, arguments: table } = declared;
  if (!durable || exclusive || autoDelete || table.has('x-queue-type')) return declared;
  const type = services.access.findNamespace(namespace)?.attributes[defaultTypeAttribute];
  if (type === undefined) return declared;
  return {
    ...declared,
    arguments: new Map([...table, ['x-queue-type', { type: 'S', value: type }]]),
  };
}

function planNew(link: MessageLink, declared: DeclaredQueue): QueuePlan {
  const deadLetters = declared.arguments.get('x-dead-letter-exchange');
  if (deadLetters?.type === 'S') {
    checkAccess(link, 'read', 'queue', declared.queue);
    checkAccess(link, 'write', 'exchange', deadLetters.value);
  }
  const plan = planQueue(declared);
  const found = link.services.access.findNamespace(link.namespace);
  const limit = limitOf(found?.limits, 'queues');
  if (limit >= 0 && link.services.queues.list(link.namespace).length >= limit) {
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `cannot declare queue '${declared.queue}': queue limit in vhost '${link.vhost}' (${limit}) is reached`,
    );
  }
  return plan;
}

function requestOf(
  link: MessageLink,
  policies: QueuePolicies,
  declared: DeclaredQueue,
  plan: QueuePlan,
): Parameters<typeof link.services.queues.declare>[0] {
  const { namespace } = link;
  const { queue: name, exclusive, durable } = declared;
  const effective = policies.effective(
    namespace,
    name,
    plan.type,
    plan.options,
    plan.isSingleActive,
  );
  const attributes: Record<string, string> = {
    ...storeArguments(declared.arguments),
    ...effective.attributes,
    [typeAttribute]: plan.type,
  };
  return {
    namespace,
    name,
    form: plan.form,
    settings: effective.settings,
    lifetime: durable && !exclusive ? 'durable' : 'temporary',
    isAutoDelete: declared.autoDelete,
    idleExpiryMs: effective.idleExpiryMs,
    attributes,
    ...(exclusive ? { exclusiveOwner: link.owner } : {}),
  };
}

/** A stream is a log: messages stay when they were read, for as long as its own limits say. */
async function prepareStream(link: MessageLink, name: string, plan: QueuePlan): Promise<void> {
  const { topics } = link.services.broker;
  if (topics.find(name, link.namespace) !== undefined) return;
  await topics.create({
    namespace: link.namespace,
    name,
    partitions: 1,
    options: {
      retentionMs: plan.options.maxAgeMs ?? -1,
      retentionBytes: plan.options.maxLengthBytes ?? -1,
    },
  });
}

function checkEquivalent(link: MessageLink, queue: Queue, declared: DeclaredQueue): void {
  const isExclusive = queue.exclusiveOwner !== undefined;
  const isOwn = isExclusive && queue.exclusiveOwner === link.owner;
  if (isExclusive !== declared.exclusive || (isExclusive && !isOwn)) {
    throw locked(link, declared.queue);
  }
  const place = nameOf('queue', declared.queue, link);
  // An exclusive queue is never durable, whatever is said; RabbitMQ does not compare it either.
  if (!isExclusive) checkSame('durable', declared.durable, isDurableQueue(queue), place);
  checkSame('auto_delete', declared.autoDelete, queue.isAutoDelete, place);
  const current = withType(restoreArguments(queue.attributes) ?? emptyTable, typeOfQueue(queue));
  const received = withType(declared.arguments, 'classic');
  for (const name of comparedArguments) {
    if (name === 'x-queue-type') compareTypes(received, current, place);
    else checkSameArgument(name, received, current, place);
  }
}

/** A classic queue is what is meant when nothing is said: told apart only from the other types. */
function compareTypes(received: FieldTable, current: FieldTable, place: string): void {
  const wanted = received.get('x-queue-type') ?? classic;
  const now = current.get('x-queue-type') ?? classic;
  if (wanted.type === now.type && wanted.value === now.value) return;
  checkSameArgument('x-queue-type', received, current, place);
}

const classic: Field = { type: 'S', value: 'classic' };

/** With the type that counts where none stands in the table. */
function withType(table: FieldTable, type: QueueType): FieldTable {
  if (type === 'classic' || table.has('x-queue-type')) return table;
  return new Map<string, Field>([...table, ['x-queue-type', { type: 'S', value: type }]]);
}

function locked(link: MessageLink, name: string): AmqpError {
  return new AmqpError(
    'RESOURCE_LOCKED',
    `cannot obtain exclusive access to locked ${nameOf('queue', name, link)}. It could be originally declared on another ` +
      'connection or the exclusive property value does not match that of the original declaration.',
  );
}
