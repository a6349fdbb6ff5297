import type { Random } from '../base/index.ts';
import type { Route, RouteFacts, RouteTable, RouteTarget } from './route-table.ts';

/** Each message goes along one route, any of them. */
export class RandomTable<T extends RouteTarget> implements RouteTable<T> {
  readonly isKeyOnly = false;
  readonly #random: Random;
  readonly #routes: Array<Route<T>> = [];
  readonly #places = new Map<Route<T>, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  check(): void {
    // Keys and arguments mean nothing here.
  }

  add(route: Route<T>): void {
    this.#places.set(route, this.#routes.length);
    this.#routes.push(route);
  }

  /** The last route takes the place of the one that goes. */
  remove(route: Route<T>): void {
    const place = this.#places.get(route);
    if (place === undefined) return;
    this.#places.delete(route);
    const last = this.#routes.pop();
    if (last === undefined || last === route) return;
    this.#routes[place] = last;
    this.#places.set(last, place);
  }

  match(_facts: RouteFacts, found: Set<T>): void {
    if (this.#routes.length === 0) return;
    const route = this.#routes[this.#random.nextInt(this.#routes.length)];
    if (route !== undefined) found.add(route.target);
  }
}
