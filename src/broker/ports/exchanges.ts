import type { Fields, FieldValue } from '../../message/index.ts';
import type { Topic } from '../types.ts';

export type { Fields, FieldValue };

export type ExchangeKind =
  | 'direct'
  | 'fanout'
  | 'topic'
  | 'headers'
  | 'consistent-hash'
  | 'modulus-hash'
  | 'random';

export interface Exchange {
  readonly namespace: string;
  /** '' is the default exchange, which routes to the queue, or topic, whose name is the key. */
  readonly name: string;
  readonly kind: ExchangeKind;
  /** Messages may say how long they wait before they are routed. */
  readonly isDelayed: boolean;
  readonly lifetime: 'durable' | 'temporary';
  readonly isAutoDelete: boolean;
  /** Only other exchanges may publish to it. */
  readonly isInternal: boolean;
  /** Gets what finds no destination here. */
  readonly alternate: string | undefined;
  /** As they were declared; the consistent-hash exchange reads `hash-header` and `hash-property` from them. */
  readonly arguments: Fields;
  /** Settings that only a door understands, kept for it. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Binding {
  readonly namespace: string;
  readonly source: string;
  readonly destination: { readonly kind: 'queue' | 'exchange'; readonly name: string };
  readonly key: string;
  readonly arguments: Fields;
}

/** What a message is routed by. Both are asked only where an exchange needs them. */
export interface RoutingFacts {
  /** Routing keys: the message's own first, then those of copies. */
  readonly keys: readonly string[];
  headers(): Fields;
  /** `message-id`, `correlation-id`, `timestamp`: for the consistent-hash exchange. */
  property(name: string): string | undefined;
}

export interface ExchangesPort {
  /** Grows with every change: what was looked up before may be different now. */
  readonly version: number;
  find(namespace: string, name: string): Exchange | undefined;
  list(namespace?: string): Exchange[];
  /**
   * Answers one that exists as it is, unchanged. Durable exchanges are durable when this resolves. Rejects: config-invalid,
   * policy-refused (the broker has too many).
   */
  declare(exchange: Exchange): Promise<{ exchange: Exchange; isNew: boolean }>;
  /** Merges attributes; an undefined value removes one. Rejects: exchange-not-found, exchange-built-in, config-invalid (size). */
  configure(
    namespace: string,
    name: string,
    attributes: Readonly<Record<string, string | undefined>>,
  ): Promise<void>;
  /** Rejects: exchange-not-found, exchange-in-use (`ifUnused`), exchange-built-in. */
  delete(namespace: string, name: string, conditions?: { ifUnused?: boolean }): Promise<void>;
  /**
   * False when it was there before. Durable when this resolves, unless one of its ends is temporary. Rejects:
   * exchange-not-found, queue-not-found, exchange-built-in (the default exchange), config-invalid (sizes, a weight that is
   * none), filter-invalid (headers that cannot be matched), policy-refused (the broker has too many).
   */
  bind(binding: Binding): Promise<boolean>;
  /** False when there was none. */
  unbind(binding: Binding): Promise<boolean>;
  listBindings(filter: {
    namespace?: string;
    source?: string;
    destination?: Binding['destination'];
  }): Binding[];
  /**
   * The topics (queues) that a message goes to, each once. The array is borrowed and may be shared by later calls: it is
   * the same object for the same facts while `version` stays, where the exchange looks at keys only.
   */
  route(exchange: Exchange, facts: RoutingFacts): readonly Topic[];
  /** Of several sources the last counts. */
  useAlternates(source: AlternateSource): void;
}

/** Who understands policies says which alternate they give an exchange that was declared without one. */
export interface AlternateSource {
  /** Grows whenever `findAlternate` may answer something else. */
  readonly version: number;
  findAlternate(exchange: Exchange): string | undefined;
}
