import { matchesAt, NameTable } from './name-table.ts';

/*
 * What a message says of itself beside its body, its key and the headers of its application. Each property is one record
 * header. `docs/message-mapping.md` is the specification: what each means and which word of which protocol it is.
 */

/** Every header name of ours begins with it. */
export const propertyPrefix = 'pabal.';

/** A header of the application whose own name begins with `pabal.` is stored behind this. */
export const escapePrefix = 'pabal.header.';

/** Name by which the record's key is seen, and given, as a header. It is never stored as one. */
export const keyName = 'pabal.key';

/**
 * form: what its value looks like. `text`; `integer`: decimal digits; `json`; or the words that it may be.
 * isPassable: an application may set it with a header of that very name where its protocol has no other way, and sees it
 * under that name. The others are the broker's, or derived from something else.
 */
interface PropertyRule {
  readonly name: string;
  readonly form: 'text' | 'integer' | 'json' | readonly string[];
  readonly isPassable: boolean;
}

function rule(name: string, form: PropertyRule['form'] = 'text', canPass = true): PropertyRule {
  return { name: propertyPrefix + name, form, isPassable: canPass };
}

/** The order is that of nothing stored: it may change. */
const rules = {
  contentType: rule('content-type'),
  contentEncoding: rule('content-encoding'),
  correlationId: rule('correlation-id'),
  replyTo: rule('reply-to'),
  messageId: rule('message-id'),
  /** Milliseconds since the epoch, given by the application. The record's timestamp is the broker's. */
  timestamp: rule('timestamp', 'integer'),
  type: rule('type'),
  userId: rule('user-id', 'text', false),
  appId: rule('app-id'),
  clusterId: rule('cluster-id'),
  /** Absent: persistent. `unset`: the application did not say, which counts as transient. */
  deliveryMode: rule('delivery-mode', ['persistent', 'transient', 'unset']),
  priority: rule('priority', 'integer'),
  /** Milliseconds since the epoch; derived from `expiration` and the time of arrival. */
  expiresAt: rule('expires-at', 'integer'),
  /** Time to live as the application wrote it. */
  expiration: rule('expiration', 'text', false),
  deliverAt: rule('deliver-at', 'integer'),
  group: rule('group'),
  groupSequence: rule('group-sequence', 'integer'),
  replyToGroup: rule('reply-to-group'),
  dedupId: rule('dedup-id'),
  /** Milliseconds that a consumer has for it. */
  leaseMs: rule('lease-ms', 'integer'),

  exchange: rule('exchange', 'text', false),
  routingKey: rule('routing-key', 'text', false),
  /** Further routing keys: JSON array of strings. */
  copies: rule('copies', 'json', false),
  /** Address as the sender wrote it, where that is not exchange and key. */
  to: rule('to'),
  /** Topic name of a protocol with levels, where the routing key does not give it back. */
  topic: rule('topic'),

  /** JSON array, newest first; see `Death`. */
  deaths: rule('deaths', 'json', false),
  firstDeathQueue: rule('first-death-queue', 'text', false),
  firstDeathReason: rule('first-death-reason', 'text', false),
  firstDeathExchange: rule('first-death-exchange', 'text', false),
  lastDeathQueue: rule('last-death-queue', 'text', false),
  lastDeathReason: rule('last-death-reason', 'text', false),
  lastDeathExchange: rule('last-death-exchange', 'text', false),

  /** Where it was stored first, and how often it was delivered since; see `Origin`. */
  origin: rule('origin', 'text', false),

  /** Kind of the body where bytes alone do not tell it. */
  bodyType: rule('body-type', [
    'bytes',
    'text',
    'map',
    'stream',
    'object',
    'empty',
    'value',
    'sequence',
  ]),
  /** `utf-8`: the sender says that the body is text; `bytes`: it says nothing of the kind. */
  payloadFormat: rule('payload-format', ['bytes', 'utf-8']),
  /** Level of the delivery promise with which it was published: 0, 1, 2. */
  qos: rule('qos', ['0', '1', '2'], false),
  /** It was published to be kept as the last value of its topic. */
  retained: rule('retained', ['true'], false),
  replyToKind: rule('reply-to-kind', ['queue', 'topic', 'temporary-queue', 'temporary-topic']),
  destinationKind: rule('destination-kind', [
    'queue',
    'topic',
    'temporary-queue',
    'temporary-topic',
  ]),
  /** Trace context in the form of a header of the X-Ray kind. */
  traceHeader: rule('trace-header'),

  /** `empty`: the sender gave a table of headers, with nothing in it. One that gave none says nothing. */
  headers: rule('headers', ['empty'], false),

  /** Which header has which type; see `HeaderTypes`. */
  types: rule('types', 'text', false),
} as const satisfies Record<string, PropertyRule>;

export type PropertyName = keyof typeof rules;

/** Number of a property. Only good within a process: what is stored is the name. */
export type PropertyId = number;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the table has no keys but those of its type
export const propertyNames = Object.keys(rules) as PropertyName[];

const ruleList: readonly PropertyRule[] = propertyNames.map((name) => rules[name]);

/** The properties by name, as numbers: `property.contentType`. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one entry for each name
export const property = Object.fromEntries(propertyNames.map((name, index) => [name, index])) as {
  readonly [name in PropertyName]: PropertyId;
};

export const propertyCount = ruleList.length;

const table = new NameTable(ruleList.map(({ name }) => name));
const prefixBytes = Buffer.from(propertyPrefix, 'latin1');

/** Prefix of names under which annotations of a message are stored, verbatim behind it. */
export const annotationPrefix = 'pabal.annotation.';
/** Prefix of names under which what follows a message's body is stored. */
export const footerPrefix = 'pabal.footer.';

/** The header's name: `pabal.content-type`. */
export function headerNameOf(id: PropertyId): string {
  return ruleList[id]!.name;
}

/** As it stands in a record. */
export function headerNameBytesOf(id: PropertyId): Uint8Array {
  return table.bytesOf(id);
}

export function formOf(id: PropertyId): PropertyRule['form'] {
  return ruleList[id]!.form;
}

/** Whether applications set and see it as a header where their protocol has no word for it. */
export function isPassable(id: PropertyId): boolean {
  return ruleList[id]!.isPassable;
}

/** Whether `bytes[at, at + length)` begins with `pabal.`. */
export function hasPropertyPrefix(bytes: Uint8Array, at: number, length: number): boolean {
  // The first byte alone settles it for nearly every header of an application.
  return length >= 6 && bytes[at] === 0x70 && matchesAt(bytes, at, prefixBytes);
}

/** The property whose header's name is `bytes[at, at + length)`; −1 for none. */
export function findProperty(bytes: Uint8Array, at: number, length: number): PropertyId {
  return table.find(bytes, at, length);
}

/** Whether a property can have the value. */
export function fitsForm(id: PropertyId, value: string): boolean {
  const form = formOf(id);
  if (form === 'text') return true;
  if (form === 'integer') return /^\d{1,15}$/.test(value);
  if (form === 'json') return isJson(value);
  return form.includes(value);
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
