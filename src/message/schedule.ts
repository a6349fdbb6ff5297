/*
 * What the queue core knows of a message beside its body stands in record headers, so that it is stored, moved and
 * replayed with the record. Values are text: decimal numbers in ASCII, ids in UTF-8. Headers that do not parse are as if
 * they were not there.
 */

/** Names of the scheduling headers; no other header's name begins with their prefix. */
export const scheduleHeader = {
  prefix: 'pabal.',
  /** Decimal; greater goes first. */
  priority: 'pabal.priority',
  /** Milliseconds since the epoch, decimal: not given out before. */
  deliverAt: 'pabal.deliver-at',
  /** Milliseconds since the epoch, decimal: not given out from then on. */
  expiresAt: 'pabal.expires-at',
  /** Messages of one group are given out one at a time; or, in fair queues, the tenant. */
  group: 'pabal.group',
  /** Says which messages are the same one. */
  dedupId: 'pabal.dedup-id',
} as const;

const prefixCodes = codesOf(scheduleHeader.prefix);
const priorityCodes = codesOf('priority');
const deliverAtCodes = codesOf('deliver-at');
const expiresAtCodes = codesOf('expires-at');
const groupCodes = codesOf('group');
const dedupIdCodes = codesOf('dedup-id');

/** The scheduling headers of one record after the other: one object, filled anew by each `read`. */
export class Schedule {
  /** −1: none. */
  priority = -1;
  deliverAtMs = -1;
  expiresAtMs = -1;
  /** Where the group's id stands; −1 bytes: none. */
  groupAt = 0;
  groupBytes = -1;
  dedupIdAt = 0;
  dedupIdBytes = -1;
  #position = 0;

  /**
   * Reads `count` encoded headers at `at`, which were checked to be well formed (see `bytes/record-batch.ts`). False when
   * there is no scheduling header.
   */
  read(bytes: Uint8Array, at: number, count: number): boolean {
    this.clear();
    let isFound = false;
    this.#position = at;
    for (let index = 0; index < count; index++) {
      const nameBytes = this.#varint(bytes);
      const nameAt = this.#position;
      this.#position = nameAt + nameBytes;
      const valueBytes = this.#varint(bytes);
      const valueAt = this.#position;
      if (valueBytes > 0) this.#position = valueAt + valueBytes;
      // Most headers are told apart by their first byte.
      if (bytes[nameAt] !== prefixCodes[0] || !isText(bytes, nameAt, prefixCodes)) continue;
      if (this.#note(bytes, nameAt + prefixCodes.length, nameAt + nameBytes, valueAt, valueBytes))
        isFound = true;
    }
    return isFound;
  }

  clear(): void {
    this.priority = -1;
    this.deliverAtMs = -1;
    this.expiresAtMs = -1;
    this.groupBytes = -1;
    this.dedupIdBytes = -1;
  }

  #note(bytes: Uint8Array, at: number, end: number, valueAt: number, valueBytes: number): boolean {
    if (valueBytes < 0) return false;
    if (isName(bytes, at, end, priorityCodes)) {
      this.priority = readDecimal(bytes, valueAt, valueBytes);
    } else if (isName(bytes, at, end, deliverAtCodes)) {
      this.deliverAtMs = readDecimal(bytes, valueAt, valueBytes);
    } else if (isName(bytes, at, end, expiresAtCodes)) {
      this.expiresAtMs = readDecimal(bytes, valueAt, valueBytes);
    } else if (isName(bytes, at, end, groupCodes)) {
      this.groupAt = valueAt;
      this.groupBytes = valueBytes;
    } else if (isName(bytes, at, end, dedupIdCodes)) {
      this.dedupIdAt = valueAt;
      this.dedupIdBytes = valueBytes;
    } else return false;
    return true;
  }

  #varint(bytes: Uint8Array): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.#position++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return (value >>> 1) ^ -(value & 1);
  }
}

function codesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

function isName(bytes: Uint8Array, at: number, end: number, codes: Uint8Array): boolean {
  return end - at === codes.length && isText(bytes, at, codes);
}

function isText(bytes: Uint8Array, at: number, codes: Uint8Array): boolean {
  for (let index = 0; index < codes.length; index++)
    if (bytes[at + index] !== codes[index]) return false;
  return true;
}

/** A whole number of at most 16 digits that is a safe integer; else −1. */
function readDecimal(bytes: Uint8Array, at: number, length: number): number {
  if (length < 1 || length > 16) return -1;
  let value = 0;
  for (let index = at; index < at + length; index++) {
    const digit = (bytes[index] ?? 0) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : -1;
}
