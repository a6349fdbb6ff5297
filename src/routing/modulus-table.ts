import { keyHash } from '../bytes/index.ts';
import type { Route, RouteFacts, RouteTable, RouteTarget } from './route-table.ts';

/**
 * Each message goes along one route, the same for the same keys as long as the routes stay: the hash of its keys, modulo
 * the number of routes, counted in the order of their targets' ids. What the routes say means nothing.
 */
export class ModulusTable<T extends RouteTarget> implements RouteTable<T> {
  readonly isKeyOnly = true;
  readonly #routes = new Set<Route<T>>();
  /** In order; undefined until it is needed again after a change. */
  #targets: T[] | undefined;

  check(): void {
    // Keys and arguments mean nothing here.
  }

  add(route: Route<T>): void {
    this.#routes.add(route);
    this.#targets = undefined;
  }

  remove(route: Route<T>): void {
    this.#routes.delete(route);
    this.#targets = undefined;
  }

  match({ keys }: RouteFacts, found: Set<T>): void {
    if (this.#routes.size === 0) return;
    const targets = (this.#targets ??= this.#sort());
    // The lengths keep `a` and `bc` apart from `ab` and `c`.
    const text = keys.length === 1 ? keys[0]! : keys.map((key) => `${key.length}:${key}`).join('');
    const target = targets[(keyHash(Buffer.from(text, 'utf8')) >>> 0) % targets.length];
    if (target !== undefined) found.add(target);
  }

  #sort(): T[] {
    const targets = Array.from(this.#routes, ({ target }) => target);
    return targets.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  }
}
