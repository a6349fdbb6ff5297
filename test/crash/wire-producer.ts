import assert from 'node:assert/strict';
import { RecordBatchBuilder } from '../../src/bytes/index.ts';
import type { SeededRandom } from '../../src/testing/index.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';
import { type ProducerLedger, recordValue } from './ledger.ts';
import type { Worker } from './worker.ts';

/** Both are what real clients do, and what a broker remembers of an idempotent producer. */
const inFlightMax = 5;

interface SentBatch {
  readonly bytes: Buffer;
  readonly firstNumber: number;
  readonly count: number;
  isAcked: boolean;
}

/**
 * A producer over the bare protocol that has several requests on the way at once. An idempotent one sends everything
 * that was not acknowledged again, byte for byte, after the connection was lost; the other never sends twice.
 */
export class WireProducer implements Worker {
  readonly #ledger: ProducerLedger;
  readonly #random: SeededRandom;
  readonly #valueBytesMax: number;
  #producerId = -1;
  #producerEpoch = -1;
  #unacked: SentBatch[] = [];

  constructor(ledger: ProducerLedger, random: SeededRandom, valueBytesMax: number) {
    this.#ledger = ledger;
    this.#random = random;
    this.#valueBytesMax = valueBytesMax;
  }

  /** Produces until the connection is lost or `isStopping`; rejects when the broker answers with an error. */
  async work(port: number, isStopping: () => boolean): Promise<void> {
    const client = await WireClient.connect(port).catch(() => undefined);
    if (client === undefined) return;
    try {
      await this.#produce(client, isStopping);
    } finally {
      client.close();
    }
  }

  async #produce(client: WireClient, isStopping: () => boolean): Promise<void> {
    if (this.#ledger.isIdempotent && this.#producerId < 0 && !(await this.#takeId(client))) return;
    const again = this.#ledger.isIdempotent ? this.#unacked : [];
    this.#unacked = [...again];
    const underWay = new Set<Promise<void>>();
    const session = { isLost: false };
    while (!session.isLost) {
      const batch = again.shift() ?? (isStopping() ? undefined : this.#build());
      if (batch === undefined) break;
      const sending = this.#send(client, batch).then((wasAcked) => {
        underWay.delete(sending);
        if (!wasAcked) session.isLost = true;
      });
      underWay.add(sending);
      if (underWay.size >= inFlightMax) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  }

  async #takeId(client: WireClient): Promise<boolean> {
    const request = { transactionalId: null, transactionTimeoutMs: 0 };
    const answer = await orLost(client, client.ask('InitProducerId', 4, request));
    if (answer === undefined) return false;
    assert.equal(answer.errorCode, 0, 'InitProducerId');
    this.#producerId = answer.producerId;
    this.#producerEpoch = answer.producerEpoch;
    return true;
  }

  /** False when the connection was lost. */
  async #send(client: WireClient, batch: SentBatch): Promise<boolean> {
    const { name, topic, partition, ackedOffsets } = this.#ledger;
    const answer = await orLost(
      client,
      client.ask('Produce', 9, {
        acks: -1,
        timeoutMs: 10_000,
        topicData: [{ name: topic, partitionData: [{ index: partition, records: batch.bytes }] }],
      }),
    );
    if (answer === undefined) return false;
    const result = answer.responses[0]?.partitionResponses[0];
    assert.ok(result !== undefined);
    // The broker is shutting down: it says so in its last answers.
    if (result.errorCode === notLeader) return false;
    assert.equal(result.errorCode, 0, `${name}: ${result.errorMessage ?? 'produce'}`);
    for (let index = 0; index < batch.count; index++) {
      ackedOffsets[batch.firstNumber + index] = result.baseOffset + index;
    }
    batch.isAcked = true;
    this.#unacked = this.#unacked.filter((one) => !one.isAcked);
    return true;
  }

  #build(): SentBatch {
    const { name, ackedOffsets, isIdempotent } = this.#ledger;
    const builder = new RecordBatchBuilder();
    const firstNumber = this.#ledger.sentCount;
    const count = 1 + this.#random.nextInt(8);
    for (let index = 0; index < count; index++) {
      const bytes = this.#random.nextInt(this.#valueBytesMax);
      builder.add({
        key: Buffer.from(name),
        value: recordValue(name, firstNumber + index, bytes),
        headers: [],
        timestampMs: Date.now(),
      });
      ackedOffsets.push(-1);
    }
    const bytes = builder.build(
      isIdempotent
        ? {
            producerId: this.#producerId,
            producerEpoch: this.#producerEpoch,
            baseSequence: firstNumber,
          }
        : {},
    );
    const batch = { bytes, firstNumber, count, isAcked: false };
    this.#ledger.sentCount += count;
    this.#unacked.push(batch);
    return batch;
  }
}

const notLeader = 6;

/** Undefined when the connection was lost before the answer. */
async function orLost<T>(client: WireClient, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (client.isClosed) return undefined;
    throw error;
  }
}
