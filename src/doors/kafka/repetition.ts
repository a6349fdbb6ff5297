/** The keys that are there more than once: Kafka refuses requests that name a thing twice. */
export function findRepeated<K>(keys: readonly K[]): ReadonlySet<K> {
  const seen = new Set<K>();
  const repeated = new Set<K>();
  for (const key of keys) {
    if (seen.has(key)) repeated.add(key);
    seen.add(key);
  }
  return repeated;
}

/** Each item once, in order: what is asked for again and again must not be told as often, for it may be long. */
export function once<T>(items: readonly T[], keyOf: (item: T) => unknown = (item) => item): T[] {
  const first = new Map<unknown, T>();
  for (const item of items) {
    const key = keyOf(item);
    if (!first.has(key)) first.set(key, item);
  }
  return [...first.values()];
}
