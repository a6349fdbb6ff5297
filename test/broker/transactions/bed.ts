import { Broker, BrokerError, type Topic } from '../../../src/broker/index.ts';
import {
  batchAttributes,
  batchBaseOffset,
  batchProducerId,
  batchTotalBytes,
  decodeBatch,
  isControlBatch,
  isTransactionalBatch,
  RecordBatchBuilder,
} from '../../../src/bytes/index.ts';
import type { Partition } from '../../../src/shard/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../../src/testing/index.ts';
import { LifeClock } from '../../simulation/life-clock.ts';

const eventsMax = 20_000;
/** About when the simulated clock begins. */
const startMs = 1_767_225_600_000;

/** A broker over a simulated disk that can be crashed at any event. */
export class Bed {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly shards: number;
  disk: SimulatedDisk;
  broker!: Broker;
  #life = new LifeClock(this.clock);

  constructor(seed: number, shards: number) {
    this.random = new SeededRandom(seed);
    this.shards = shards;
    this.disk = new SimulatedDisk({ clock: this.clock, random: this.random.fork() });
  }

  async open(): Promise<Broker> {
    this.#life = new LifeClock(this.clock);
    this.broker = await this.settle(
      Broker.open({
        data: '/data',
        disk: this.disk,
        clock: this.#life,
        random: this.random.fork(),
        shards: this.shards,
        defaultPartitions: 4,
        log: { info: () => undefined, warn: () => undefined, error: () => undefined },
        tuning: { journalFileBytes: 32 * 1024, freeBytesMin: 0, chunkBytesMax: 2048 },
      }),
    );
    return this.broker;
  }

  /** Loses the power, or kills the process, and opens again. */
  async crash(isPowerLoss: boolean): Promise<Broker> {
    this.#life.end();
    this.disk = isPowerLoss ? this.disk.crash() : this.disk.kill();
    await this.open();
    // What recovery has to bring to an end is done soon, unless the storage fails.
    await this.clock.runFor(100);
    return this.broker;
  }

  /** The disk fails now and then, or takes its time: long enough for a shard to recover meanwhile. */
  ail(): void {
    const { faults } = this.disk;
    if (this.random.chance(0.7)) faults.syncErrorRate = this.random.pick([0.05, 0.3]);
    if (this.random.chance(0.5)) {
      faults.slowSyncRate = 0.2;
      faults.slowSyncMs = this.random.pick([20, 1500]);
    }
  }

  heal(): void {
    this.disk.faults.syncErrorRate = 0;
    this.disk.faults.slowSyncRate = 0;
  }

  /** Runs what there is to run until the promise is settled. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    const ending: { isOver: boolean } = { isOver: false };
    const over = (): void => void (ending.isOver = true);
    promise.then(over, over);
    for (let count = 0; !ending.isOver; count++) {
      if (count > eventsMax) throw new Error('it does not end');
      if (!(await this.clock.runNext()) && !ending.isOver) throw new Error('it hangs');
    }
    return promise;
  }

  /** Runs at most so many events; true when the promise has settled. */
  async runUntil(promise: Promise<unknown>, events: number): Promise<boolean> {
    const ending = { isOver: false };
    const over = (): void => void (ending.isOver = true);
    promise.then(over, over);
    for (let count = 0; count < events && !ending.isOver; count++) await this.clock.runNext();
    return ending.isOver;
  }

  /** Values that a stable reader sees, of all partitions, in order within each. */
  async readStable(topic: Topic): Promise<string[]> {
    const values: string[] = [];
    for (const partition of topic.partitions) values.push(...(await this.readPart(partition)));
    return values;
  }

  readPart(partition: Partition): Promise<string[]> {
    return this.settle(this.collect(partition));
  }

  /** Of one partition; somebody else must run what there is to run. */
  async collect(partition: Partition): Promise<string[]> {
    const values: string[] = [];
    for (let offset = partition.logStartOffset; offset < partition.lastStableOffset; ) {
      const options = { maxBytes: 100_000, minOneBatch: true, onlyStable: true };
      const { slices } = await partition.read(offset, options);
      for (const slice of slices) {
        for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at)) {
          const attributes = batchAttributes(slice, at);
          const records = decodeBatch(slice, at, 1e6);
          offset = (records.at(-1)?.offset ?? offset) + 1;
          if (isControlBatch(attributes)) continue;
          const baseOffset = batchBaseOffset(slice, at);
          const isAborted =
            isTransactionalBatch(attributes) &&
            partition
              .findAborted(baseOffset, baseOffset + 1)
              .some(({ producerId }) => producerId === batchProducerId(slice, at));
          if (isAborted) continue;
          for (const { value } of records) values.push(Buffer.from(value ?? []).toString());
        }
      }
      if (slices.length === 0) break;
    }
    return values;
  }
}

export interface BatchOf {
  producerId: number;
  epoch: number;
  sequence: number;
}

export function transactionalBatch(of: BatchOf, values: readonly string[]): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (const value of values)
    builder.add({ key: null, value: Buffer.from(value), headers: [], timestampMs: startMs });
  return builder.build({
    producerId: of.producerId,
    producerEpoch: of.epoch,
    baseSequence: of.sequence,
    isTransactional: true,
  });
}

/** The code of what a promise rejects with; `ok` when it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'ok';
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return error.code;
  }
}
