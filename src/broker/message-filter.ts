import { BrokerError, limits } from '../base/index.ts';
import { asBuffer } from '../bytes/index.ts';
import {
  findProperty,
  HeaderReader,
  isUtf8Range,
  keyName,
  type PropertyId,
  property,
  readFields,
} from '../message/index.ts';
import {
  compilePolicy,
  compileSelector,
  type Fields,
  type FieldValue,
  isFields,
  matchesHeaders,
  parseHeaderMatch,
} from '../routing/index.ts';
import type { QueueMessage, QueueSettings } from '../shard/index.ts';

export interface FilterOptions {
  /** Gives what a selector's name stands for, for doors whose protocol has names of its own. */
  rename?: (name: string) => string;
}

/** How often a message was given out, this time included; only a selector sees it. */
const deliveriesName = 'pabal.deliveries';

/**
 * Makes the predicate of a filter. Languages: `selector`, a condition over headers and properties (by their stored names,
 * such as `pabal.priority`); `headers`, a JSON object of headers with `x-match`; `json-headers` and `json-body`, a filter
 * policy over the application's headers or over a body that is a JSON object. The predicate is for one message at a time
 * and keeps nothing of it. Throws filter-invalid.
 */
export function compileFilter(
  { language, text }: NonNullable<QueueSettings['filter']>,
  options: FilterOptions = {},
): (message: QueueMessage) => boolean {
  switch (language) {
    case 'selector': {
      const matches = compileSelector(text);
      const names = new MessageNames(options.rename);
      return (message) => {
        names.message = message;
        const isMatch = matches(names.lookup);
        names.message = undefined;
        return isMatch;
      };
    }
    case 'headers': {
      const match = parseHeaderMatch(parseFields(text));
      return (message) => matchesHeaders(match, headersOf(message));
    }
    case 'json-headers': {
      const matches = compilePolicy(text);
      return (message) => matches(headersOf(message));
    }
    case 'json-body': {
      const matches = compilePolicy(text);
      return (message) => {
        const body = parseBody(message);
        return body !== undefined && matches(body);
      };
    }
    default:
      throw new BrokerError('filter-invalid', `nothing reads filters in "${language}"`);
  }
}

/** What a selector's names stand for in the message at hand. */
class MessageNames {
  message: QueueMessage | undefined;
  readonly #rename: ((name: string) => string) | undefined;
  readonly #reader = new HeaderReader();
  /** Of the names in one selector's text, which bounds them. */
  readonly #names = new Map<string, { name: string; bytes: Buffer; property: PropertyId }>();

  constructor(rename: ((name: string) => string) | undefined) {
    this.#rename = rename;
  }

  readonly lookup = (given: string): FieldValue | undefined => {
    const { message } = this;
    if (message === undefined) return undefined;
    const name = this.#names.get(given) ?? this.#addName(given);
    if (name.name === keyName) return keyOf(message);
    if (name.name === deliveriesName) return message.deliveries;
    const { headersAt } = message;
    const reader = this.#reader.begin(message.bytes, headersAt, headersAt + message.headersBytes);
    return name.property < 0
      ? this.#findHeader(name.bytes)
      : findPropertyValue(reader, name.property, message);
  };

  #addName(given: string): { name: string; bytes: Buffer; property: PropertyId } {
    const name = this.#rename?.(given) ?? given;
    const bytes = Buffer.from(name, 'utf8');
    const added = { name, bytes, property: findProperty(bytes, 0, bytes.length) };
    this.#names.set(given, added);
    return added;
  }

  /** Of several headers with one name the last counts. */
  #findHeader(name: Buffer): FieldValue | undefined {
    const reader = this.#reader;
    let value: FieldValue | undefined;
    while (reader.next()) {
      const { nameAt, nameBytes } = reader;
      if (reader.property >= 0 || nameBytes !== name.length) continue;
      if (name.compare(reader.bytes, nameAt, nameAt + nameBytes) === 0) value = reader.field;
    }
    // Times are compared as numbers.
    return value instanceof Date ? value.getTime() : value;
  }
}

function findPropertyValue(
  reader: HeaderReader,
  id: PropertyId,
  message: QueueMessage,
): FieldValue | undefined {
  if (reader.seek(id) && reader.valueBytes >= 0) {
    return isWholeNumber(id) && reader.digits >= 0 ? reader.digits : reader.text;
  }
  // A message whose application gave no time has that of its record.
  return id === property.timestamp && message.timestampMs >= 0 ? message.timestampMs : undefined;
}

const wholeNumbers: ReadonlySet<PropertyId> = new Set([
  property.timestamp,
  property.priority,
  property.expiresAt,
  property.deliverAt,
  property.groupSequence,
  property.leaseMs,
  property.qos,
]);

function isWholeNumber(id: PropertyId): boolean {
  return wholeNumbers.has(id);
}

/** Text where it is valid UTF-8, else bytes. */
function keyOf({ bytes, keyAt, keyBytes }: QueueMessage): FieldValue | undefined {
  if (keyBytes < 0) return undefined;
  const end = keyAt + keyBytes;
  return isUtf8Range(bytes, keyAt, end)
    ? asBuffer(bytes).toString('utf8', keyAt, end)
    : bytes.subarray(keyAt, end);
}

function headersOf({ bytes, headersAt, headersBytes }: QueueMessage): Fields {
  return readFields(bytes, headersAt, headersAt + headersBytes);
}

/** Undefined when it is no JSON object, or too large to be looked at. */
function parseBody({ bytes, valueAt, valueBytes }: QueueMessage): Fields | undefined {
  // The shortest object is `{}`.
  if (valueBytes < 2 || valueBytes > limits.filterBodyBytesMax) return undefined;
  try {
    const text = asBuffer(bytes).toString('utf8', valueAt, valueAt + valueBytes);
    // JSON knows no values but those of fields.
    const body = JSON.parse(text) as FieldValue;
    return isFields(body) ? body : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseFields(text: string): Fields {
  if (text.length > limits.filterCharsMax) {
    throw new BrokerError('filter-invalid', `it has more than ${limits.filterCharsMax} characters`);
  }
  let value: FieldValue;
  try {
    value = JSON.parse(text) as FieldValue;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new BrokerError('filter-invalid', `it is not JSON: ${error.message}`, { cause: error });
  }
  if (!isFields(value)) throw new BrokerError('filter-invalid', 'a JSON object is expected');
  return value;
}
