import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import type { QueueBed, Sent } from './queue-bed.ts';

/** A producer whose batches belong to transactions. */
export class Transacting {
  readonly #bed: QueueBed;
  readonly #producerId: number;
  #sequence = 0;

  constructor(bed: QueueBed, producerId: number) {
    this.#bed = bed;
    this.#producerId = producerId;
  }

  /** One batch of the transaction that is open, or begins; durable when it resolves. */
  async write(...messages: ReadonlyArray<string | Sent>): Promise<void> {
    const bed = this.#bed;
    bed.log.beginTransaction(this.#producerId, 0);
    const builder = new RecordBatchBuilder();
    for (const message of messages) {
      const sent: Sent = typeof message === 'string' ? { text: message } : message;
      const headers = Object.entries(sent.headers ?? {}).map(([name, text]): [string, Buffer] => [
        name,
        Buffer.from(text),
      ]);
      const value = Buffer.from(sent.text);
      builder.add({ key: null, value, headers, timestampMs: bed.clock.nowMs() });
    }
    const batch = builder.build({
      producerId: this.#producerId,
      producerEpoch: 0,
      baseSequence: this.#sequence,
      isTransactional: true,
    });
    this.#sequence += messages.length;
    await bed.clock.runUntil(bed.log.append(batch));
    await bed.settle();
  }

  async end(outcome: 'commit' | 'abort'): Promise<void> {
    const bed = this.#bed;
    await bed.clock.runUntil(bed.log.endTransaction(this.#producerId, 0, outcome, 0));
    await bed.settle();
  }
}
