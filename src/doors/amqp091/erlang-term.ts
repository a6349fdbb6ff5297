/*
 * RabbitMQ writes some reply texts with Erlang's `~p`. Clients match on parts of them, so these are written in the same
 * way, for the few kinds of terms that occur.
 */

/** A binary: `<<"abc">>` when all of it is printable Latin-1, else `<<1,2,3>>`. */
export function printBinary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<<>>';
  return bytes.every(isPrintable) ? `<<${printString(bytes)}>>` : `<<${bytes.join(',')}>>`;
}

/** A double, the shortest that reads back as the same. */
export function printFloat(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return value.toFixed(1);
  const text = String(value);
  if (!text.includes('e')) return text;
  const [mantissa = '', exponent = ''] = text.split('e');
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}e${exponent.replace('+', '')}`;
}

/** At most 16 bytes of a payload, as RabbitMQ shows what it did not expect. */
export function payloadSnippet(payload: Uint8Array): string {
  return payload.length <= 16
    ? `all octets = ${printBinary(payload)}`
    : `first 16 octets = ${printBinary(payload.subarray(0, 16))}`;
}

function printString(bytes: Uint8Array): string {
  let text = '"';
  for (const byte of bytes) text += escapes.get(byte) ?? String.fromCharCode(byte);
  return `${text}"`;
}

const escapes: ReadonlyMap<number, string> = new Map([
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0b, '\\v'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [0x1b, '\\e'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]);

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte <= 0x7e) || byte >= 0xa0 || escapes.has(byte);
}
