import type { Route, RouteFacts, RouteTable, RouteTarget } from './route-table.ts';
import { TargetBag } from './target-bag.ts';

/** A message goes where the binding's key is one of its own. */
export class DirectTable<T extends RouteTarget> implements RouteTable<T> {
  readonly isKeyOnly = true;
  readonly #byKey = new Map<string, TargetBag<T>>();

  check(): void {
    // Any key will do.
  }

  add(route: Route<T>): void {
    let bag = this.#byKey.get(route.key);
    if (bag === undefined) {
      bag = new TargetBag();
      this.#byKey.set(route.key, bag);
    }
    bag.add(route.target);
  }

  remove(route: Route<T>): void {
    const bag = this.#byKey.get(route.key);
    bag?.remove(route.target);
    if (bag?.isEmpty === true) this.#byKey.delete(route.key);
  }

  match(facts: RouteFacts, found: Set<T>): void {
    for (const key of facts.keys) this.#byKey.get(key)?.collect(found);
  }
}
