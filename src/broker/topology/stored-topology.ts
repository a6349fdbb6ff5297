import { entryKind } from '../../shard/index.ts';
import type { Binding, Exchange } from '../ports/index.ts';
import { loadFields, storeFields, type StoredFields } from './field-text.ts';

/** Entry kinds of exchanges and bindings; payloads are JSON. Only what is durable is in the journal. */
export const topologyEntryKind = {
  /** A StoredExchange. */
  exchangeDeclared: entryKind.extensionMin + 32,
  /** `{ namespace, name }`: its bindings go with it. */
  exchangeDeleted: entryKind.extensionMin + 33,
  /** A StoredBinding, behind its namespace and source: `[namespace, source, ...]`. */
  bound: entryKind.extensionMin + 34,
  /** As `bound`. */
  unbound: entryKind.extensionMin + 35,
  /** `{ namespace, name }`: a queue or topic is gone, and every binding to it. */
  queueGone: entryKind.extensionMin + 36,
  /** `{ namespace }`: all its exchanges and bindings. */
  namespaceDeleted: entryKind.extensionMin + 37,
  /** `{ namespace, name, attributes }`: all attributes of an exchange, in place of those that it had. */
  exchangeConfigured: entryKind.extensionMin + 38,
  /** The last kind that is reserved for them. */
  last: entryKind.extensionMin + 63,
} as const;

export interface StoredExchange {
  namespace: string;
  name: string;
  kind: Exchange['kind'];
  isDelayed?: boolean;
  isAutoDelete?: boolean;
  isInternal?: boolean;
  alternate?: string;
  arguments?: StoredFields;
  attributes?: Record<string, string>;
}

/** Destination's kind (`q` or `e`) and name, key, and the arguments where there are any. */
export type StoredBinding = readonly [
  kind: 'q' | 'e',
  destination: string,
  key: string,
  routeArguments?: StoredFields,
];

export function storeExchange(exchange: Exchange): StoredExchange {
  return {
    namespace: exchange.namespace,
    name: exchange.name,
    kind: exchange.kind,
    ...(exchange.isDelayed ? { isDelayed: true } : {}),
    ...(exchange.isAutoDelete ? { isAutoDelete: true } : {}),
    ...(exchange.isInternal ? { isInternal: true } : {}),
    ...(exchange.alternate === undefined ? {} : { alternate: exchange.alternate }),
    ...(isEmpty(exchange.arguments) ? {} : { arguments: storeFields(exchange.arguments) }),
    ...(isEmpty(exchange.attributes) ? {} : { attributes: { ...exchange.attributes } }),
  };
}

export function loadExchange(stored: StoredExchange): Exchange {
  return {
    namespace: stored.namespace,
    name: stored.name,
    kind: stored.kind,
    isDelayed: stored.isDelayed ?? false,
    lifetime: 'durable',
    isAutoDelete: stored.isAutoDelete ?? false,
    isInternal: stored.isInternal ?? false,
    alternate: stored.alternate,
    arguments: loadFields(stored.arguments ?? {}),
    attributes: stored.attributes ?? {},
  };
}

/** Equal bindings of one exchange have equal JSON of it. */
export function storeBinding(binding: Omit<Binding, 'namespace' | 'source'>): StoredBinding {
  const { destination, key } = binding;
  const kind = destination.kind === 'queue' ? 'q' : 'e';
  return isEmpty(binding.arguments)
    ? [kind, destination.name, key]
    : [kind, destination.name, key, storeFields(binding.arguments)];
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
