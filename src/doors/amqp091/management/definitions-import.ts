import { anonymous, type Binding, BrokerError } from '../../../broker/index.ts';
import { declareQueue } from '../declared-queue.ts';
import { namespaceOf, vhostOf } from '../vhost.ts';
import { badRequest } from './api-error.ts';
import type { ApiContext } from './api.ts';
import {
  argumentsOf,
  asText,
  isObject,
  type JsonObject,
  need,
  needText,
  objectsOf,
  truthOf,
} from './body.ts';
import { DirectChannel } from './direct-channel.ts';
import { putPolicy } from './handlers/policies.ts';
import { putVhost } from './handlers/vhosts.ts';
import { globalComponent, putParameter } from './parameters.ts';
import { readPolicy } from './policy-definition.ts';
import { putUser } from './user-record.ts';

/**
 * Makes what a definitions file of RabbitMQ describes. What is there already is changed where it can be (users, permissions,
 * policies, parameters) and otherwise left as it is (queues, exchanges, bindings), so that the same file may come twice.
 * Members that nobody knows are passed over. Rejects with an ApiError, AmqpError or BrokerError at the first thing that cannot
 * be made; what came before it stays. `into`: everything goes into this namespace, whatever the file says.
 */
export async function importDefinitions(
  context: ApiContext,
  file: JsonObject,
  into?: string,
): Promise<void> {
  const importing = new Importing(context, into);
  if (into === undefined) {
    await importing.importUsers(file);
    await importing.importVhosts(file);
    await importing.importPermissions(file);
    await importing.importGlobals(file);
  }
  await importing.importParameters(file);
  await importing.importPolicies(file);
  await importing.importQueues(file);
  await importing.importExchanges(file);
  await importing.importBindings(file);
  await context.services.policies.apply();
}

class Importing {
  readonly #context: ApiContext;
  readonly #into: string | undefined;

  constructor(context: ApiContext, into: string | undefined) {
    this.#context = context;
    this.#into = into;
  }

  async importUsers(file: JsonObject): Promise<void> {
    for (const user of objectsOf(file, 'users')) {
      // Old files have tags as one text, and without a word about tags there are none.
      const described = { tags: [], ...user };
      const name = needText(user, 'name');
      try {
        await putUser(this.#context, name, described);
      } catch (error) {
        if (!(error instanceof BrokerError) || error.code !== 'config-invalid') throw error;
        // RabbitMQ keeps any bytes for a hash. With these nobody can log in there, nor here.
        await putUser(this.#context, name, { ...described, password_hash: '' });
        this.#context.log.warn(
          { err: error, user: name },
          'a user was imported without a password',
        );
      }
    }
  }

  async importVhosts(file: JsonObject): Promise<void> {
    for (const vhost of objectsOf(file, 'vhosts')) {
      await putVhost(this.#context, needText(vhost, 'name'), vhost);
    }
  }

  async importPermissions(file: JsonObject): Promise<void> {
    const { access } = this.#context.services;
    for (const one of objectsOf(file, 'permissions')) {
      await access.putPermission({
        user: needText(one, 'user'),
        namespace: this.#placeOf(one),
        configure: needText(one, 'configure'),
        write: needText(one, 'write'),
        read: needText(one, 'read'),
      });
    }
    for (const one of objectsOf(file, 'topic_permissions')) {
      await access.putTopicPermission({
        user: needText(one, 'user'),
        namespace: this.#placeOf(one),
        exchange: needText(one, 'exchange'),
        write: needText(one, 'write'),
        read: needText(one, 'read'),
      });
    }
  }

  async importGlobals(file: JsonObject): Promise<void> {
    const { access } = this.#context.services;
    for (const one of objectsOf(file, 'global_parameters')) {
      const name = needText(one, 'name');
      // Who a cluster is, is not taken from another one.
      if (name === 'internal_cluster_id') continue;
      await access.putParameter(globalComponent, '', name, JSON.stringify(need(one, 'value')));
    }
  }

  async importParameters(file: JsonObject): Promise<void> {
    for (const one of objectsOf(file, 'parameters')) {
      const component = needText(one, 'component');
      const name = needText(one, 'name');
      await putParameter(this.#context, component, this.#placeOf(one), name, need(one, 'value'));
    }
  }

  async importPolicies(file: JsonObject): Promise<void> {
    for (const one of objectsOf(file, 'policies')) {
      const place = { namespace: this.#placeOf(one), name: needText(one, 'name') };
      await putPolicy(this.#context, readPolicy(one, { ...place, isOperator: false }));
    }
  }

  async importQueues(file: JsonObject): Promise<void> {
    const { services } = this.#context;
    for (const one of objectsOf(file, 'queues')) {
      const namespace = this.#placeOf(one);
      const queue = needText(one, 'name');
      if (services.queues.find(namespace, queue) !== undefined) continue;
      await declareQueue(this.#channel(namespace).link, services, {
        queue,
        vhost: vhostOf(namespace),
        durable: truthOf(one, 'durable', true),
        exclusive: false,
        autoDelete: truthOf(one, 'auto_delete', false),
        arguments: argumentsOf(one),
      });
    }
  }

  async importExchanges(file: JsonObject): Promise<void> {
    const { exchanges } = this.#context.services;
    for (const one of objectsOf(file, 'exchanges')) {
      const namespace = this.#placeOf(one);
      const exchange = needText(one, 'name');
      // Those of every vhost are there.
      if (exchange === '' || exchange.startsWith('amq.')) continue;
      if (exchanges.find(namespace, exchange) !== undefined) continue;
      await this.#channel(namespace).call('exchangeDeclare', {
        ticket: 0,
        exchange,
        type: needText(one, 'type'),
        passive: false,
        durable: truthOf(one, 'durable', true),
        autoDelete: truthOf(one, 'auto_delete', false),
        internal: truthOf(one, 'internal', false),
        nowait: false,
        arguments: argumentsOf(one),
      });
    }
  }

  async importBindings(file: JsonObject): Promise<void> {
    for (const one of objectsOf(file, 'bindings')) {
      const source = needText(one, 'source');
      if (source === '') continue;
      const namespace = this.#placeOf(one);
      const destination = destinationOf(one);
      const common = {
        ticket: 0,
        routingKey:
          one['routing_key'] === undefined ? '' : asText(one['routing_key'], 'routing_key'),
        nowait: false,
        arguments: argumentsOf(one),
      };
      const channel = this.#channel(namespace);
      if (destination.kind === 'queue') {
        await channel.call('queueBind', { ...common, queue: destination.name, exchange: source });
      } else {
        await channel.call('exchangeBind', { ...common, destination: destination.name, source });
      }
    }
  }

  /** Who may import may do anything. */
  #channel(namespace: string): DirectChannel {
    return new DirectChannel(this.#context.services, anonymous, namespace);
  }

  #placeOf(one: JsonObject): string {
    if (this.#into !== undefined) return this.#into;
    const vhost = needText(one, 'vhost');
    const namespace = namespaceOf(vhost);
    if (vhost === '' || this.#context.services.access.findNamespace(namespace) === undefined) {
      throw badRequest(['no_such_vhost', vhost]);
    }
    return namespace;
  }
}

function destinationOf(one: JsonObject): Binding['destination'] {
  const kind = needText(one, 'destination_type');
  if (kind !== 'queue' && kind !== 'exchange') throw badRequest(['unknown_destination_type', kind]);
  return { kind, name: needText(one, 'destination') };
}

/** Of a whole file. Throws an ApiError. */
export function parseDefinitions(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badRequest('failed_to_parse_json', error);
  }
  if (!isObject(value)) throw badRequest('failed_to_parse_json');
  return value;
}
