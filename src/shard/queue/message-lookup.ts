import type { PartitionLog } from '../partition-log.ts';
import { copyView, isDamage, isDeleted, MessageView, MessageWindow } from './message-window.ts';
import type { Listed } from './queue-listing.ts';
import type { QueueMessage } from './types.ts';

const peekBytes = 64 * 1024;

/**
 * Reads the messages of a list, as far as they are durable and can be read, until their bodies are more than `bytesMax`; one
 * at least.
 */
export async function peekMessages(
  log: PartitionLog,
  list: Iterable<Listed>,
  bytesMax: number,
  givesUncommitted: boolean,
): Promise<QueueMessage[]> {
  const window = new MessageWindow(log, peekBytes, !givesUncommitted);
  const end = givesUncommitted ? log.highWatermark : log.lastStableOffset;
  const view = new MessageView();
  const messages: QueueMessage[] = [];
  let bytes = 0;
  // What is listed now is the answer, whatever happens while it is read.
  const listed = Array.from(list);
  for (const { offset, deliveries, failures } of listed) {
    if (offset >= end) continue;
    if (window.seek(offset) === 'away') {
      try {
        await window.load(offset);
      } catch (error) {
        if (isDeleted(error) || isDamage(error)) continue;
        throw error;
      }
    }
    if (window.seek(offset) !== 'here') continue;
    window.show(view);
    bytes += Math.max(view.valueBytes, 0);
    if (messages.length > 0 && bytes > bytesMax) break;
    view.deliveries = deliveries;
    view.failures = failures;
    messages.push(copyView(view));
  }
  return messages;
}

/** The timestamp of the oldest message that is not settled. */
export class OldestMessage {
  readonly #log: PartitionLog;
  #offset = -1;
  #timestampMs = -1;

  constructor(log: PartitionLog) {
    this.#log = log;
  }

  /** Undefined when there is none, and while it is being read: whoever asks again later is told. */
  find(offset: number): number | undefined {
    if (offset >= this.#log.highWatermark) return undefined;
    if (this.#offset !== offset) this.#look(offset);
    return this.#offset === offset && this.#timestampMs >= 0 ? this.#timestampMs : undefined;
  }

  #look(offset: number): void {
    const window = new MessageWindow(this.#log, 1);
    const note = (): void => {
      if (window.seek(offset) !== 'here') return;
      const view = new MessageView();
      window.show(view);
      this.#offset = offset;
      this.#timestampMs = view.timestampMs;
    };
    try {
      const reading = window.load(offset);
      if (reading === undefined) note();
      else reading.then(note, () => undefined);
    } catch (error) {
      if (!isDeleted(error)) throw error;
    }
  }
}
