import type { Binding, Exchange, Queue } from '../../../broker/index.ts';
import { isDurableQueue } from '../declared-queue.ts';
import { exchangeType } from '../handlers/exchange.ts';
import { compatibleVersion } from '../server-properties.ts';
import { typeOfQueue } from '../policies.ts';
import { vhostOf } from '../vhost.ts';
import type { ApiContext } from './api.ts';
import type { JsonObject } from './body.ts';
import { listGlobals } from './handlers/parameters.ts';
import { listPermissionsOf, listTopicPermissionsOf } from './handlers/permissions.ts';
import { listParameters } from './parameters.ts';
import { showPolicy } from './policy-definition.ts';
import { showArguments, showFields } from './shown-fields.ts';
import { showUser } from './user-record.ts';
import { showVhostBasics } from './vhost-view.ts';

/** Everything that can be defined, in the form of RabbitMQ's definitions files. */
export function exportAll(context: ApiContext): JsonObject {
  const { access, exchanges, queues } = context.services;
  return {
    ...versions(context),
    users: access.listUsers().map(showUser),
    vhosts: access.listNamespaces().map(showVhostBasics),
    permissions: listPermissionsOf(context, {}),
    topic_permissions: listTopicPermissionsOf(context, {}),
    parameters: listParameters(context),
    global_parameters: listGlobals(context),
    policies: access.listPolicies({ isOperator: false }).map(showPolicy),
    queues: queues.list().filter(isKeptQueue).map(withVhost(exportQueue)),
    exchanges: exchanges.list().filter(isKeptExchange).map(withVhost(exportExchange)),
    bindings: exchanges
      .listBindings({})
      .filter(isKeptBinding(context))
      .map(withVhost(exportBinding)),
  };
}

/** The same of one vhost, without its name in it, so that it can be imported into another. */
export function exportVhost(context: ApiContext, namespace: string): JsonObject {
  const { access, exchanges, queues } = context.services;
  return {
    ...versions(context),
    parameters: listParameters(context, namespace),
    policies: access.listPolicies({ namespace, isOperator: false }).map(showPolicy),
    queues: queues.list(namespace).filter(isKeptQueue).map(exportQueue),
    exchanges: exchanges.list(namespace).filter(isKeptExchange).map(exportExchange),
    bindings: exchanges
      .listBindings({ namespace })
      .filter(isKeptBinding(context))
      .map(exportBinding),
  };
}

function versions({ version }: ApiContext): JsonObject {
  return {
    rabbit_version: compatibleVersion,
    rabbitmq_version: compatibleVersion,
    product_name: 'Pabal',
    product_version: version,
  };
}

function withVhost<T extends { readonly namespace: string }>(
  show: (item: T) => JsonObject,
): (item: T) => JsonObject {
  return (item) => ({ ...show(item), vhost: vhostOf(item.namespace) });
}

/** An exclusive queue ends with its connection. */
function isKeptQueue({ subscription, exclusiveOwner }: Queue): boolean {
  return subscription === '' && exclusiveOwner === undefined;
}

function isKeptExchange({ name }: Exchange): boolean {
  return name !== '' && !name.startsWith('amq.');
}

function isKeptBinding({ services }: ApiContext): (binding: Binding) => boolean {
  return ({ namespace, source, destination: { kind, name } }) => {
    if (source === '') return false;
    if (kind === 'exchange') return true;
    return services.queues.find(namespace, name)?.exclusiveOwner === undefined;
  };
}

function exportQueue(queue: Queue): JsonObject {
  return {
    name: queue.name,
    type: typeOfQueue(queue),
    durable: isDurableQueue(queue),
    auto_delete: queue.isAutoDelete,
    arguments: showArguments(queue.attributes),
  };
}

function exportExchange(exchange: Exchange): JsonObject {
  const shown = showArguments(exchange.attributes);
  return {
    name: exchange.name,
    type: exchangeType(exchange),
    durable: exchange.lifetime === 'durable',
    auto_delete: exchange.isAutoDelete,
    internal: exchange.isInternal,
    arguments: Object.keys(shown).length > 0 ? shown : showFields(exchange.arguments),
  };
}

function exportBinding({ source, destination, key, arguments: fields }: Binding): JsonObject {
  return {
    source,
    destination: destination.name,
    destination_type: destination.kind,
    routing_key: key,
    arguments: showFields(fields),
  };
}
