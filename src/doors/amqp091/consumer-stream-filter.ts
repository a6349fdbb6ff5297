import { limits } from '../../base/index.ts';
import { HeaderReader } from '../../message/index.ts';
import type { QueueMessage } from '../../shard/index.ts';
import { AmqpError } from './amqp-error.ts';
import type { Field, FieldTable } from './wire/index.ts';

/** The header by which publishers say what a message's filter value is. */
const valueHeader = Buffer.from('x-stream-filter-value', 'latin1');

/**
 * What of a stream a consumer wants (https://www.rabbitmq.com/docs/streams#filtering): messages whose filter value is one of
 * its own, and those without one if it says so. Exact, where RabbitMQ leaves the rest of a chunk to the client.
 */
export class StreamFilter {
  readonly #values: ReadonlySet<string>;
  readonly #matchesUnfiltered: boolean;
  readonly #reader = new HeaderReader();

  constructor(values: ReadonlySet<string>, matchesUnfiltered: boolean) {
    this.#values = values;
    this.#matchesUnfiltered = matchesUnfiltered;
  }

  /** Throws a ProtocolError for headers that cannot be read. */
  matches({ bytes, headersAt, headersBytes }: QueueMessage): boolean {
    const reader = this.#reader.begin(bytes, headersAt, headersAt + headersBytes);
    while (reader.next()) {
      const { nameAt, nameBytes } = reader;
      if (nameBytes !== valueHeader.length) continue;
      if (reader.bytes.compare(valueHeader, 0, nameBytes, nameAt, nameAt + nameBytes) !== 0)
        continue;
      return reader.valueBytes < 0 ? this.#matchesUnfiltered : this.#values.has(reader.text);
    }
    return this.#matchesUnfiltered;
  }
}

/** The arguments `x-stream-filter` and `x-stream-match-unfiltered`; undefined without the first. Throws an AmqpError. */
export function readStreamFilter(values: FieldTable): StreamFilter | undefined {
  const field = values.get('x-stream-filter');
  const unfiltered = values.get('x-stream-match-unfiltered');
  if (unfiltered !== undefined && unfiltered.type !== 't') {
    throw invalid('x-stream-match-unfiltered', unfiltered);
  }
  if (field === undefined) return undefined;
  return new StreamFilter(new Set(readValues(field)), unfiltered?.value === true);
}

function readValues(field: Field): readonly string[] {
  if (field.type === 'S') return [field.value];
  if (field.type !== 'A' || field.value.length > limits.streamFilterValuesMax) {
    throw invalid('x-stream-filter', field);
  }
  return field.value.map((item) => {
    if (item.type !== 'S') throw invalid('x-stream-filter', item);
    return item.value;
  });
}

function invalid(name: string, { type }: Field): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `invalid arg '${name}': type ${type}`);
}
