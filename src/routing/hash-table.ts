import { BrokerError, limits } from '../base/index.ts';
import { keyHash } from '../bytes/index.ts';
import type { FieldValue } from './field-value.ts';
import type { Route, RouteFacts, RouteTable, RouteTarget } from './route-table.ts';

/** More points make shares more even: with 64 for each unit of weight a share is off by about an eighth at weight 1. */
const pointsPerWeight = 64;

export interface HashBy {
  /** Name of the header that is hashed. */
  readonly header?: string | undefined;
  /** Name of the property that is hashed, where no header is named. Neither: the first key. */
  readonly property?: string | undefined;
}

/**
 * Each message goes to one target, the same for the same key as long as the bindings stay. The binding's key is the
 * target's weight, a whole number. Targets stand on a ring with a number of points that follows the weight; a message
 * goes to the first point behind its hash, so that a target that comes or goes moves only its own share.
 */
export class HashTable<T extends RouteTarget> implements RouteTable<T> {
  readonly isKeyOnly: boolean;
  readonly #by: HashBy;
  readonly #weights = new Map<T, number>();
  #weightSum = 0;
  /** Sorted; undefined until it is needed again after a change. */
  #ring: { points: Uint32Array; targets: T[] } | undefined;

  constructor(by: HashBy) {
    this.#by = by;
    this.isKeyOnly = by.header === undefined && by.property === undefined;
  }

  check(key: string): void {
    const weight = weightOf(key);
    if (weight === undefined) {
      throw new BrokerError(
        'config-invalid',
        `the binding key of a consistent-hash exchange is a weight, a whole number from 1 to ${limits.hashWeightMax}, not "${key}"`,
      );
    }
    if (this.#weightSum + weight > limits.hashWeightSumMax) {
      throw new BrokerError(
        'config-invalid',
        `the weights of a consistent-hash exchange add up to ${limits.hashWeightSumMax} at most`,
      );
    }
  }

  add(route: Route<T>): void {
    this.#change(route, weightOf(route.key) ?? 0);
  }

  remove(route: Route<T>): void {
    this.#change(route, -(weightOf(route.key) ?? 0));
  }

  match(facts: RouteFacts, found: Set<T>): void {
    if (this.#weights.size === 0) return;
    const { points, targets } = (this.#ring ??= this.#buildRing());
    const hash = hashOf(this.#textOf(facts));
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] ?? 0) < hash) low = middle + 1;
      else high = middle;
    }
    const target = targets[low === points.length ? 0 : low];
    if (target !== undefined) found.add(target);
  }

  #change(route: Route<T>, weight: number): void {
    const sum = (this.#weights.get(route.target) ?? 0) + weight;
    if (sum > 0) this.#weights.set(route.target, sum);
    else this.#weights.delete(route.target);
    this.#weightSum += weight;
    this.#ring = undefined;
  }

  #textOf(facts: RouteFacts): string {
    const { header, property } = this.#by;
    if (header !== undefined) return textOf(facts.headers()[header]);
    if (property !== undefined) return facts.property(property) ?? '';
    return facts.keys[0] ?? '';
  }

  /** The same whatever the order in which targets came. */
  #buildRing(): { points: Uint32Array; targets: T[] } {
    const owners = [...this.#weights.keys()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const count = this.#weightSum * pointsPerWeight;
    // One number holds a point and its owner, so that sorting needs no objects: 32 bits and at most 21 of them.
    const sorted = new Float64Array(count);
    let at = 0;
    for (const [index, owner] of owners.entries()) {
      const points = (this.#weights.get(owner) ?? 0) * pointsPerWeight;
      for (let point = 0; point < points; point++) {
        sorted[at++] = hashOf(`${owner.id}/${point}`) * 0x200000 + index;
      }
    }
    sorted.sort();
    const points = new Uint32Array(count);
    const targets: T[] = [];
    for (let place = 0; place < count; place++) {
      const value = sorted[place] ?? 0;
      points[place] = Math.floor(value / 0x200000);
      const owner = owners[value % 0x200000];
      if (owner !== undefined) targets.push(owner);
    }
    return { points, targets };
  }
}

function weightOf(key: string): number | undefined {
  if (!/^[0-9]{1,9}$/.test(key)) return undefined;
  const weight = Number(key);
  return weight >= 1 && weight <= limits.hashWeightMax ? weight : undefined;
}

function textOf(value: FieldValue | undefined): string {
  if (value === undefined || value === null) return '';
  if (value instanceof Date) return String(value.getTime());
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (typeof value !== 'object') return String(value);
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'bigint' ? String(item) : item,
  );
}

function hashOf(text: string): number {
  return keyHash(Buffer.from(text, 'utf8')) >>> 0;
}
