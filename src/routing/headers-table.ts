import type { Fields, FieldValue } from './field-value.ts';
import { type HeaderMatch, matchesHeaders, parseHeaderMatch } from './header-match.ts';
import type { Route, RouteFacts, RouteTable, RouteTarget } from './route-table.ts';

interface Entry<T> {
  readonly target: T;
  readonly match: HeaderMatch;
  /** Where it is looked for: header and text of its value; undefined text: the header is there. */
  readonly places: ReadonlyArray<{ readonly name: string; readonly text: string | undefined }>;
}

interface Bucket<T> {
  /** Entries that ask only for the header. */
  readonly present: Set<Entry<T>>;
  readonly byText: Map<string, Set<Entry<T>>>;
}

/**
 * A message goes where its headers are what the binding's arguments say. Bindings are found by one of their conditions
 * (`all`; the one that fewest others share) or by each of them (`any`), so that a message looks only at those with
 * which it has a header and its value in common.
 */
export class HeadersTable<T extends RouteTarget> implements RouteTable<T> {
  readonly isKeyOnly = false;
  readonly #entries = new Map<Route<T>, Entry<T>>();
  readonly #buckets = new Map<string, Bucket<T>>();
  /** Those with nothing to look for that match everything. */
  readonly #always = new Set<Entry<T>>();
  #visits = 0;

  /** Bindings that all matches so far have looked at. */
  get visits(): number {
    return this.#visits;
  }

  check(_key: string, routeArguments: Fields): void {
    parseHeaderMatch(routeArguments);
  }

  add(route: Route<T>): void {
    const match = parseHeaderMatch(route.arguments);
    const conditions = match.conditions.map(([name, value]) => ({ name, text: textOf(value) }));
    const places = match.mode === 'any' ? conditions : this.#rarest(conditions);
    const entry: Entry<T> = { target: route.target, match, places };
    this.#entries.set(route, entry);
    for (const place of places) this.#findOrAddSet(place.name, place.text).add(entry);
    if (match.mode === 'all' && places.length === 0) this.#always.add(entry);
  }

  remove(route: Route<T>): void {
    const entry = this.#entries.get(route);
    if (entry === undefined) return;
    this.#entries.delete(route);
    this.#always.delete(entry);
    for (const { name, text } of entry.places) {
      const bucket = this.#buckets.get(name);
      if (bucket === undefined) continue;
      if (text === undefined) bucket.present.delete(entry);
      else {
        const set = bucket.byText.get(text);
        set?.delete(entry);
        if (set?.size === 0) bucket.byText.delete(text);
      }
      if (bucket.present.size === 0 && bucket.byText.size === 0) this.#buckets.delete(name);
    }
  }

  match(facts: RouteFacts, found: Set<T>): void {
    for (const entry of this.#always) found.add(entry.target);
    this.#visits += this.#always.size;
    if (this.#buckets.size === 0) return;
    const headers = facts.headers();
    for (const name of Object.keys(headers)) {
      const bucket = this.#buckets.get(name);
      const value = headers[name];
      if (bucket === undefined || value === undefined) continue;
      this.#look(bucket.present, headers, found);
      const text = textOf(value);
      if (text !== undefined) this.#look(bucket.byText.get(text), headers, found);
    }
  }

  #look(entries: Set<Entry<T>> | undefined, headers: Fields, found: Set<T>): void {
    if (entries === undefined) return;
    for (const entry of entries) {
      this.#visits++;
      if (!found.has(entry.target) && matchesHeaders(entry.match, headers)) found.add(entry.target);
    }
  }

  #rarest(conditions: Entry<T>['places']): Entry<T>['places'] {
    let best: Entry<T>['places'][number] | undefined;
    let bestSize = Number.POSITIVE_INFINITY;
    for (const place of conditions) {
      const bucket = this.#buckets.get(place.name);
      // A value says more than that the header is there.
      const size =
        place.text === undefined
          ? (bucket?.present.size ?? 0) + 0.5
          : (bucket?.byText.get(place.text)?.size ?? 0);
      if (size < bestSize) [best, bestSize] = [place, size];
    }
    return best === undefined ? [] : [best];
  }

  #findOrAddSet(name: string, text: string | undefined): Set<Entry<T>> {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = { present: new Set(), byText: new Map() };
      this.#buckets.set(name, bucket);
    }
    if (text === undefined) return bucket.present;
    let set = bucket.byText.get(text);
    if (set === undefined) {
      set = new Set();
      bucket.byText.set(text, set);
    }
    return set;
  }
}

/** The same for values that are equal; different ones may share it. Undefined for null, which is like any value. */
function textOf(value: FieldValue): string | undefined {
  if (value === null) return undefined;
  if (typeof value === 'string') return `s${value}`;
  // 2n and 2 are equal, and so are their texts; a number beyond 2^53 may be written with an exponent.
  if (typeof value === 'bigint') return `n${Number(value)}`;
  if (typeof value === 'number') return `n${value + 0}`;
  if (typeof value === 'boolean') return `b${value}`;
  if (value instanceof Date) return `d${value.getTime()}`;
  return value instanceof Uint8Array ? `x${value.length}` : 'o';
}
