import type { Random } from '../../base/index.ts';
import {
  DirectTable,
  FanoutTable,
  type Fields,
  HashTable,
  HeadersTable,
  ModulusTable,
  RandomTable,
  type Route,
  type RouteTable,
  type RouteTarget,
  TopicTable,
} from '../../routing/index.ts';
import type { Binding, Exchange, ExchangeKind } from '../ports/index.ts';
import { BindingBlocks } from './binding-blocks.ts';
import { RememberedRoutes } from './route-cache.ts';

/** Where a binding may lead. */
export type Target = QueueTarget | ExchangeState;

/** The name of a queue or topic that something is bound to; what has that name is looked up when a message comes. */
export class QueueTarget implements RouteTarget {
  readonly kind = 'queue';
  readonly namespace: string;
  readonly name: string;
  readonly id: string;
  readonly incoming = new Set<BindingState>();

  constructor(namespace: string, name: string) {
    this.namespace = namespace;
    this.name = name;
    this.id = `queue/${name}`;
  }
}

export class ExchangeState implements Exchange, RouteTarget {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly kind: ExchangeKind;
  readonly isDelayed: boolean;
  readonly lifetime: 'durable' | 'temporary';
  readonly isAutoDelete: boolean;
  readonly isInternal: boolean;
  readonly alternate: string | undefined;
  readonly arguments: Fields;
  attributes: Readonly<Record<string, string>>;
  readonly isBuiltIn: boolean;
  /** Routes to the queue, or topic, of the key's name; has no bindings. */
  readonly isDefault: boolean;
  isDeleted = false;
  /** Bindings from it, by the text of what they are. */
  readonly bindings = new Map<string, BindingState>();
  /** Bindings to it. */
  readonly incoming = new Set<BindingState>();
  readonly table: RouteTable<Target>;
  readonly routes = new RememberedRoutes();
  /** Its durable bindings as a snapshot has them. */
  readonly blocks = new BindingBlocks();

  constructor(exchange: Exchange, random: Random, isBuiltIn: boolean) {
    this.id = `exchange/${exchange.name}`;
    this.namespace = exchange.namespace;
    this.name = exchange.name;
    this.kind = exchange.kind;
    this.isDelayed = exchange.isDelayed;
    this.lifetime = exchange.lifetime;
    this.isAutoDelete = exchange.isAutoDelete;
    this.isInternal = exchange.isInternal;
    this.alternate = exchange.alternate;
    this.arguments = exchange.arguments;
    this.attributes = exchange.attributes;
    this.isBuiltIn = isBuiltIn;
    this.isDefault = exchange.name === '';
    this.table = createTable(exchange, random);
  }
}

export class BindingState implements Route<Target> {
  readonly exchange: ExchangeState;
  readonly target: Target;
  readonly key: string;
  readonly arguments: Fields;
  /** JSON of its StoredBinding. */
  readonly text: string;
  readonly isDurable: boolean;
  /** The block of the snapshot that it is in. */
  block = -1;

  constructor(parts: {
    exchange: ExchangeState;
    target: Target;
    key: string;
    arguments: Fields;
    text: string;
    isDurable: boolean;
  }) {
    this.exchange = parts.exchange;
    this.target = parts.target;
    this.key = parts.key;
    this.arguments = parts.arguments;
    this.text = parts.text;
    this.isDurable = parts.isDurable;
  }

  describe(): Binding {
    const { exchange, target } = this;
    return {
      namespace: exchange.namespace,
      source: exchange.name,
      destination: {
        kind: target instanceof QueueTarget ? 'queue' : 'exchange',
        name: target.name,
      },
      key: this.key,
      arguments: this.arguments,
    };
  }
}

function createTable(exchange: Exchange, random: Random): RouteTable<Target> {
  switch (exchange.kind) {
    case 'direct':
      return new DirectTable();
    case 'fanout':
      return new FanoutTable();
    case 'topic':
      return new TopicTable();
    case 'headers':
      return new HeadersTable();
    case 'consistent-hash':
      return new HashTable({
        header: textArgument(exchange.arguments, 'hash-header'),
        property: textArgument(exchange.arguments, 'hash-property'),
      });
    case 'modulus-hash':
      return new ModulusTable();
    case 'random':
      break;
  }
  return new RandomTable(random);
}

function textArgument(given: Fields, name: string): string | undefined {
  const value = given[name];
  return typeof value === 'string' ? value : undefined;
}
