import { present } from '../../base/index.ts';
import { ByteReader, ByteWriter } from '../../bytes/index.ts';
import { entryKind } from '../entry.ts';
import type { StateExtension } from '../extension.ts';
import type { PartitionKey } from '../group/index.ts';
import {
  decodeOperations,
  encodeOperations,
  type PreparedOperations,
} from './prepared-operations.ts';
import { type ProducerRecord, transactionStates } from './producer-record.ts';

/** Entry kinds of transactions. A "text" is a u16 length and UTF-8, a "transaction" u16 shard, u32 epoch, u32 number. */
export const transactionEntryKind = {
  /** A transactional id as in `writeRecord`; unless it is prepared, nothing takes part in a transaction of it any more. */
  producerSaved: entryKind.extensionMin + 128,
  /** Text id, i64 time, u32 count, then per partition: text topic id, u32 index; u32 count, then per group: text. */
  participantsAdded: entryKind.extensionMin + 129,
  /** Text id. */
  producerForgotten: entryKind.extensionMin + 130,
  /** Transaction, operations (see `encodeOperations`): this shard will do them if the transaction is committed. */
  prepared: entryKind.extensionMin + 131,
  /** Transaction: its operations here are done, or will not be. */
  unprepared: entryKind.extensionMin + 132,
  /** Transaction: it is committed. This shard is the one that decides. */
  decided: entryKind.extensionMin + 133,
  /** Transaction: all that take part have done their operations. */
  finished: entryKind.extensionMin + 134,
} as const;

const kindMax = entryKind.extensionMin + 159;
const layoutVersion = 1;

/** A transaction over several shards: the shard that decides, its epoch then, a number of that epoch. */
export interface TransactionId {
  readonly shard: number;
  readonly epoch: number;
  readonly number: number;
}

export interface Participants {
  /** By topic id: indexes. */
  readonly partitions: Map<string, Set<number>>;
  readonly groups: Set<string>;
}

export interface StoredProducer extends Participants {
  record: ProducerRecord;
}

export interface Prepared {
  readonly id: TransactionId;
  readonly operations: PreparedOperations;
  readonly bytes: number;
}

/**
 * What one shard stores of transactions: the transactional ids whose coordinator lives here, what was prepared here for
 * transactions over several shards, and the decisions about those that are decided here.
 */
export class TransactionTable implements StateExtension {
  readonly name = 'transactions';
  readonly #producers = new Map<string, StoredProducer>();
  readonly #prepared = new Map<string, Prepared>();
  readonly #decided = new Map<string, TransactionId>();
  #producerIdChars = 0;
  #preparedBytes = 0;

  owns(kind: number): boolean {
    return kind >= transactionEntryKind.producerSaved && kind <= kindMax;
  }

  get producerCount(): number {
    return this.#producers.size;
  }

  /** Length of all transactional ids together. */
  get producerIdChars(): number {
    return this.#producerIdChars;
  }

  get decidedCount(): number {
    return this.#decided.size;
  }

  get preparedBytes(): number {
    return this.#preparedBytes;
  }

  findProducer(transactionalId: string): StoredProducer | undefined {
    return this.#producers.get(transactionalId);
  }

  producers(): IterableIterator<StoredProducer> {
    return this.#producers.values();
  }

  prepared(): IterableIterator<Prepared> {
    return this.#prepared.values();
  }

  findPrepared(id: TransactionId): Prepared | undefined {
    return this.#prepared.get(transactionKey(id));
  }

  isDecided(id: TransactionId): boolean {
    return this.#decided.has(transactionKey(id));
  }

  decided(): IterableIterator<TransactionId> {
    return this.#decided.values();
  }

  apply(kind: number, payload: Uint8Array): void {
    const reader = new ByteReader(payload);
    switch (kind) {
      case transactionEntryKind.producerSaved:
        return this.#applySaved(readRecord(reader));
      case transactionEntryKind.participantsAdded:
        return this.#applyAdded(reader);
      case transactionEntryKind.producerForgotten:
        return this.#forget(readText(reader));
      case transactionEntryKind.prepared: {
        const id = readId(reader);
        // The payload is borrowed, and the batches in it are slices of it.
        const bytes = Uint8Array.from(reader.bytes(reader.remaining));
        this.#addPrepared(id, bytes);
        return;
      }
      case transactionEntryKind.unprepared: {
        const key = transactionKey(readId(reader));
        this.#preparedBytes -= this.#prepared.get(key)?.bytes ?? 0;
        this.#prepared.delete(key);
        return;
      }
      case transactionEntryKind.decided: {
        const id = readId(reader);
        this.#decided.set(transactionKey(id), id);
        return;
      }
      case transactionEntryKind.finished:
        this.#decided.delete(transactionKey(readId(reader)));
        return;
      default:
        throw new Error(`an entry of kind ${kind} is of a later version`);
    }
  }

  encode(): Uint8Array {
    const writer = new ByteWriter(256);
    writer.uint8(layoutVersion);
    writer.uint32(this.#producers.size);
    for (const producer of this.#producers.values()) {
      writeRecord(writer, producer.record);
      writeParticipants(writer, producer);
    }
    writer.uint32(this.#prepared.size);
    for (const prepared of this.#prepared.values()) {
      writeId(writer, prepared.id);
      writer.uint32(prepared.bytes);
      encodeOperations(writer, prepared.operations);
    }
    writer.uint32(this.#decided.size);
    for (const id of this.#decided.values()) writeId(writer, id);
    return writer.take();
  }

  restore(state: Uint8Array | undefined): void {
    this.#producers.clear();
    this.#producerIdChars = 0;
    this.#prepared.clear();
    this.#decided.clear();
    this.#preparedBytes = 0;
    if (state === undefined) return;
    const reader = new ByteReader(state);
    if (reader.uint8() !== layoutVersion)
      throw new Error('the transactions are of a later version');
    for (let count = reader.uint32(); count > 0; count--) {
      const record = readRecord(reader);
      const producer: StoredProducer = { record, partitions: new Map(), groups: new Set() };
      readParticipants(reader, producer);
      this.#add(producer);
    }
    for (let count = reader.uint32(); count > 0; count--) {
      const id = readId(reader);
      this.#addPrepared(id, Uint8Array.from(reader.bytes(reader.uint32())));
    }
    for (let count = reader.uint32(); count > 0; count--) {
      const id = readId(reader);
      this.#decided.set(transactionKey(id), id);
    }
  }

  #add(producer: StoredProducer): void {
    const { transactionalId } = producer.record;
    this.#producers.set(transactionalId, producer);
    this.#producerIdChars += transactionalId.length;
  }

  #forget(transactionalId: string): void {
    if (this.#producers.delete(transactionalId)) this.#producerIdChars -= transactionalId.length;
  }

  #applySaved(record: ProducerRecord): void {
    const known = this.#producers.get(record.transactionalId);
    if (known === undefined) {
      const producer = { record, partitions: new Map(), groups: new Set<string>() };
      return this.#add(producer);
    }
    known.record = record;
    if (record.state.startsWith('prepare')) return;
    known.partitions.clear();
    known.groups.clear();
  }

  #applyAdded(reader: ByteReader): void {
    const producer = this.#producers.get(readText(reader));
    const timeMs = reader.safeInt64();
    if (producer === undefined) return;
    readParticipants(reader, producer);
    const { record } = producer;
    const startedMs = record.state === 'ongoing' ? record.startedMs : timeMs;
    // Somebody who goes on has the identity that was told last.
    producer.record = {
      ...record,
      state: 'ongoing',
      startedMs,
      updatedMs: timeMs,
      lastProducerId: -1,
      lastEpoch: -1,
    };
  }

  #addPrepared(id: TransactionId, bytes: Uint8Array): void {
    const operations = decodeOperations(new ByteReader(bytes));
    this.#prepared.set(transactionKey(id), { id, operations, bytes: bytes.length });
    this.#preparedBytes += bytes.length;
  }
}

export function transactionKey(id: TransactionId): string {
  return `${id.shard}.${id.epoch}.${id.number}`;
}

export function encodeRecord(record: ProducerRecord): Uint8Array {
  const writer = new ByteWriter(128);
  writeRecord(writer, record);
  return writer.take();
}

export function encodeAdded(
  transactionalId: string,
  timeMs: number,
  participants: Participants,
): Uint8Array {
  const writer = new ByteWriter(128);
  writeText(writer, transactionalId);
  writer.safeInt64(timeMs);
  writeParticipants(writer, participants);
  return writer.take();
}

export function encodeForgotten(transactionalId: string): Uint8Array {
  const writer = new ByteWriter(64);
  writeText(writer, transactionalId);
  return writer.take();
}

export function encodePrepared(id: TransactionId, operations: PreparedOperations): Uint8Array {
  let bytes = 64 + operations.settlements.length * 64;
  for (const append of operations.appends) bytes += 8 + append.bytes.length;
  const writer = new ByteWriter(bytes);
  writeId(writer, id);
  encodeOperations(writer, operations);
  return writer.take();
}

/** Payload of `unprepared`, `decided` and `finished`. */
export function encodeId(id: TransactionId): Uint8Array {
  const writer = new ByteWriter(16);
  writeId(writer, id);
  return writer.take();
}

/** Participants as partitions, for those who walk them. */
export function* participatingPartitions(participants: Participants): Generator<PartitionKey> {
  for (const [topicId, indexes] of participants.partitions) {
    for (const partition of indexes) yield { topicId, partition };
  }
}

/**
 * Text id, i64 producer id, i16 epoch, i64 and i16 of the identity before, i64 next producer id, u32 timeout, u8 state,
 * i64 start, i64 last change.
 */
function writeRecord(writer: ByteWriter, record: ProducerRecord): void {
  writeText(writer, record.transactionalId);
  writer.safeInt64(record.producerId);
  writer.int16(record.epoch);
  writer.safeInt64(record.lastProducerId);
  writer.int16(record.lastEpoch);
  writer.safeInt64(record.nextProducerId);
  writer.uint32(record.timeoutMs);
  writer.uint8(transactionStates.indexOf(record.state));
  writer.safeInt64(record.startedMs);
  writer.safeInt64(record.updatedMs);
}

function readRecord(reader: ByteReader): ProducerRecord {
  return {
    transactionalId: readText(reader),
    producerId: reader.safeInt64(),
    epoch: reader.int16(),
    lastProducerId: reader.safeInt64(),
    lastEpoch: reader.int16(),
    nextProducerId: reader.safeInt64(),
    timeoutMs: reader.uint32(),
    state: present(transactionStates[reader.uint8()], 'a state that is known'),
    startedMs: reader.safeInt64(),
    updatedMs: reader.safeInt64(),
  };
}

function writeParticipants(writer: ByteWriter, participants: Participants): void {
  let count = 0;
  for (const indexes of participants.partitions.values()) count += indexes.size;
  writer.uint32(count);
  for (const { topicId, partition } of participatingPartitions(participants)) {
    writeText(writer, topicId);
    writer.uint32(partition);
  }
  writer.uint32(participants.groups.size);
  for (const group of participants.groups) writeText(writer, group);
}

function readParticipants(reader: ByteReader, into: Participants): void {
  for (let count = reader.uint32(); count > 0; count--) {
    const topicId = readText(reader);
    const index = reader.uint32();
    const indexes = into.partitions.get(topicId);
    if (indexes === undefined) into.partitions.set(topicId, new Set([index]));
    else indexes.add(index);
  }
  for (let count = reader.uint32(); count > 0; count--) into.groups.add(readText(reader));
}

function writeId(writer: ByteWriter, id: TransactionId): void {
  writer.uint16(id.shard);
  writer.uint32(id.epoch);
  writer.uint32(id.number);
}

function readId(reader: ByteReader): TransactionId {
  return { shard: reader.uint16(), epoch: reader.uint32(), number: reader.uint32() };
}

function writeText(writer: ByteWriter, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  writer.uint16(bytes.length);
  writer.bytes(bytes);
}

function readText(reader: ByteReader): string {
  return reader.bytes(reader.uint16()).toString('utf8');
}
