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
