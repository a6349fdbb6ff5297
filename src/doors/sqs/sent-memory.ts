import { limits } from '../../base/index.ts';

/** What a body is that was sent as a text and stored so. */
export const textForm = {
  /** UTF-8. */
  any: 0,
  /** ASCII: as many bytes as characters. */
  ascii: 1,
  /** ASCII that stands in JSON as it is. */
  plain: 2,
} as const;
export type TextForm = (typeof textForm)[keyof typeof textForm];

const slotsCount = limits.webSentMessagesMax;

/**
 * What the senders of the newest messages were told, for the answers to those who receive them: ids and digests are much of
 * the work of a message. A message that is not found here is looked at again. Only what is durable may be noted: an offset
 * that a failed write gave back is given to another message. Without durable writes that may happen later, too: the message's
 * time tells.
 */
export class SentMemory {
  readonly #topicIds: string[] = [];
  readonly #partitions = new Uint32Array(slotsCount);
  readonly #offsets = new Float64Array(slotsCount).fill(-1);
  readonly #times = new Float64Array(slotsCount);
  readonly #ids: string[] = [];
  readonly #digests: string[] = [];
  readonly #forms = new Uint8Array(slotsCount);

  /** Only for bodies that are stored as the text that was sent. */
  note(
    topicId: string,
    partition: number,
    offset: number,
    timestampMs: number,
    id: string,
    digest: string,
    form: TextForm,
  ): void {
    const slot = slotOf(partition, offset);
    // Filled in order at first, so that the lists have no holes.
    while (this.#topicIds.length <= slot) {
      this.#topicIds.push('');
      this.#ids.push('');
      this.#digests.push('');
    }
    this.#topicIds[slot] = topicId;
    this.#partitions[slot] = partition;
    this.#offsets[slot] = offset;
    this.#times[slot] = timestampMs;
    this.#ids[slot] = id;
    this.#digests[slot] = digest;
    this.#forms[slot] = form;
  }

  /** Where it is noted; -1: nowhere. Good until the next `note`. */
  find(topicId: string, partition: number, offset: number, timestampMs: number): number {
    const slot = slotOf(partition, offset);
    const isIt =
      this.#offsets[slot] === offset &&
      this.#times[slot] === timestampMs &&
      this.#partitions[slot] === partition &&
      this.#topicIds[slot] === topicId;
    return isIt ? slot : -1;
  }

  idAt(slot: number): string {
    return this.#ids[slot] ?? '';
  }

  digestAt(slot: number): string {
    return this.#digests[slot] ?? '';
  }

  formAt(slot: number): TextForm {
    // A cast: only these were put there.
    return this.#forms[slot] as TextForm;
  }
}

function slotOf(partition: number, offset: number): number {
  return (offset + Math.imul(partition, 0x9e37)) & (slotsCount - 1);
}
