import { Kafka, logLevel, type Producer } from 'kafkajs';
import type { SeededRandom } from '../../src/testing/index.ts';
import { patienceMs, patientKafka } from '../support/patience.ts';
import { type ProducerLedger, recordValue } from './ledger.ts';
import type { Worker } from './worker.ts';

/** Several restarts may follow each other, and each may take long. */
const retryMs = 200;
const retriesMax = (3 * patienceMs) / retryMs;

/** A producer of kafkajs. The idempotent one tries again by itself, through any number of crashes. */
export class KafkajsProducer implements Worker {
  readonly #ledger: ProducerLedger;
  readonly #random: SeededRandom;
  #producer: Producer | undefined;
  #sending: Promise<void> | undefined;

  constructor(ledger: ProducerLedger, random: SeededRandom) {
    this.#ledger = ledger;
    this.#random = random;
  }

  async work(port: number, isStopping: () => boolean): Promise<void> {
    if (this.#producer === undefined) {
      const producer = new Kafka({
        clientId: this.#ledger.name,
        brokers: [`127.0.0.1:${port}`],
        logLevel: logLevel.NOTHING,
        ...patientKafka,
        retry: this.#ledger.isIdempotent
          ? { retries: retriesMax, initialRetryTime: 50, maxRetryTime: retryMs }
          : { retries: 0 },
      }).producer({
        idempotent: this.#ledger.isIdempotent,
        maxInFlightRequests: 1,
        createPartitioner:
          () =>
          ({ message }) =>
            Number(message.headers?.partition),
        // kafkajs does not let an idempotent producer have another number.
        ...(this.#ledger.isIdempotent ? {} : { retry: { retries: 0 } }),
      });
      try {
        await producer.connect();
      } catch {
        return;
      }
      this.#producer = producer;
    }
    while (!isStopping()) {
      this.#sending ??= this.#send(this.#producer).finally(() => {
        this.#sending = undefined;
      });
      await this.#sending;
    }
  }

  /** Waits for what is under way, and ends. */
  async close(): Promise<void> {
    await this.#sending;
    await this.#producer?.disconnect();
  }

  async #send(producer: Producer): Promise<void> {
    const { name, topic, partition, ackedOffsets, isIdempotent } = this.#ledger;
    const firstNumber = this.#ledger.sentCount;
    const count = 1 + this.#random.nextInt(5);
    const messages = Array.from({ length: count }, (_, index) => ({
      value: recordValue(name, firstNumber + index, this.#random.nextInt(500)),
      headers: { partition: String(partition) },
    }));
    for (let index = 0; index < count; index++) ackedOffsets.push(-1);
    this.#ledger.sentCount += count;
    try {
      const [result] = await producer.send({ topic, acks: -1, messages });
      const baseOffset = Number(result?.baseOffset);
      for (let index = 0; index < count; index++) {
        ackedOffsets[firstNumber + index] = baseOffset + index;
      }
    } catch (error) {
      if (isIdempotent) throw error;
      // The broker is gone, or not there again yet.
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
  }
}
