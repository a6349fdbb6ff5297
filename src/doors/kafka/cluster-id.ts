/** Kafka prints 16-byte ids as 22 characters of URL-safe base 64. */
export function clusterIdOf(storeId: string): string {
  return Buffer.from(storeId.replaceAll('-', ''), 'hex').toString('base64url');
}
