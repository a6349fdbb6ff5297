import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Clock, SystemClock, SystemRandom } from '../../../../src/base/index.ts';
import { Broker } from '../../../../src/broker/index.ts';
import { decodeBatch, splitBatches } from '../../../../src/bytes/index.ts';
import { type GroupPresets, KafkaDoor } from '../../../../src/doors/kafka/index.ts';
import {
  zeroUuid,
  type RequestInput,
  type ResponseOf,
} from '../../../../src/doors/kafka/wire/index.ts';
import { silentLog } from '../../../../src/net/index.ts';
import { patienceMs } from '../../../support/patience.ts';
import { batchOf } from '../door-fixture.ts';
import { WireClient } from '../wire-client.ts';

export type ShareFetchRequest = RequestInput<'ShareFetch'>;
export type Batches =
  RequestInput<'ShareAcknowledge'>['topics'][number]['partitions'][number]['acknowledgementBatches'];

/** A record as a member gets it. */
export interface Delivery {
  readonly partition: number;
  readonly offset: number;
  readonly deliveries: number;
  readonly value: string;
}

/** A whole broker in memory with the door before it. */
export class ShareBed {
  readonly broker: Broker;
  readonly door: KafkaDoor;
  readonly #clients: WireClient[] = [];
  #isClosed = false;

  static async open(
    t: TestContext,
    clock: Clock = new SystemClock(),
    groupPresets?: GroupPresets,
  ): Promise<ShareBed> {
    return ShareBed.openOver(t, await Broker.open({ store: 'memory', clock }), clock, groupPresets);
  }

  static async openOver(
    t: TestContext,
    broker: Broker,
    clock: Clock = new SystemClock(),
    groupPresets?: GroupPresets,
  ): Promise<ShareBed> {
    const door = await KafkaDoor.open({
      broker,
      groupPresets,
      clock,
      random: new SystemRandom(),
      log: silentLog,
      host: '127.0.0.1',
      port: 0,
    });
    const bed = new ShareBed(broker, door);
    t.after(() => bed.close());
    return bed;
  }

  private constructor(broker: Broker, door: KafkaDoor) {
    this.broker = broker;
    this.door = door;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.door.close(0);
    await this.broker.close();
  }

  async connect(): Promise<WireClient> {
    const client = await WireClient.connect(this.door.port);
    this.#clients.push(client);
    return client;
  }

  /** A member that speaks to the group's partitions, on a connection of its own. */
  async member(group: string, topic: string, memberId: string): Promise<ShareClient> {
    const topicId = this.broker.topics.find(topic)?.id ?? zeroUuid;
    return new ShareClient(await this.connect(), group, topicId, memberId);
  }

  /** One batch. */
  async publish(
    topic: string,
    values: readonly string[],
    { partition = 0, timestampMs = Date.now() } = {},
  ): Promise<void> {
    const { partitions } = this.broker.topics.find(topic)!;
    await partitions[partition]!.append(batchOf({ values, timestampMs }));
  }

  async configure(group: string, configs: Record<string, string>): Promise<void> {
    const client = await this.connect();
    const response = await client.ask('IncrementalAlterConfigs', 1, {
      resources: [
        {
          resourceType: 32,
          resourceName: group,
          configs: Object.entries(configs).map(([name, value]) => ({
            name,
            configOperation: 0,
            value,
          })),
        },
      ],
      validateOnly: false,
    });
    assert.equal(response.responses[0]?.errorCode, 0, response.responses[0]?.errorMessage ?? '');
  }

  /** A group that begins with what is there. */
  fromEarliest(group: string): Promise<void> {
    return this.configure(group, { 'share.auto.offset.reset': 'earliest' });
  }
}

/** How long a fetch waits for what must not come. */
export const nothingMs = 100;

/** A share session, spoken by hand. */
export class ShareClient {
  readonly client: WireClient;
  readonly groupId: string;
  readonly topicId: string;
  readonly memberId: string;
  epoch = 0;

  constructor(client: WireClient, groupId: string, topicId: string, memberId: string) {
    this.client = client;
    this.groupId = groupId;
    this.topicId = topicId;
    this.memberId = memberId;
  }

  /** A fetch of the given partitions, which are added to the session; acknowledgements by partition ride along. */
  async ask(
    options: Partial<ShareFetchRequest> & {
      partitions?: readonly number[];
      acknowledge?: Readonly<Record<number, Batches>>;
    } = {},
  ): Promise<ResponseOf<'ShareFetch'>> {
    const { partitions = this.epoch === 0 ? [0] : [], acknowledge = {}, ...fields } = options;
    const indexes = new Set([...partitions, ...Object.keys(acknowledge).map(Number)]);
    const response = await this.client.ask('ShareFetch', 2, {
      groupId: this.groupId,
      memberId: this.memberId,
      shareSessionEpoch: this.epoch,
      maxWaitMs: nothingMs,
      minBytes: 1,
      maxBytes: 1_000_000,
      maxRecords: 500,
      batchSize: 500,
      isRenewAck: false,
      topics: [
        {
          topicId: this.topicId,
          partitions: [...indexes].map((partitionIndex) => ({
            partitionIndex,
            acknowledgementBatches: acknowledge[partitionIndex] ?? [],
          })),
        },
      ].filter((topic) => topic.partitions.length > 0),
      forgottenTopicsData: [],
      ...fields,
    });
    if (response.errorCode === 0 && fields.shareSessionEpoch === undefined) this.epoch += 1;
    return response;
  }

  /** The records that a fetch brings. It waits for them: who expects none says `maxWaitMs: nothingMs`. */
  async fetch(options: Parameters<ShareClient['ask']>[0] = {}): Promise<Delivery[]> {
    const response = await this.ask({ maxWaitMs: patienceMs, ...options });
    assert.equal(response.errorCode, 0, response.errorMessage ?? '');
    return deliveriesOf(response);
  }

  async acknowledge(batches: Batches, options: { epoch?: number; isRenewAck?: boolean } = {}) {
    const { epoch = this.epoch, isRenewAck = false } = options;
    const response = await this.client.ask('ShareAcknowledge', 2, {
      groupId: this.groupId,
      memberId: this.memberId,
      shareSessionEpoch: epoch,
      isRenewAck,
      topics: [
        {
          topicId: this.topicId,
          partitions: [{ partitionIndex: 0, acknowledgementBatches: batches }],
        },
      ].filter(() => batches.length > 0),
    });
    if (response.errorCode === 0 && epoch > 0) this.epoch += 1;
    return { ...response, partitionError: response.responses[0]?.partitions[0]?.errorCode };
  }
}

/** One acknowledgement of the records from `first` to `last`. */
export function ack(first: number, last: number, ...types: number[]): Batches {
  return [{ firstOffset: first, lastOffset: last, acknowledgeTypes: types }];
}

/** The acquired records of an answer. */
export function deliveriesOf(response: ResponseOf<'ShareFetch'>): Delivery[] {
  const deliveries: Delivery[] = [];
  for (const { partitions } of response.responses) {
    for (const { partitionIndex, records, acquiredRecords } of partitions) {
      const values = new Map<number, string>();
      const bytes = records ?? new Uint8Array(0);
      for (const at of splitBatches(bytes)) {
        for (const record of decodeBatch(bytes, at, 1e6))
          values.set(record.offset, Buffer.from(record.value ?? []).toString());
      }
      for (const { firstOffset, lastOffset, deliveryCount } of acquiredRecords) {
        for (let offset = firstOffset; offset <= lastOffset; offset += 1) {
          const value = values.get(offset);
          assert.ok(value !== undefined, `record ${offset} was acquired, but not sent`);
          deliveries.push({ partition: partitionIndex, offset, deliveries: deliveryCount, value });
        }
      }
    }
  }
  return deliveries;
}

export function valuesOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ value }) => value);
}
