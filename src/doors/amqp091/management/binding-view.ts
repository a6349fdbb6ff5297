import type { Binding, ExchangesPort, QueuesPort } from '../../../broker/index.ts';
import { vhostOf } from '../vhost.ts';
import type { JsonObject } from './body.ts';
import { hashArguments } from './erlang-hash.ts';
import { showFields } from './shown-fields.ts';

export function showBinding(binding: Binding): JsonObject {
  return {
    source: binding.source,
    vhost: vhostOf(binding.namespace),
    destination: binding.destination.name,
    destination_type: binding.destination.kind,
    routing_key: binding.key,
    arguments: showFields(binding.arguments),
    properties_key: propertiesKey(binding),
  };
}

/** Names a binding among those of two ends: the routing key, and a hash of the arguments where there are some. */
export function propertiesKey({ key, arguments: fields }: Binding): string {
  const quoted = quote(key);
  if (Object.keys(fields).length > 0) return `${quoted}~${hashArguments(fields)}`;
  return quoted === '' ? '~' : quoted;
}

/** Finds a binding by its key; clients that decode the key once too often are understood, as RabbitMQ does. */
export function findByKey(bindings: readonly Binding[], key: string): Binding | undefined {
  const exact = bindings.find((binding) => propertiesKey(binding) === key);
  if (exact !== undefined) return exact;
  const [routingKey = '', hash = ''] = key.split('~');
  const wanted = unquote(routingKey);
  return bindings.find(
    (binding) => binding.key === wanted && hash === (propertiesKey(binding).split('~')[1] ?? ''),
  );
}

function unquote(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** As forms are encoded, and `~`, too, which is the sign before the hash. */
function quote(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%20', '+')
    .replaceAll(
      /[!'()*~]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
}

export interface BindingFilter {
  readonly namespace: string;
  readonly source?: string;
  readonly destination?: Binding['destination'];
}

/** With those of the default exchange, to which every queue is bound by its name. */
export function listBindings(
  { exchanges, queues }: { exchanges: ExchangesPort; queues: QueuesPort },
  filter: BindingFilter,
): Binding[] {
  const { namespace, source, destination } = filter;
  const found = source === '' ? [] : exchanges.listBindings(filter);
  if (destination?.kind === 'exchange' || (source !== undefined && source !== '')) return found;
  const names =
    destination !== undefined
      ? [destination.name]
      : queues
          .list(namespace)
          .filter(({ subscription }) => subscription === '')
          .map(({ name }) => name);
  const defaults = names
    .filter((name) => queues.find(namespace, name) !== undefined)
    .map(
      (name): Binding => ({
        namespace,
        source: '',
        destination: { kind: 'queue', name },
        key: name,
        arguments: {},
      }),
    );
  return [...defaults, ...found];
}
