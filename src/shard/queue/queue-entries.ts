import type { ByteReader, ByteWriter } from '../../bytes/index.ts';
import { entryKind } from '../entry.ts';
import type { LiveQueue } from './live-queue.ts';
import type { QueueForm } from './types.ts';

/** Entry kinds of queues. */
export const queueEntryKind = {
  /** Queue (see `encodeIdentity`); varlongs start offset, ingested offset, body bytes in between. */
  opened: entryKind.extensionMin + 96,
  /** u32 queue number. */
  dropped: entryKind.extensionMin + 97,
  /** Per queue that has changed: u32 queue number, u32 bytes of what follows, its changes (see `queue-changes.ts`). */
  changed: entryKind.extensionMin + 98,
  /** Last of those that belong to queues. */
  last: entryKind.extensionMin + 127,
} as const;

const noName = new Uint8Array(0);

/** What a queue is, for the journal. */
export interface QueueIdentity {
  id: number;
  partition: number;
  subscription: string;
  form: QueueForm;
}

/**
 * u32 queue number, u32 partition number, u16 bytes and UTF-8 of the subscription, u8 form bits (1 grouped, 2 fair), u16
 * greatest and u16 default priority.
 */
export function encodeIdentity(writer: ByteWriter, queue: LiveQueue): void {
  const { form } = queue;
  // A snapshot holds very many of them, and most have no name.
  const name = queue.subscription === '' ? noName : Buffer.from(queue.subscription, 'utf8');
  writer.uint32(queue.id);
  writer.uint32(queue.partition.number);
  writer.uint16(name.length);
  writer.bytes(name);
  writer.uint8((form.isGrouped ? 1 : 0) | (form.isFair ? 2 : 0));
  writer.uint16(form.priorityMax);
  writer.uint16(form.priorityDefault);
}

export function decodeIdentity(reader: ByteReader): QueueIdentity {
  const id = reader.uint32();
  const partition = reader.uint32();
  const subscription = reader.utf8(reader.uint16());
  const bits = reader.uint8();
  const form = {
    priorityMax: reader.uint16(),
    priorityDefault: reader.uint16(),
    isGrouped: (bits & 1) !== 0,
    isFair: (bits & 2) !== 0,
  };
  return { id, partition, subscription, form };
}
