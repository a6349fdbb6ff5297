import type { Route, RouteFacts, RouteTable, RouteTarget } from './route-table.ts';
import { TargetBag } from './target-bag.ts';

/** Every message goes everywhere. */
export class FanoutTable<T extends RouteTarget> implements RouteTable<T> {
  readonly isKeyOnly = true;
  readonly #targets = new TargetBag<T>();

  check(): void {
    // Keys and arguments mean nothing here.
  }

  add(route: Route<T>): void {
    this.#targets.add(route.target);
  }

  remove(route: Route<T>): void {
    this.#targets.remove(route.target);
  }

  match(_facts: RouteFacts, found: Set<T>): void {
    this.#targets.collect(found);
  }
}
