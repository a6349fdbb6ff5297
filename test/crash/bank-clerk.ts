import { RecordBatchBuilder } from '../../src/bytes/index.ts';
import { errorCodes } from '../../src/doors/kafka/error-codes.ts';
import type { ProducerIdentity } from '../../src/shard/index.ts';
import type { SeededRandom } from '../../src/testing/index.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';
import {
  accountsTopic,
  entriesOf,
  type Entry,
  entryText,
  groupOf,
  ordersTopic,
  partitionOf,
  transactionalIdOf,
} from './bank-ledger.ts';
import { findNext } from './bank-reader.ts';
import { pause } from './broker-process.ts';

/** A clerk over the bare protocol, as the newest clients speak it (KIP-890); he may drop dead between any two requests. */
export class BankClerk {
  readonly clerk: number;
  /** The greatest transfer whose commit was answered. */
  acknowledged = -1;
  readonly #random: SeededRandom;
  #client: WireClient | undefined;

  constructor(clerk: number, random: SeededRandom) {
    this.clerk = clerk;
    this.#random = random;
  }

  /** Works until `isStopping`, through whatever happens to the broker or to him. */
  async work(port: number, isStopping: () => boolean): Promise<void> {
    while (!isStopping()) {
      try {
        this.#client = await WireClient.connect(port);
        await this.#transfer(this.#client, isStopping);
      } catch (error) {
        // The broker is gone, or he was fenced by somebody in his place: he begins anew.
        if (error instanceof TypeError) throw error;
        await pause(20);
      } finally {
        this.#client?.close();
      }
    }
  }

  /** He is gone in the middle of what he does. */
  kill(): void {
    this.#client?.close();
  }

  async #transfer(client: WireClient, isStopping: () => boolean): Promise<void> {
    const transactionalId = transactionalIdOf(this.clerk);
    const request = { transactionalId, transactionTimeoutMs: 60_000 };
    const begun = await client.ask('InitProducerId', 5, request);
    check('InitProducerId', begun.errorCode);
    let producer: ProducerIdentity = { producerId: begun.producerId, epoch: begun.producerEpoch };
    let next = await findNext(client, this.clerk);
    if (next === undefined) throw new Error('the offsets are not stable');
    while (!isStopping()) {
      const isCommitted = this.#random.chance(0.85);
      const writes = entriesOf(this.clerk, next).map((entry) => write(client, producer, entry));
      if (this.#random.chance(0.01)) this.kill();
      for (const code of await Promise.all(writes)) check('Produce', code);
      if (isCommitted || this.#random.chance(0.5))
        await this.#commitOffset(client, producer, next + 1);
      const ended = await client.ask('EndTxn', 5, {
        transactionalId,
        producerId: producer.producerId,
        producerEpoch: producer.epoch,
        committed: isCommitted,
      });
      check('EndTxn', ended.errorCode);
      producer = { producerId: ended.producerId ?? -1, epoch: ended.producerEpoch ?? -1 };
      if (!isCommitted) continue;
      this.acknowledged = next;
      next += 1;
    }
  }

  async #commitOffset(client: WireClient, producer: ProducerIdentity, next: number): Promise<void> {
    const partition = {
      partitionIndex: this.clerk,
      committedOffset: next,
      committedMetadata: null,
    };
    const { topics } = await client.ask('TxnOffsetCommit', 5, {
      transactionalId: transactionalIdOf(this.clerk),
      groupId: groupOf(this.clerk),
      producerId: producer.producerId,
      producerEpoch: producer.epoch,
      topics: [{ name: ordersTopic, partitions: [partition] }],
    });
    check('TxnOffsetCommit', topics[0]?.partitions[0]?.errorCode);
  }
}

/** Sequence numbers begin with each transaction, because its epoch is new; both entries may be for one partition. */
async function write(
  client: WireClient,
  producer: ProducerIdentity,
  entry: Entry,
): Promise<number | undefined> {
  const [first, second] = entriesOf(entry.clerk, entry.transfer);
  const isSecond = entryText(entry) === entryText(second);
  const baseSequence = isSecond && partitionOf(first) === partitionOf(second) ? 1 : 0;
  const builder = new RecordBatchBuilder();
  const value = Buffer.from(entryText(entry));
  builder.add({ key: null, value, headers: [], timestampMs: Date.now() });
  const { producerId, epoch: producerEpoch } = producer;
  const records = builder.build({ producerId, producerEpoch, baseSequence, isTransactional: true });
  const { responses } = await client.ask('Produce', 12, {
    transactionalId: transactionalIdOf(entry.clerk),
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: accountsTopic, partitionData: [{ index: partitionOf(entry), records }] }],
  });
  return responses[0]?.partitionResponses[0]?.errorCode;
}

function check(api: string, errorCode: number | undefined): void {
  if (errorCode !== errorCodes.NONE) throw new Error(`${api}: ${errorCode}`);
}
