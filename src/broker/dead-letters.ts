import { BrokerError, type Clock, limits, ProtocolError } from '../base/index.ts';
import { asBuffer } from '../bytes/index.ts';
import {
  addDeath,
  addRoute,
  type Death,
  decodeCopies,
  decodeDeaths,
  encodeCopies,
  encodeDeaths,
  encodeOrigin,
  type Fields,
  HeaderReader,
  HeaderWriter,
  headerNameOf,
  property,
  type PropertyId,
  propertyCount,
  type Origin,
  readFields,
  readOrigin,
  readRoute,
} from '../message/index.ts';
import type {
  DeathNotes,
  DeathReason,
  Lease,
  PartitionQueue,
  QueueEvents,
  QueueMessage,
} from '../shard/index.ts';
import {
  emptyMessage,
  type ExchangesPort,
  type OutgoingMessage,
  type PublishGroup,
  type PublisherPort,
  type RoutingFacts,
} from './ports/index.ts';
import type { RefusedMessages } from './publisher.ts';
import { TopicQueue } from './queues/index.ts';
import type { Topic, TopicsPort } from './types.ts';
import { bodyOf } from './outgoing-body.ts';

/** A message that could not be moved now rests in its queue for so long. */
const pauseMs = 1000;

export interface DeadLettersParts {
  clock: Clock;
  topics: () => TopicsPort;
  publisher: () => PublisherPort;
  exchanges: () => ExchangesPort;
}

/** One that is on its way. */
interface InFlight {
  part: PartitionQueue;
  lease: Lease;
  bytes: number;
  /** No queue that it went to took it. */
  isRefused: boolean;
}

/** Where the parts of a message are that died: all in `bytes`; −1 bytes are null. */
interface Deceased {
  bytes: Uint8Array;
  keyAt: number;
  keyBytes: number;
  headersAt: number;
  headersEnd: number;
  /** Where it was; undefined for one that its queue refused. */
  place: { origin: Origin; timestampMs: number } | undefined;
}

/**
 * Moves messages that died to where their queue wants them. The queue lets go of a message only when it is durable at its
 * new place; what cannot be moved stays in the queue and dies again after a pause. Nobody gets what no queue is bound
 * for, and what goes round in a circle without anybody having rejected it.
 */
export class DeadLetters implements QueueEvents, RefusedMessages {
  readonly #parts: DeadLettersParts;
  readonly #writer = new HeaderWriter();
  readonly #letter = emptyMessage();
  #count = 0;
  #bytes = 0;

  constructor(parts: DeadLettersParts) {
    this.#parts = parts;
  }

  died(part: PartitionQueue, message: QueueMessage, lease: Lease, reason: DeathReason): void {
    const bytes = message.headersBytes + Math.max(0, message.valueBytes);
    if (this.#count >= limits.deadLettersMax || this.#bytes >= limits.deadLettersBytesMax) {
      part.release(lease, { delayMs: pauseMs, isFailure: false });
      return;
    }
    const flight: InFlight = { part, lease, bytes, isRefused: false };
    const { owner } = part;
    // A queue that is not linked yet, in the first moments of a broker.
    if (!(owner instanceof TopicQueue)) return this.#giveBack(flight);
    const isBare = owner.settings.deadLetter?.isBare === true;
    const { valueAt } = message;
    const valueBytes = isBare ? -1 : message.valueBytes;
    const body = valueBytes <= 0 ? [] : [message.bytes.subarray(valueAt, valueAt + valueBytes)];
    const deceased: Deceased = {
      bytes: message.bytes,
      keyAt: message.keyAt,
      keyBytes: message.keyBytes,
      headersAt: message.headersAt,
      headersEnd: message.headersAt + message.headersBytes,
      place: {
        origin: {
          topicId: owner.topic.id,
          partition: part.partition.index,
          offset: message.offset,
          deliveries: message.deliveries,
        },
        timestampMs: message.timestampMs,
      },
    };
    try {
      const targets = this.#address(owner, deceased, reason);
      this.#send(targets, body, valueBytes, flight);
    } catch (error) {
      // It cannot be stored now, or its headers cannot be read: it is not lost for that.
      if (!(error instanceof BrokerError || error instanceof ProtocolError)) throw error;
      this.#giveBack(flight);
    }
  }

  /** A full queue's refusal, which its publisher is told: the message goes nowhere else when it cannot be stored now. */
  refused(queue: TopicQueue, message: OutgoingMessage): void {
    if (this.#count >= limits.deadLettersMax || this.#bytes >= limits.deadLettersBytesMax) return;
    const { key, headers } = message;
    const bytes = key === null ? headers : Buffer.concat([headers, key]);
    const deceased: Deceased = {
      bytes,
      keyAt: headers.length,
      keyBytes: key?.length ?? -1,
      headersAt: 0,
      headersEnd: headers.length,
      place: undefined,
    };
    try {
      const targets = this.#address(queue, deceased, 'maxlen');
      this.#send(targets, bodyOf(message), message.bodyBytes, undefined);
    } catch (error) {
      if (!(error instanceof BrokerError || error instanceof ProtocolError)) throw error;
    }
  }

  #send(
    targets: readonly Topic[],
    body: readonly Uint8Array[],
    bodyBytes: number,
    flight: InFlight | undefined,
  ): void {
    if (targets.length === 0) {
      flight?.part.accept(flight.lease);
      return;
    }
    const letter = this.#letter;
    letter.body = body;
    letter.bodyBytes = bodyBytes;
    const publisher = this.#parts.publisher();
    const group = publisher.open(this.#done);
    group.context = flight;
    this.#count++;
    this.#bytes += flight?.bytes ?? 0;
    let taken = 0;
    try {
      for (const target of targets)
        if (publisher.add(group, target, letter) !== 'rejected') taken++;
    } finally {
      if (flight !== undefined) flight.isRefused = taken === 0;
      publisher.close(group);
      letter.body = [];
    }
  }

  readonly #done = (group: PublishGroup, error: BrokerError | undefined): void => {
    // `#send` has put it there.
    const flight = group.context as InFlight | undefined;
    this.#count--;
    if (flight === undefined) return;
    this.#bytes -= flight.bytes;
    if (error !== undefined || flight.isRefused) this.#giveBack(flight);
    else flight.part.accept(flight.lease);
  };

  #giveBack({ part, lease }: InFlight): void {
    part.release(lease, { delayMs: pauseMs, isFailure: false });
  }

  /** Fills the letter, all but its body, and answers where it goes. */
  #address(queue: TopicQueue, deceased: Deceased, reason: DeathReason): readonly Topic[] {
    const target = queue.settings.deadLetter;
    if (target === undefined) return [];
    const { bytes, headersAt, headersEnd } = deceased;
    const nowMs = this.#parts.clock.nowMs();
    const history = readHistory(deceased);
    const route = readRoute(
      bytes,
      headersAt,
      headersEnd,
      deceased.keyAt,
      deceased.keyBytes,
      queue.name,
    );
    const keys = [route.routingKey, ...history.copies];
    const deaths = addDeath(history.deaths, {
      queue: queue.name,
      reason,
      exchange: route.exchange,
      keys,
      timeMs: nowMs,
      ...(history.expiration === undefined ? {} : { expiration: history.expiration }),
    });
    const newKeys = target.key === undefined ? keys : [target.key];
    const writer = this.#writer;
    writer.reset();
    const isWhole = target.isBare !== true;
    if (isWhole && typeof route.key === 'string') writer.key = Buffer.from(route.key, 'utf8');
    else if (isWhole && typeof route.key === 'object') writer.key = route.key;
    const copies = newKeys.slice(1);
    const key = addRoute(writer, target.exchange, newKeys[0] ?? '', copies.length > 0);
    if (copies.length > 0) writer.text(property.copies, encodeCopies(copies));
    writer.text(property.deaths, encodeDeaths(deaths));
    if (!history.hasFirst) {
      writer.text(property.firstDeathQueue, queue.name);
      writer.text(property.firstDeathReason, reason);
      writer.text(property.firstDeathExchange, route.exchange);
    }
    writer.text(property.lastDeathQueue, queue.name);
    writer.text(property.lastDeathReason, reason);
    writer.text(property.lastDeathExchange, route.exchange);
    const { place } = deceased;
    if (place !== undefined) {
      const first = readOrigin(bytes, headersAt, headersEnd);
      const deliveries = place.origin.deliveries + (first?.deliveries ?? 0);
      writer.text(property.origin, encodeOrigin({ ...(first ?? place.origin), deliveries }));
    }
    if (target.notes !== undefined) note(writer, target.notes, queue, place?.origin, reason);
    if (isWhole) writer.copy(bytes, headersAt, headersEnd, isLeftOut);
    const letter = this.#letter;
    letter.key = key;
    letter.headers = writer.finish();
    letter.headerCount = writer.count;
    // Where retention is what ends messages, that goes on elsewhere; an order, which begins anew, has its own time.
    const keepsTime = queue.settings.dropsExpired && !queue.form.isGrouped;
    letter.timestampMs = keepsTime && place !== undefined ? place.timestampMs : nowMs;
    letter.priority = writer.priority;
    letter.groupId = writer.groupId;
    letter.dedupId = writer.dedupId;
    const facts = new Facts(newKeys, deceased);
    return this.#route(queue.namespace, target.exchange, facts).filter(
      (topic) => reason === 'rejected' || !isCircle(topic.name, deaths),
    );
  }

  #route(namespace: string, exchangeName: string, facts: RoutingFacts): readonly Topic[] {
    if (exchangeName !== '') {
      const exchanges = this.#parts.exchanges();
      const exchange = exchanges.find(namespace, exchangeName);
      return exchange === undefined ? [] : exchanges.route(exchange, facts);
    }
    const topics: Topic[] = [];
    for (const key of facts.keys) {
      const topic = this.#parts.topics().find(key, namespace);
      if (topic !== undefined && !topics.includes(topic)) topics.push(topic);
    }
    return topics;
  }
}

/** `origin`: undefined for a message that its queue refused. */
function note(
  writer: HeaderWriter,
  notes: DeathNotes,
  { name, subscription }: TopicQueue,
  origin: Origin | undefined,
  reason: DeathReason,
): void {
  const texts: Array<readonly [string, string]> = [
    [notes.topic, name],
    [notes.subscription, subscription === '' ? name : subscription],
    [notes.reason, notes.reasons[reason]],
  ];
  if (origin !== undefined) {
    texts.push(
      [notes.partition, String(origin.partition)],
      [notes.offset, String(origin.offset)],
      [notes.deliveries, String(origin.deliveries)],
    );
  }
  for (const [header, value] of texts) {
    writer.name(header);
    writer.valueText(value);
  }
}

/** What a message loses when it dies: what was said of its life in that queue, and what is said anew. */
const leftOut = new Uint8Array(propertyCount);
for (const id of [
  property.expiresAt,
  property.expiration,
  property.deliverAt,
  // A second death would be taken for a repetition of the first, and be lost.
  property.dedupId,
  property.origin,
  property.exchange,
  property.routingKey,
  property.copies,
])
  leftOut[id] = 1;

function isLeftOut(id: PropertyId): boolean {
  return leftOut[id] === 1;
}

/**
 * Whether the message has been in the queue before and nobody rejected it since: it would go round for ever. The list is
 * newest first.
 */
function isCircle(queueName: string, deaths: readonly Death[]): boolean {
  for (const death of deaths) {
    if (death.reason === 'rejected') return false;
    if (death.queue === queueName) return true;
  }
  return false;
}

interface History {
  deaths: readonly Death[];
  copies: readonly string[];
  expiration: string | undefined;
  hasFirst: boolean;
}

function readHistory({ bytes, headersAt, headersEnd }: Deceased): History {
  const history: History = { deaths: [], copies: [], expiration: undefined, hasFirst: false };
  const reader = new HeaderReader().begin(bytes, headersAt, headersEnd);
  while (reader.next()) {
    if (reader.property === property.deaths) history.deaths = decodeDeaths(reader.text);
    else if (reader.property === property.copies) history.copies = decodeCopies(reader.text);
    else if (reader.property === property.expiration) history.expiration = reader.text;
    else if (reader.property === property.firstDeathQueue) history.hasFirst = true;
  }
  return history;
}

/** What the dead message is routed by. */
class Facts implements RoutingFacts {
  readonly keys: readonly string[];
  readonly #deceased: Deceased;
  #fields: Fields | undefined;

  constructor(keys: readonly string[], deceased: Deceased) {
    this.keys = keys;
    this.#deceased = deceased;
  }

  headers(): Fields {
    const { bytes, headersAt, headersEnd } = this.#deceased;
    this.#fields ??= readFields(bytes, headersAt, headersEnd);
    return this.#fields;
  }

  property(name: string): string | undefined {
    const wanted = `pabal.${name}`;
    const { bytes, headersAt, headersEnd } = this.#deceased;
    const reader = new HeaderReader().begin(asBuffer(bytes), headersAt, headersEnd);
    while (reader.next()) {
      if (reader.property >= 0 && headerNameOf(reader.property) === wanted) return reader.text;
    }
    return undefined;
  }
}
