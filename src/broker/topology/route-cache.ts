import { limits } from '../../base/index.ts';
import type { Topic } from '../types.ts';

/** Rough cost of an entry in a map, and of a character and a reference in it. */
const entryBytes = 96;
const charBytes = 2;
const referenceBytes = 8;

/** What one exchange remembers. */
export class RememberedRoutes {
  /** Of messages whatever they say. */
  ofAll: readonly Topic[] | undefined;
  byKey: Map<string, readonly Topic[]> | undefined;
  byKeys: Map<string, readonly Topic[]> | undefined;

  clear(): void {
    this.ofAll = undefined;
    this.byKey = undefined;
    this.byKeys = undefined;
  }
}

/**
 * Remembers where messages went whose way depends on their keys alone. Everything is forgotten when anything changes, or
 * when the memory for it is full: what is needed comes back with the next messages.
 */
export class RouteCache {
  readonly #bytesMax: number;
  readonly #filled = new Set<RememberedRoutes>();
  #version = -1;
  #bytes = 0;

  constructor(bytesMax: number = limits.routeCacheBytesMax) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What a former version knew is forgotten. */
  find(
    routes: RememberedRoutes,
    keys: readonly string[],
    version: number,
  ): readonly Topic[] | undefined {
    if (version !== this.#version) {
      this.#version = version;
      this.#forget();
      return undefined;
    }
    if (routes.ofAll !== undefined) return routes.ofAll;
    // `!`: a list of one key has a first one.
    if (keys.length === 1) return routes.byKey?.get(keys[0]!);
    return routes.byKeys?.get(textOf(keys));
  }

  /** `usesKeys`: some exchange on the way looked at the keys. */
  remember(
    routes: RememberedRoutes,
    keys: readonly string[],
    usesKeys: boolean,
    topics: readonly Topic[],
  ): void {
    const text = keys.length === 1 ? (keys[0] ?? '') : textOf(keys);
    const bytes = entryBytes + text.length * charBytes + topics.length * referenceBytes;
    if (bytes > this.#bytesMax) return;
    if (this.#bytes + bytes > this.#bytesMax) this.#forget();
    this.#bytes += bytes;
    this.#filled.add(routes);
    if (!usesKeys) routes.ofAll = topics;
    else if (keys.length === 1) {
      routes.byKey ??= new Map();
      routes.byKey.set(text, topics);
    } else {
      routes.byKeys ??= new Map();
      routes.byKeys.set(text, topics);
    }
  }

  #forget(): void {
    for (const routes of this.#filled) routes.clear();
    this.#filled.clear();
    this.#bytes = 0;
  }
}

/** Lengths keep `a`, `b` and `a,b` apart. */
function textOf(keys: readonly string[]): string {
  let text = '';
  for (const key of keys) text += `${key.length}:${key}`;
  return text;
}
