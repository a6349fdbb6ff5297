import { BrokerError, limits, present, type Random } from '../../base/index.ts';
import type { StateExtension } from '../../shard/index.ts';
import type {
  AlternateSource,
  Binding,
  Exchange,
  ExchangesPort,
  RoutingFacts,
} from '../ports/index.ts';
import type { Topic } from '../types.ts';
import { type BuiltInExchanges, builtInExchanges } from './built-in-exchanges.ts';
import {
  type BindingState,
  ExchangeState,
  type QueueTarget,
  type Target,
} from './exchange-state.ts';
import { Router } from './router.ts';
import {
  loadExchange,
  storeBinding,
  type StoredBinding,
  type StoredExchange,
  storeExchange,
  topologyEntryKind,
} from './stored-topology.ts';
import { TopologyState } from './topology-state.ts';

/** What bindings lead to. */
export interface Destinations {
  /** Grows whenever `findTopic` may answer something else for a name. */
  readonly version: number;
  /** The topic of a queue, or a topic that is no queue. */
  findTopic(namespace: string, name: string): Topic | undefined;
  /** Whether it outlives a restart; undefined where there is none. */
  findLifetime(namespace: string, name: string): 'durable' | 'temporary' | undefined;
}

/** Of the first shard. */
export interface TopologyJournal {
  submit(kind: number, payload: Uint8Array): Promise<void>;
  barrier(): Promise<void>;
}

export interface TopologyParts {
  random: Random;
  destinations: Destinations;
  /** Default: those that clients know. */
  builtIn?: BuiltInExchanges;
  routeCacheBytesMax?: number;
}

/**
 * Exchanges and bindings. What is durable is state of the first shard; temporary exchanges, and bindings from or to
 * something temporary, are only in memory, and outlive a recovery of the storage but not the process.
 */
export class Topology implements ExchangesPort, StateExtension {
  readonly name = 'topology';
  readonly #destinations: Destinations;
  readonly #state: TopologyState;
  readonly #router: Router;
  #journal: TopologyJournal | undefined;
  /** What was temporary when a recovery began, until `link`. */
  #carried: ReturnType<TopologyState['temporary']> = { exchanges: [], bindings: [] };

  constructor(parts: TopologyParts) {
    this.#destinations = parts.destinations;
    this.#state = new TopologyState(parts.random, parts.builtIn ?? builtInExchanges);
    this.#router = new Router(this.#state, parts.destinations, parts.routeCacheBytesMax);
  }

  /** Gives it the shard that journals its entries. */
  attach(journal: TopologyJournal): void {
    this.#journal = journal;
  }

  // ExchangesPort

  get version(): number {
    return this.#router.version;
  }

  find(namespace: string, name: string): Exchange | undefined {
    return this.#state.find(namespace, name);
  }

  list(namespace?: string): Exchange[] {
    const names = namespace === undefined ? this.#state.namespaceNames() : [namespace];
    return names.flatMap((name) => this.#state.list(name));
  }

  async declare(exchange: Exchange): Promise<{ exchange: Exchange; isNew: boolean }> {
    const { namespace, name } = exchange;
    const known = this.#state.find(namespace, name);
    if (known !== undefined) {
      await this.#settled(known.lifetime === 'durable' && !known.isBuiltIn);
      return { exchange: known, isNew: false };
    }
    if (this.#state.exchangeCount >= limits.exchangesMax) {
      throw new BrokerError(
        'policy-refused',
        `a broker has at most ${limits.exchangesMax} exchanges`,
      );
    }
    checkName('exchange', name);
    if (exchange.alternate !== undefined) checkName('alternate exchange', exchange.alternate);
    const stored = storeExchange(exchange);
    checkArguments(JSON.stringify(stored.arguments ?? {}));
    let durable: Promise<void> | undefined;
    // What is kept is a copy that nobody else can change.
    if (exchange.lifetime === 'durable') {
      durable = this.#submit(topologyEntryKind.exchangeDeclared, stored);
    } else this.#state.addExchange({ ...loadExchange(stored), lifetime: 'temporary' });
    const made = this.#state.find(namespace, name);
    await durable;
    // Where it was not applied at once the shard took nothing, and said so.
    return { exchange: present(made, 'an exchange that was stored'), isNew: true };
  }

  async configure(
    namespace: string,
    name: string,
    attributes: Readonly<Record<string, string | undefined>>,
  ): Promise<void> {
    const exchange = this.#getExchange(namespace, name);
    if (exchange.isBuiltIn) throw new BrokerError('exchange-built-in', name);
    const merged: Record<string, string> = {};
    for (const [key, value] of Object.entries({ ...exchange.attributes, ...attributes })) {
      if (value !== undefined) merged[key] = value;
    }
    checkArguments(JSON.stringify(merged));
    if (exchange.lifetime === 'durable') {
      const entry = { namespace, name, attributes: merged };
      await this.#submit(topologyEntryKind.exchangeConfigured, entry);
    } else this.#state.configure(exchange, merged);
  }

  async delete(
    namespace: string,
    name: string,
    conditions: { ifUnused?: boolean } = {},
  ): Promise<void> {
    const exchange = this.#getExchange(namespace, name);
    if (exchange.isBuiltIn) throw new BrokerError('exchange-built-in', name);
    if (conditions.ifUnused === true && exchange.bindings.size > 0) {
      throw new BrokerError('exchange-in-use', name);
    }
    await Promise.all(this.#deleteExchanges([exchange]));
  }

  async bind(binding: Binding): Promise<boolean> {
    const { namespace, destination } = binding;
    const source = this.#getExchange(namespace, binding.source);
    const lifetime = this.#getLifetime(namespace, destination);
    if (source.isDefault || (destination.kind === 'exchange' && destination.name === '')) {
      throw new BrokerError('exchange-built-in', 'the default exchange has no bindings of its own');
    }
    const stored = storeBinding(binding);
    const text = JSON.stringify(stored);
    const isDurable = source.lifetime === 'durable' && lifetime === 'durable';
    const known = source.bindings.get(text);
    if (known !== undefined) {
      await this.#settled(known.isDurable);
      return false;
    }
    checkKey(binding.key);
    checkArguments(JSON.stringify(stored[3] ?? {}));
    source.table.check(binding.key, binding.arguments);
    if (this.#state.bindingCount >= limits.bindingsMax) {
      throw new BrokerError(
        'policy-refused',
        `a broker has at most ${limits.bindingsMax} bindings`,
      );
    }
    if (isDurable) {
      await this.#submit(topologyEntryKind.bound, [namespace, source.name, ...stored]);
    } else this.#state.addBinding(namespace, source.name, stored, false);
    return true;
  }

  async unbind(binding: Binding): Promise<boolean> {
    const source = this.#state.find(binding.namespace, binding.source);
    const known = source?.bindings.get(JSON.stringify(storeBinding(binding)));
    if (source === undefined || known === undefined) return false;
    const durable: Array<Promise<void>> = [];
    if (known.isDurable) {
      const entry = [source.namespace, source.name, ...storeBinding(binding)];
      durable.push(this.#submit(topologyEntryKind.unbound, entry));
    } else this.#state.removeBinding(known);
    durable.push(...this.#deleteExchanges(findForsaken([source])));
    await Promise.all(durable);
    return true;
  }

  listBindings(filter: {
    namespace?: string;
    source?: string;
    destination?: Binding['destination'];
  }): Binding[] {
    const { namespace, source, destination } = filter;
    const names = namespace === undefined ? this.#state.namespaceNames() : [namespace];
    const found: Binding[] = [];
    for (const name of names) {
      if (destination !== undefined) {
        for (const binding of this.#findTarget(name, destination)?.incoming ?? []) {
          if (source === undefined || binding.exchange.name === source) {
            found.push(binding.describe());
          }
        }
      } else {
        for (const exchange of this.#state.list(name)) {
          if (source !== undefined && exchange.name !== source) continue;
          for (const binding of exchange.bindings.values()) found.push(binding.describe());
        }
      }
    }
    return found;
  }

  route(exchange: Exchange, facts: RoutingFacts): readonly Topic[] {
    const current =
      exchange instanceof ExchangeState && !exchange.isDeleted
        ? exchange
        : this.#state.find(exchange.namespace, exchange.name);
    return current === undefined ? nowhere : this.#router.route(current, facts);
  }

  useAlternates(source: AlternateSource): void {
    this.#router.useAlternates(source);
  }

  // What the broker tells it.

  /** A namespace was made: its built-in exchanges are there. */
  openNamespace(name: string): void {
    this.#state.openNamespace(name);
  }

  /** A namespace goes, with all its exchanges and bindings. Durable when it resolves. */
  async deleteNamespace(name: string): Promise<void> {
    await this.#submit(topologyEntryKind.namespaceDeleted, { namespace: name });
  }

  /**
   * A queue or topic is gone: nothing is bound to it any more, and exchanges that are deleted with their last binding go.
   * Durable when it resolves.
   */
  async forgetDestination(namespace: string, name: string): Promise<void> {
    const queue = this.#state.findQueue(namespace, name);
    if (queue !== undefined) await Promise.all(this.#forget(queue));
  }

  /**
   * After recovery, when queues and topics are known: temporary exchanges and bindings are there again, and bindings to
   * what a crash left without a queue go. Resolves when that is durable.
   */
  async link(): Promise<void> {
    const carried = this.#carried;
    this.#carried = { exchanges: [], bindings: [] };
    for (const exchange of carried.exchanges) this.#state.addExchange(exchange);
    for (const binding of carried.bindings) {
      this.#state.addBinding(binding.namespace, binding.source, storeBinding(binding), false);
    }
    const durable: Array<Promise<void>> = [];
    for (const namespace of this.#state.namespaceNames()) {
      for (const queue of this.#state.queues(namespace)) {
        if (this.#destinations.findLifetime(namespace, queue.name) === undefined) {
          durable.push(...this.#forget(queue));
        }
      }
    }
    await Promise.all(durable);
  }

  // StateExtension

  owns(kind: number): boolean {
    return kind >= topologyEntryKind.exchangeDeclared && kind <= topologyEntryKind.last;
  }

  apply(kind: number, payload: Uint8Array): void {
    const entry: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    // The casts below name what an entry of the kind was made from.
    switch (kind) {
      case topologyEntryKind.exchangeDeclared:
        this.#state.addExchange(loadExchange(entry as StoredExchange));
        break;
      case topologyEntryKind.exchangeConfigured: {
        const { namespace, name, attributes } = entry as StoredExchange & {
          attributes: Record<string, string>;
        };
        const exchange = this.#state.find(namespace, name);
        if (exchange !== undefined) this.#state.configure(exchange, attributes);
        break;
      }
      case topologyEntryKind.exchangeDeleted: {
        const { namespace, name } = entry as { namespace: string; name: string };
        const exchange = this.#state.find(namespace, name);
        if (exchange !== undefined) this.#state.removeExchange(exchange);
        break;
      }
      case topologyEntryKind.bound: {
        const [namespace, source, ...stored] = entry as [string, string, ...StoredBinding];
        this.#state.addBinding(namespace, source, stored, true);
        break;
      }
      case topologyEntryKind.unbound: {
        const [namespace, source, ...stored] = entry as [string, string, ...StoredBinding];
        const exchange = this.#state.find(namespace, source);
        const binding = exchange?.bindings.get(JSON.stringify(stored));
        if (binding !== undefined) this.#state.removeBinding(binding);
        break;
      }
      case topologyEntryKind.queueGone: {
        const { namespace, name } = entry as { namespace: string; name: string };
        const queue = this.#state.findQueue(namespace, name);
        if (queue !== undefined) this.#state.removeQueue(queue);
        break;
      }
      case topologyEntryKind.namespaceDeleted:
        this.#state.removeNamespace((entry as { namespace: string }).namespace);
        break;
      default:
        throw new Error(`an entry of exchanges has the unknown kind ${kind}`);
    }
  }

  encode(): Uint8Array {
    return this.#state.encode();
  }

  restore(state: Uint8Array | undefined): void {
    const { exchanges, bindings } = this.#state.temporary();
    // A recovery may fail and begin again before `link`.
    this.#carried.exchanges.push(...exchanges);
    this.#carried.bindings.push(...bindings);
    this.#state.restore(state);
  }

  /** Removes exchanges, and those that their going leaves without a binding though they should not outlive the last. */
  #deleteExchanges(first: readonly ExchangeState[]): Array<Promise<void>> {
    const durable: Array<Promise<void>> = [];
    const work = [...first];
    for (let exchange = work.pop(); exchange !== undefined; exchange = work.pop()) {
      if (exchange.isDeleted) continue;
      const sources = findSources(exchange);
      const { namespace, name } = exchange;
      if (exchange.lifetime === 'durable') {
        durable.push(this.#submit(topologyEntryKind.exchangeDeleted, { namespace, name }));
      } else this.#state.removeExchange(exchange);
      work.push(...findForsaken(sources));
    }
    return durable;
  }

  #forget(queue: QueueTarget): Array<Promise<void>> {
    const { namespace, name } = queue;
    const sources = findSources(queue);
    const durable: Array<Promise<void>> = [];
    if ([...queue.incoming].some(({ isDurable }) => isDurable)) {
      durable.push(this.#submit(topologyEntryKind.queueGone, { namespace, name }));
    } else this.#state.removeQueue(queue);
    durable.push(...this.#deleteExchanges(findForsaken(sources)));
    return durable;
  }

  #getExchange(namespace: string, name: string): ExchangeState {
    const exchange = this.#state.find(namespace, name);
    if (exchange === undefined) throw new BrokerError('exchange-not-found', name);
    return exchange;
  }

  #getLifetime(namespace: string, destination: Binding['destination']): 'durable' | 'temporary' {
    if (destination.kind === 'exchange') {
      return this.#getExchange(namespace, destination.name).lifetime;
    }
    const lifetime = this.#destinations.findLifetime(namespace, destination.name);
    if (lifetime === undefined) throw new BrokerError('queue-not-found', destination.name);
    return lifetime;
  }

  #findTarget(namespace: string, destination: Binding['destination']): Target | undefined {
    return destination.kind === 'queue'
      ? this.#state.findQueue(namespace, destination.name)
      : this.#state.find(namespace, destination.name);
  }

  /** What is there already may still be on its way to the disk. */
  async #settled(isDurable: boolean): Promise<void> {
    if (isDurable) await this.#journal?.barrier();
  }

  #submit(kind: number, entry: unknown): Promise<void> {
    if (this.#journal === undefined) throw new Error('the topology was not attached to its shard');
    return this.#journal.submit(kind, Buffer.from(JSON.stringify(entry), 'utf8'));
  }
}

const nowhere: readonly Topic[] = Object.freeze([]);

function findSources(target: Target): ExchangeState[] {
  return [...new Set([...target.incoming].map((binding: BindingState) => binding.exchange))];
}

function findForsaken(exchanges: readonly ExchangeState[]): ExchangeState[] {
  return exchanges.filter(
    ({ isAutoDelete, isDeleted, bindings }) => isAutoDelete && !isDeleted && bindings.size === 0,
  );
}

function checkName(what: string, name: string): void {
  if (name.length > limits.exchangeNameCharsMax) {
    throw new BrokerError(
      'config-invalid',
      `the name of an ${what} has at most ${limits.exchangeNameCharsMax} characters`,
    );
  }
}

function checkKey(key: string): void {
  if (key.length > limits.bindingKeyCharsMax) {
    throw new BrokerError(
      'config-invalid',
      `a binding key has at most ${limits.bindingKeyCharsMax} characters`,
    );
  }
}

function checkArguments(text: string): void {
  if (Buffer.byteLength(text) > limits.bindingArgumentsBytesMax) {
    throw new BrokerError(
      'config-invalid',
      `arguments take at most ${limits.bindingArgumentsBytesMax} bytes`,
    );
  }
}
