/**
 * MurmurHash2 (Austin Appleby, public domain), 32 bits, seed 0x9747b28c: the hash by which most producers spread
 * keys, so that a key lands in the same partition whoever sends it. Returns a signed 32-bit integer.
 */
export function keyHash(key: Uint8Array): number {
  const multiplier = 0x5bd1e995;
  const { length } = key;
  let hash = 0x9747b28c ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word = byteAt(key, at) | (byteAt(key, at + 1) << 8);
    word |= (byteAt(key, at + 2) << 16) | (byteAt(key, at + 3) << 24);
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    word = Math.imul(word, multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  const left = length - at;
  if (left === 3) hash ^= byteAt(key, at + 2) << 16;
  if (left >= 2) hash ^= byteAt(key, at + 1) << 8;
  if (left >= 1) hash = Math.imul(hash ^ byteAt(key, at), multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  hash ^= hash >>> 15;
  return hash | 0;
}

/** The partition of a key among `partitionCount`. */
export function partitionOfKey(key: Uint8Array, partitionCount: number): number {
  return (keyHash(key) & 0x7fffffff) % partitionCount;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}
