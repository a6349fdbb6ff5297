/** A range of IP addresses, `10.0.0.0/8` or `2001:db8::/32`. */
export class AddressRange {
  readonly #first: Uint8Array;
  readonly #bits: number;

  /** Undefined for a text that is no range. */
  static parse(text: string): AddressRange | undefined {
    const match = /^([^/]+)\/([0-9]{1,3})$/.exec(text);
    const first = parseAddress(match?.[1] ?? '');
    const bits = Number(match?.[2]);
    if (first === undefined || bits > first.length * 8) return undefined;
    return new AddressRange(first, bits);
  }

  private constructor(first: Uint8Array, bits: number) {
    this.#first = first;
    this.#bits = bits;
  }

  /** False for a text that is no address. */
  includes(text: string): boolean {
    const address = parseAddress(text);
    if (address === undefined || address.length !== this.#first.length) return false;
    for (let index = 0, bits = this.#bits; bits > 0; index++, bits -= 8) {
      const mask = bits >= 8 ? 0xff : (0xff00 >> bits) & 0xff;
      if ((((address[index] ?? 0) ^ (this.#first[index] ?? 0)) & mask) !== 0) return false;
    }
    return true;
  }
}

/** 4 or 16 bytes. */
function parseAddress(text: string): Uint8Array | undefined {
  // Longest: eight groups of four digits, the last two written as IPv4.
  if (text.length > 45) return undefined;
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = parts.map((part) => (/^(?:0|[1-9][0-9]{0,2})$/.test(part) ? Number(part) : 256));
  return bytes.every((byte) => byte < 256) ? Uint8Array.from(bytes) : undefined;
}

/** RFC 4291 §2.2. */
function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(parseGroups);
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 16 ? Uint8Array.from(head) : undefined;
  if (tail === undefined || head.length + tail.length > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** The bytes of groups between colons, of which the last may be an IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && group.includes('.')) {
      const last = parseIpv4(group);
      if (last === undefined) return undefined;
      bytes.push(...last);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}
