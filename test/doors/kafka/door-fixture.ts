import type { TestContext } from 'node:test';
import { type Clock, SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import { KafkaDoor, type KafkaDoorLimits } from '../../../src/doors/kafka/index.ts';
import { type Log, silentLog } from '../../../src/net/index.ts';
import { MemoryBroker, type MemoryPartition } from './memory-broker.ts';
import { WireClient } from './wire-client.ts';

export interface DoorFixture {
  readonly broker: MemoryBroker;
  readonly door: KafkaDoor;
  /** What the door logged as warning or error. */
  readonly complaints: Array<{ fields: object; message: string }>;
  readonly connect: () => Promise<WireClient>;
  /** Creates a topic and gives its partitions. */
  readonly createTopic: (name: string, partitions?: number) => Promise<readonly MemoryPartition[]>;
}

export interface FixtureOptions {
  readonly limits?: Partial<KafkaDoorLimits>;
  readonly advertised?: { host: string; port: number };
  readonly clock?: Clock;
}

/** A door on a free port over a broker in memory; both are gone when the test ends. */
export async function openDoor(t: TestContext, options: FixtureOptions = {}): Promise<DoorFixture> {
  const broker = new MemoryBroker();
  const complaints: DoorFixture['complaints'] = [];
  const note = (fields: object, message: string): void => {
    complaints.push({ fields, message });
  };
  const log: Log = { ...silentLog, warn: note, error: note };
  const door = await KafkaDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log,
    host: '127.0.0.1',
    port: 0,
    ...options,
  });
  const clients: WireClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await door.close(0);
  });
  return {
    broker,
    door,
    complaints,
    async connect() {
      const client = await WireClient.connect(door.port);
      clients.push(client);
      return client;
    },
    async createTopic(name, partitions = 1) {
      const topic = await broker.topics.create({ name, partitions });
      return topic.partitions;
    },
  };
}

export interface BatchShape {
  readonly values: readonly string[];
  readonly timestampMs?: number;
}

export function batchOf({ values, timestampMs = 1_700_000_000_000 }: BatchShape): Buffer {
  const builder = new RecordBatchBuilder();
  for (const value of values) {
    builder.add({ key: null, value: Buffer.from(value), headers: [], timestampMs });
  }
  return builder.build();
}

/** A Produce request for one partition of a topic, named as versions up to 12 do. */
export function produceTo(name: string, records: Uint8Array | null, acks = -1, index = 0) {
  return {
    transactionalId: null,
    acks,
    timeoutMs: 1000,
    topicData: [{ name, partitionData: [{ index, records }] }],
  };
}
