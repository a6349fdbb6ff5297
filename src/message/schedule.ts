import { asBuffer } from '../bytes/index.ts';
import { parseDigits, throwCut, varintLength, varintSize } from './header-walk.ts';
import { matchesAt } from './name-table.ts';
import { headerNameBytesOf, property } from './property.ts';

const priorityName = headerNameBytesOf(property.priority);
const deliverAtName = headerNameBytesOf(property.deliverAt);
const expiresAtName = headerNameBytesOf(property.expiresAt);
const groupName = headerNameBytesOf(property.group);
const dedupIdName = headerNameBytesOf(property.dedupId);

/** What a queue must know of a message, read from its encoded headers. Made once and filled again for each message. */
export class Schedule {
  /** −1: none. */
  priority = -1;
  /** Milliseconds since the epoch; −1: none. */
  deliverAtMs = -1;
  /** Milliseconds since the epoch; −1: none. */
  expiresAtMs = -1;
  /** Where the group's id stands; a length of −1: none. */
  groupAt = 0;
  groupBytes = -1;
  /** Where the deduplication id stands; a length of −1: none. */
  dedupIdAt = 0;
  dedupIdBytes = -1;
  #bytes: Uint8Array = new Uint8Array(0);

  /** Group and deduplication id are texts of their own, made at each call. */
  get group(): string | undefined {
    return this.groupBytes < 0 ? undefined : this.#text(this.groupAt, this.groupBytes);
  }

  get dedupId(): string | undefined {
    return this.dedupIdBytes < 0 ? undefined : this.#text(this.dedupIdAt, this.dedupIdBytes);
  }

  /**
   * Reads `count` encoded headers at `at` and keeps a reference to `bytes`; false when they schedule nothing. Of headers
   * that are there twice the first counts; a value of the wrong form, or an empty one, counts as none. Headers that are
   * longer than `bytes` throw a ProtocolError.
   */
  read(bytes: Uint8Array, at: number, count: number): boolean {
    this.clear();
    this.#bytes = bytes;
    const end = bytes.length;
    let isScheduled = false;
    let position = at;
    for (let index = 0; index < count; index++) {
      if (position >= end) throwCut();
      let size = bytes[position]! < 0x80 ? 1 : varintSize(bytes, position, end);
      const nameBytes = varintLength(bytes, position, size);
      const nameAt = position + size;
      const nameEnd = nameAt + nameBytes;
      if (nameBytes < 0 || nameEnd >= end) throwCut();
      size = bytes[nameEnd]! < 0x80 ? 1 : varintSize(bytes, nameEnd, end);
      const valueBytes = varintLength(bytes, nameEnd, size);
      const valueAt = nameEnd + size;
      position = valueAt + (valueBytes < 0 ? 0 : valueBytes);
      if (position > end) throwCut();
      // No name of the five is shorter than 11 bytes or longer than 16.
      if (nameBytes < 11 || nameBytes > 16 || bytes[nameAt] !== 0x70) continue;
      if (this.#note(nameAt, nameBytes, valueAt, valueBytes)) isScheduled = true;
    }
    return isScheduled;
  }

  clear(): void {
    this.priority = -1;
    this.deliverAtMs = -1;
    this.expiresAtMs = -1;
    this.groupBytes = -1;
    this.dedupIdBytes = -1;
  }

  #note(nameAt: number, nameBytes: number, valueAt: number, valueBytes: number): boolean {
    const bytes = this.#bytes;
    if (nameBytes === 14) {
      if (matchesAt(bytes, nameAt, priorityName)) {
        if (this.priority < 0) this.priority = parseDigits(bytes, valueAt, valueBytes);
        return this.priority >= 0;
      }
      if (!matchesAt(bytes, nameAt, dedupIdName)) return false;
      if (this.dedupIdBytes < 0 && valueBytes > 0) {
        this.dedupIdAt = valueAt;
        this.dedupIdBytes = valueBytes;
      }
      return this.dedupIdBytes >= 0;
    }
    if (nameBytes === 16) {
      if (matchesAt(bytes, nameAt, deliverAtName)) {
        if (this.deliverAtMs < 0) this.deliverAtMs = parseDigits(bytes, valueAt, valueBytes);
        return this.deliverAtMs >= 0;
      }
      if (!matchesAt(bytes, nameAt, expiresAtName)) return false;
      if (this.expiresAtMs < 0) this.expiresAtMs = parseDigits(bytes, valueAt, valueBytes);
      return this.expiresAtMs >= 0;
    }
    if (nameBytes !== 11 || !matchesAt(bytes, nameAt, groupName)) return false;
    if (this.groupBytes < 0 && valueBytes > 0) {
      this.groupAt = valueAt;
      this.groupBytes = valueBytes;
    }
    return this.groupBytes >= 0;
  }

  #text(at: number, length: number): string {
    return asBuffer(this.#bytes).toString('utf8', at, at + length);
  }
}
