import type { AlternateSource, RoutingFacts } from '../ports/index.ts';
import type { Topic } from '../types.ts';
import { ExchangeState, type Target } from './exchange-state.ts';
import { RouteCache } from './route-cache.ts';
import type { Destinations } from './topology.ts';
import type { TopologyState } from './topology-state.ts';

/**
 * Finds the topics that a message goes to: through exchanges that are bound to exchanges, each looked at once, and to
 * the alternates of those where nothing matches.
 */
export class Router {
  readonly #state: TopologyState;
  readonly #destinations: Destinations;
  readonly #cache: RouteCache;
  #alternates: AlternateSource | undefined;
  #formerVersions = 0;
  // Filled anew by each message; the results of a search are never kept in them.
  readonly #seen = new Set<ExchangeState>();
  readonly #matched = new Set<Target>();
  readonly #topics = new Set<Topic>();

  constructor(state: TopologyState, destinations: Destinations, cacheBytesMax?: number) {
    this.#state = state;
    this.#destinations = destinations;
    this.#cache = new RouteCache(cacheBytesMax);
  }

  get version(): number {
    const own = this.#state.version + this.#destinations.version + this.#formerVersions;
    return this.#alternates === undefined ? own : own + this.#alternates.version;
  }

  useAlternates(source: AlternateSource): void {
    // The sum must not fall back to what it was.
    this.#formerVersions += (this.#alternates?.version ?? 0) + 1;
    this.#alternates = source;
  }

  route(start: ExchangeState, facts: RoutingFacts): readonly Topic[] {
    const { keys } = facts;
    const cached = this.#cache.find(start.routes, keys, this.version);
    return cached ?? this.#search(start, facts);
  }

  #search(start: ExchangeState, facts: RoutingFacts): readonly Topic[] {
    this.#topics.clear();
    this.#seen.clear();
    this.#seen.add(start);
    let isKeyOnly = true;
    let usesKeys = false;
    // A set may grow while it is walked: exchanges that are found on the way come behind.
    for (const exchange of this.#seen) {
      isKeyOnly &&= exchange.table.isKeyOnly;
      usesKeys ||= exchange.kind !== 'fanout';
      const isRouted = exchange.isDefault
        ? this.#followKeys(exchange, facts.keys)
        : this.#followBindings(exchange, facts);
      const alternate = isRouted ? undefined : this.#findAlternate(exchange);
      if (alternate !== undefined) this.#seen.add(alternate);
    }
    const topics = [...this.#topics];
    this.#topics.clear();
    this.#seen.clear();
    if (isKeyOnly) this.#cache.remember(start.routes, facts.keys, usesKeys, topics);
    return topics;
  }

  #findAlternate(exchange: ExchangeState): ExchangeState | undefined {
    // What was declared counts before what a policy gives.
    const name = exchange.alternate ?? this.#alternates?.findAlternate(exchange);
    return name === undefined ? undefined : this.#state.find(exchange.namespace, name);
  }

  #followKeys(exchange: ExchangeState, keys: readonly string[]): boolean {
    let isRouted = false;
    for (const key of keys) {
      const topic = this.#destinations.findTopic(exchange.namespace, key);
      if (topic === undefined) continue;
      this.#topics.add(topic);
      isRouted = true;
    }
    return isRouted;
  }

  #followBindings(exchange: ExchangeState, facts: RoutingFacts): boolean {
    let isRouted = false;
    this.#matched.clear();
    exchange.table.match(facts, this.#matched);
    for (const target of this.#matched) {
      if (target instanceof ExchangeState) {
        this.#seen.add(target);
        isRouted = true;
        continue;
      }
      const topic = this.#destinations.findTopic(target.namespace, target.name);
      if (topic === undefined) continue;
      this.#topics.add(topic);
      isRouted = true;
    }
    this.#matched.clear();
    return isRouted;
  }
}
