import { HeaderReader } from './header-reader.ts';
import { property } from './property.ts';

/** Where a message was stored first, before it died and was moved. */
export interface Origin {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  /** Deliveries in all queues that it was in before. */
  readonly deliveries: number;
}

/** `TOPIC-ID/PARTITION/OFFSET/DELIVERIES`. */
export function encodeOrigin({ topicId, partition, offset, deliveries }: Origin): string {
  return `${topicId}/${partition}/${offset}/${deliveries}`;
}

const form = /^([^/]+)\/(\d{1,10})\/(\d{1,15})\/(\d{1,10})$/;

/** Undefined for a text of another form. */
export function decodeOrigin(text: string): Origin | undefined {
  const [, topicId, partition, offset, deliveries] = form.exec(text) ?? [];
  if (topicId === undefined) return undefined;
  return {
    topicId,
    partition: Number(partition),
    offset: Number(offset),
    deliveries: Number(deliveries),
  };
}

/** The origin that a message's encoded headers name. Throws a ProtocolError for headers that are cut. */
export function readOrigin(bytes: Uint8Array, at: number, end: number): Origin | undefined {
  const reader = new HeaderReader().begin(bytes, at, end);
  return reader.seek(property.origin) ? decodeOrigin(reader.text) : undefined;
}
