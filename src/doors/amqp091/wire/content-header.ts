import { ProtocolError } from '../../../base/index.ts';
import { readLongNumber } from './field-table.ts';
import { readShortText } from './method-codec.ts';

/** Properties of a message in the order of their flags: the flag of the n-th is `0x8000 >>> n`. AMQP 0-9-1 §1.8.3. */
export const property = {
  contentType: 0,
  contentEncoding: 1,
  headers: 2,
  deliveryMode: 3,
  priority: 4,
  correlationId: 5,
  replyTo: 6,
  expiration: 7,
  messageId: 8,
  timestamp: 9,
  type: 10,
  userId: 11,
  appId: 12,
  clusterId: 13,
} as const;

export type PropertyIndex = (typeof property)[keyof typeof property];

export const propertyCount = 14;

/** The bit of a property in the flags. */
export function propertyFlag(index: PropertyIndex): number {
  return 0x8000 >>> index;
}

/**
 * The payload of a header frame, by positions: `read` makes no object, and the values are where `at` says in `bytes`.
 * One is used for all messages of a channel.
 */
export class ContentHeader {
  classId = 0;
  /** Of the body that follows. */
  bodyBytes = 0;
  flags = 0;
  bytes: Buffer = nothing;
  /** The whole property list without its flags. */
  listAt = 0;
  listEnd = 0;
  /** Where the value of each property lies (a short string or table: behind its length); −1: not given. */
  readonly at = new Int32Array(propertyCount);
  /** And how long it is. */
  readonly size = new Int32Array(propertyCount);

  /** Throws a ProtocolError when the list does not fill `bytes[start, end)` exactly. */
  read(bytes: Buffer, start: number, end: number): void {
    if (end - start < fixedBytes) throw new ProtocolError('a content header ends too early');
    this.bytes = bytes;
    this.classId = bytes.readUInt16BE(start);
    this.bodyBytes = readLongNumber(bytes, start + 4);
    const flags = bytes.readUInt16BE(start + 12);
    this.flags = flags;
    let at = start + fixedBytes;
    this.listAt = at;
    this.listEnd = end;
    if ((flags & unknownFlags) !== 0) throw new ProtocolError(`unknown property flags ${flags}`);
    for (let index = 0; index < propertyCount; index += 1) {
      if ((flags & (0x8000 >>> index)) === 0) {
        this.at[index] = -1;
        this.size[index] = 0;
        continue;
      }
      let length: number;
      switch (index) {
        case property.deliveryMode:
        case property.priority:
          length = 1;
          break;
        case property.timestamp:
          length = 8;
          break;
        case property.headers:
          if (end - at < 4) throw overrun();
          length = bytes.readUInt32BE(at);
          at += 4;
          break;
        default:
          if (at >= end) throw overrun();
          length = bytes[at]!;
          at += 1;
      }
      if (length > end - at) throw overrun();
      this.at[index] = at;
      this.size[index] = length;
      at += length;
    }
    if (at !== end) throw new ProtocolError(`${end - at} bytes follow the properties`);
  }

  has(index: PropertyIndex): boolean {
    return this.at[index] !== -1;
  }

  /** Of a property that is a short string. Throws MalformedText for what is not UTF-8. */
  text(index: PropertyIndex): string | undefined {
    const at = this.at[index]!;
    return at === -1 ? undefined : readShortText(this.bytes, at, this.size[index]!);
  }

  /** `deliveryMode`, `priority`; undefined when not given. */
  octet(index: PropertyIndex): number | undefined {
    const at = this.at[index]!;
    return at === -1 ? undefined : this.bytes[at]!;
  }
}

const nothing = Buffer.alloc(0);
/** Class, weight, body size and flags. */
const fixedBytes = 14;
/** The last bit would announce more flags, of which there are none. */
const unknownFlags = 0x0003;

function overrun(): ProtocolError {
  return new ProtocolError('a property is longer than the header that it stands in');
}
