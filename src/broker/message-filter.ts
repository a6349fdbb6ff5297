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
        names.begin(message);
        const isMatch = matches(names.lookup);
        names.end();
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

interface Name {
  readonly text: string;
  readonly bytes: Buffer;
  /** −1: a header of the application. */
  readonly property: PropertyId;
  /** Of the message at hand. */
  value: FieldValue | undefined;
}

/**
 * What a selector's names stand for in the message at hand: one walk over its headers finds all of them, for the names
 * are known after the first messages.
 */
class MessageNames {
  #message: QueueMessage | undefined;
  readonly #rename: ((name: string) => string) | undefined;
  readonly #reader = new HeaderReader();
  /** Of the names in one selector's text, which bounds them. */
  readonly #names = new Map<string, Name>();
  readonly #list: Name[] = [];
  #isRead = false;

  constructor(rename: ((name: string) => string) | undefined) {
    this.#rename = rename;
  }

  begin(message: QueueMessage): void {
    this.#message = message;
    this.#isRead = false;
  }

  /** Keeps nothing of the message, whose memory is somebody else's. */
  end(): void {
    this.#message = undefined;
    for (const name of this.#list) name.value = undefined;
  }

  readonly lookup = (given: string): FieldValue | undefined => {
    const name = this.#names.get(given) ?? this.#addName(given);
    if (!this.#isRead && this.#message !== undefined) this.#read(this.#message);
    return name.value;
  };

  #addName(given: string): Name {
    const text = this.#rename?.(given) ?? given;
    const bytes = Buffer.from(text, 'utf8');
    const name = {
      text,
      bytes,
      property: findProperty(bytes, 0, bytes.length),
      value: undefined,
    };
    this.#names.set(given, name);
    this.#list.push(name);
    this.#isRead = false;
    return name;
  }

  #read(message: QueueMessage): void {
    this.#isRead = true;
    for (const name of this.#list) name.value = findFact(name, message);
    const { headersAt, headersBytes } = message;
    const reader = this.#reader.begin(message.bytes, headersAt, headersAt + headersBytes);
    while (reader.next()) {
      for (const name of this.#list) if (isAt(name, reader)) readValue(name, reader);
    }
    for (const name of this.#list) {
      // A message whose application gave no time has that of its record.
      if (name.property === property.timestamp && message.timestampMs >= 0) {
        name.value ??= message.timestampMs;
      }
    }
  }
}

/** What a message says beside its headers. */
function findFact({ text }: Name, message: QueueMessage): FieldValue | undefined {
  if (text === keyName) return keyOf(message);
  return text === deliveriesName ? message.deliveries : undefined;
}

function isAt({ property: id, bytes }: Name, reader: HeaderReader): boolean {
  if (id >= 0 || reader.property >= 0) return id === reader.property;
  const { nameAt, nameBytes } = reader;
  return (
    nameBytes === bytes.length && bytes.compare(reader.bytes, nameAt, nameAt + nameBytes) === 0
  );
}

/** Of several properties with one name the first counts, of several headers the last. */
function readValue(name: Name, reader: HeaderReader): void {
  if (name.property < 0) {
    const { field } = reader;
    // Times are compared as numbers.
    name.value = field instanceof Date ? field.getTime() : field;
  } else if (reader.valueBytes >= 0) {
    const isNumber = wholeNumbers.has(name.property) && reader.digits >= 0;
    name.value ??= isNumber ? reader.digits : reader.text;
  }
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
