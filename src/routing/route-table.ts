import type { Fields } from './field-value.ts';

/** Where routes lead. The id is what a ring is built from: the same target has the same id for ever. */
export interface RouteTarget {
  readonly id: string;
}

/** One binding as a table sees it. */
export interface Route<T extends RouteTarget> {
  readonly target: T;
  readonly key: string;
  readonly arguments: Fields;
}

/** What a message is routed by. Everything but the keys is asked only where a table needs it. */
export interface RouteFacts {
  /** The message's own key first, then those of copies; may be empty. */
  readonly keys: readonly string[];
  headers(): Fields;
  property(name: string): string | undefined;
}

/**
 * The bindings of one exchange, found by what a message says. A target that several routes lead to is found once.
 * Routes are told apart by the caller: what is added twice must be removed twice.
 */
export interface RouteTable<T extends RouteTarget> {
  /** The answer depends on the keys alone, so that it may be kept for them. */
  readonly isKeyOnly: boolean;
  /** Throws filter-invalid or config-invalid for a route that this table cannot have; nothing is changed. */
  check(key: string, routeArguments: Fields): void;
  /** The route has passed `check`. */
  add(route: Route<T>): void;
  /** The very route that was added. */
  remove(route: Route<T>): void;
  /** Adds every target that the message goes to. */
  match(facts: RouteFacts, found: Set<T>): void;
}
