import { limits } from '../base/index.ts';
import {
  batchAttributes,
  batchHeaderBytes,
  batchLastOffset,
  batchTotalBytes,
  forEachRecord,
  isControlBatch,
  type RecordCursor,
} from '../bytes/index.ts';
import type { ResponseOf } from '../doors/kafka/wire/index.ts';
import type { LogClient } from './log-client.ts';
import { ServerError, serverErrors } from './server-error.ts';

/** Where to read on. */
export interface Position {
  topic: string;
  partition: number;
  offset: number;
}

export interface ReaderOptions {
  /** How long the server waits for something to come. Default 500. */
  waitMs?: number;
  /** Bytes of one answer, about. Default 8 MiB. */
  bytesMax?: number;
  /** Where to go on when records that were to be read are gone: the beginning, the end, or to fail (the default). */
  onLost?: 'earliest' | 'latest';
}

/**
 * Called for each record. The record is borrowed until it returns; slices of it stay as they are, but keep the whole
 * answer in memory. False: stop before the next.
 */
export type RecordVisitor = (record: RecordCursor, position: Position) => boolean | void;

/** Reads partitions from given positions on. */
export class Reader {
  readonly #client: LogClient;
  readonly #options: ReaderOptions;
  #positions: Position[] = [];

  constructor(client: LogClient, options: ReaderOptions = {}) {
    this.#client = client;
    this.#options = options;
  }

  /** What it reads, with the offsets that come next; they move on with each poll. */
  get positions(): readonly Readonly<Position>[] {
    return this.#positions;
  }

  /** Reads these from now on, and no others. */
  assign(positions: readonly Position[]): void {
    this.#positions = positions.map((position) => ({ ...position }));
  }

  /**
   * Asks once for what follows and visits it; resolves with the number of records visited, 0 when nothing came in
   * `waitMs`. A position stands behind each record that was visited, also when a visitor stops it or throws.
   */
  async poll(visit: RecordVisitor): Promise<number> {
    const byLeader = new Map<number, Position[]>();
    for (const position of this.#positions) {
      const leader = await this.#client.leaderOf(position.topic, position.partition);
      const led = byLeader.get(leader);
      if (led === undefined) byLeader.set(leader, [position]);
      else led.push(position);
    }
    if (byLeader.size === 0) {
      await new Promise((resolve) => setTimeout(resolve, this.#options.waitMs ?? 500));
      return 0;
    }
    const answers = await Promise.all(
      [...byLeader].map(([leader, positions]) => this.#fetch(leader, positions)),
    );
    let count = 0;
    let isStopped = false;
    const counting: RecordVisitor = (record, position) => {
      count++;
      if (visit(record, position) === false) isStopped = true;
      return !isStopped;
    };
    for (const { responses } of answers) {
      for (const { topic, partitions } of responses) {
        for (const answer of partitions) {
          const position = this.#positions.find(
            (one) => one.topic === topic && one.partition === answer.partitionIndex,
          );
          if (isStopped) return count;
          if (position !== undefined) await this.#take(position, answer, counting);
        }
      }
    }
    // The next poll begins with others, so that one partition cannot starve the rest.
    const first = this.#positions.shift();
    if (first !== undefined) this.#positions.push(first);
    return count;
  }

  async #fetch(leader: number, positions: readonly Position[]): Promise<ResponseOf<'Fetch'>> {
    const waitMs = this.#options.waitMs ?? 500;
    const bytesMax = this.#options.bytesMax ?? 8 * 1024 * 1024;
    const topics = new Map<string, Position[]>();
    for (const position of positions) {
      topics.set(position.topic, [...(topics.get(position.topic) ?? []), position]);
    }
    // A connection of its own: a long poll holds back the answers behind it.
    const connection = await this.#client.connectionTo(leader, 'read');
    return connection.request(
      'Fetch',
      {
        maxWaitMs: waitMs,
        minBytes: 1,
        maxBytes: bytesMax,
        topics: [...topics].map(([topic, list]) => ({
          topic,
          partitions: list.map(({ partition, offset }) => ({
            partition,
            fetchOffset: offset,
            partitionMaxBytes: Math.min(bytesMax, 1024 * 1024),
          })),
        })),
        forgottenTopicsData: [],
      },
      waitMs,
    );
  }

  async #take(
    position: Position,
    answer: ResponseOf<'Fetch'>['responses'][number]['partitions'][number],
    visit: RecordVisitor,
  ): Promise<void> {
    const { errorCode, records } = answer;
    if (errorCode === serverErrors.offsetOutOfRange && this.#options.onLost !== undefined) {
      const timestampMs = this.#options.onLost === 'earliest' ? -2 : -1;
      const { partitionCount } = await this.#client.describeTopic(position.topic);
      const offsets = await this.#client.findOffsets(position.topic, partitionCount, timestampMs);
      position.offset = offsets[position.partition] ?? 0;
      return;
    }
    if (errorCode === serverErrors.notLeader || errorCode === serverErrors.leaderNotAvailable) {
      this.#client.forgetLeaders(position.topic);
      return;
    }
    if (errorCode !== 0) {
      const subject = `topic "${position.topic}", partition ${position.partition}`;
      throw new ServerError(errorCode, subject);
    }
    if (records !== null) visitBatches(records, position, visit);
  }
}

/** A server may cut the last batch short: it is asked for again. */
function visitBatches(records: Uint8Array, position: Position, visit: RecordVisitor): void {
  let at = 0;
  while (records.length - at >= batchHeaderBytes) {
    const bytes = batchTotalBytes(records, at);
    if (bytes < batchHeaderBytes || bytes > records.length - at) return;
    let isStopped = false;
    if (!isControlBatch(batchAttributes(records, at))) {
      forEachRecord(records, at, limits.frameBytesMax, (record) => {
        // The first batch may begin before the offset that was asked for.
        if (record.offset < position.offset) return true;
        position.offset = record.offset + 1;
        isStopped = visit(record, position) === false;
        return !isStopped;
      });
    }
    if (isStopped) return;
    position.offset = Math.max(position.offset, batchLastOffset(records, at) + 1);
    at += bytes;
  }
}
