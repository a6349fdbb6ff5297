import { type Codec, RecordBatchBuilder, type RecordHeader } from '../../../src/bytes/index.ts';
import {
  defaultQueueForm,
  defaultQueueSettings,
  FileBacking,
  type Lease,
  type PartitionLog,
  type PartitionQueue,
  type QueueConsumer,
  type QueueEvents,
  type QueueForm,
  type QueueMessage,
  type QueueSettings,
  QueueTable,
  type QueueTableParts,
  Shard,
} from '../../../src/shard/index.ts';
import { unboundedSettings } from '../../../src/shard/partition-settings.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../../src/testing/index.ts';
import { LifeClock } from '../../simulation/life-clock.ts';

const logSettings = {
  ...unboundedSettings,
  retentionMs: -1,
  retentionBytes: -1,
  cleanup: 'delete',
  isKeptUntilSettled: true,
  batchBytesMax: 1_048_588,
  timestampType: 'create',
  timestampBehindMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAheadMaxMs: Number.MAX_SAFE_INTEGER,
} as const;

export interface BedOptions {
  seed?: number;
  journalFileBytes?: number;
  tailCacheBytes?: number;
  latencyMsMax?: number;
  compileFilter?: QueueTableParts['compileFilter'];
}

export interface Sent {
  text: string;
  headers?: Record<string, string>;
  timestampMs?: number;
}

/** One shard with queues, on a simulated disk. */
export class QueueBed {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly deaths: Array<{ text: string; reason: string; lease: Lease; queue: PartitionQueue }> =
    [];
  readonly warnings: string[] = [];
  /** Stretches of offsets that were told to be damaged. */
  readonly damages: Array<[from: number, end: number]> = [];
  disk: SimulatedDisk;
  life: LifeClock;
  shard!: Shard;
  table!: QueueTable;
  log!: PartitionLog;
  readonly #options: BedOptions;
  /** What is done with dead messages; they are accepted by default. */
  onDeath: QueueEvents['died'] = (queue, _message, lease) => void queue.accept(lease);

  private constructor(options: BedOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    this.disk = new SimulatedDisk({
      clock: this.clock,
      random: this.random.fork(),
      latencyMsMax: options.latencyMsMax ?? 0,
    });
    this.life = new LifeClock(this.clock);
  }

  static async open(options: BedOptions = {}): Promise<QueueBed> {
    const bed = new QueueBed(options);
    await bed.start();
    const { log, durable } = bed.shard.openPartition('topic', 0, logSettings);
    bed.log = log;
    await bed.clock.runUntil(durable);
    return bed;
  }

  async start(): Promise<void> {
    const { compileFilter } = this.#options;
    this.table = new QueueTable({
      clock: this.life,
      random: this.random.fork(),
      events: {
        died: (queue, message, lease, reason) => {
          this.deaths.push({ text: textOf(message), reason, lease, queue });
          this.onDeath(queue, message, lease, reason);
        },
        damaged: (_queue, from, end) => void this.damages.push([from, end]),
      },
      ...(compileFilter === undefined ? {} : { compileFilter }),
    });
    const note = (message: string): void => void this.warnings.push(message);
    const journalFileBytes = this.#options.journalFileBytes ?? 1024 * 1024;
    const opening = Shard.open({
      backing: new FileBacking({
        disk: this.disk,
        directory: '/data/shard-0',
        journalFileBytes,
        isDurable: true,
      }),
      clock: this.life,
      random: this.random.fork(),
      extensions: [this.table],
      log: { info: () => undefined, warn: note, error: note },
      journalFileBytes,
      tailCacheBytes: this.#options.tailCacheBytes ?? 1024 * 1024,
      freeBytesMin: 0,
    });
    this.shard = await this.clock.runUntil(opening);
    this.table.attach(this.shard);
    for (const log of this.shard.logs()) {
      log.settings = logSettings;
      this.log = log;
    }
  }

  /** Cuts the power and starts again. */
  async crash(): Promise<void> {
    this.life.end();
    this.disk = this.disk.crash();
    this.life = new LifeClock(this.clock);
    await this.start();
  }

  /** Ends orderly and starts again. */
  async restart(): Promise<void> {
    await this.clock.runUntil(this.shard.close());
    this.life.end();
    this.life = new LifeClock(this.clock);
    await this.start();
  }

  openQueue(
    settings: Partial<QueueSettings> = {},
    form: Partial<QueueForm> = {},
    subscription = '',
  ): PartitionQueue {
    const { queue } = this.table.open(
      this.log,
      subscription,
      { ...defaultQueueForm, ...form },
      { ...defaultQueueSettings, ...settings },
      0,
    );
    return queue;
  }

  /** The queue as it was found after a start. */
  findQueue(settings: Partial<QueueSettings> = {}, subscription = ''): PartitionQueue {
    const queue = this.table.find(this.log, subscription);
    if (queue === undefined) throw new Error('the queue is gone');
    queue.settings = { ...defaultQueueSettings, ...settings };
    return queue;
  }

  /** Appends one batch; settles when it is durable. */
  append(messages: ReadonlyArray<string | Sent>, hasTraits = true): Promise<unknown> {
    const { bytes, traits } = this.encode(messages);
    return hasTraits ? this.log.append(bytes, traits) : this.log.append(bytes);
  }

  encode(
    messages: ReadonlyArray<string | Sent>,
    compression: Codec = 'none',
  ): {
    bytes: Buffer;
    traits: { bodyBytes: number; isScheduled: boolean };
  } {
    const builder = new RecordBatchBuilder();
    let bodyBytes = 0;
    let isScheduled = false;
    for (const message of messages) {
      const sent: Sent = typeof message === 'string' ? { text: message } : message;
      const value = Buffer.from(sent.text);
      const headers = Object.entries(sent.headers ?? {}).map(
        ([name, text]): RecordHeader => [name, Buffer.from(text)],
      );
      if (headers.some(([name]) => name.startsWith('pabal.'))) isScheduled = true;
      bodyBytes += value.length;
      builder.add({
        key: null,
        value,
        headers,
        timestampMs: sent.timestampMs ?? this.clock.nowMs(),
      });
    }
    return { bytes: builder.build({ compression }), traits: { bodyBytes, isScheduled } };
  }

  /** Sends and lets everything happen that follows from it. */
  async send(...messages: Array<string | Sent>): Promise<void> {
    await this.clock.runUntil(this.append(messages));
    await this.settle();
  }

  /** What happens without time passing, nearly. */
  async settle(): Promise<void> {
    await this.clock.runFor(20);
  }
}

export function textOf(message: QueueMessage): string {
  if (message.valueBytes < 0) return '';
  return Buffer.from(message.bytes).toString(
    'utf8',
    message.valueAt,
    message.valueAt + message.valueBytes,
  );
}

export interface Taken {
  text: string;
  offset: number;
  lease: Lease;
  deliveries: number;
  failures: number;
}

/** A consumer that keeps what it gets. */
export class TestConsumer implements QueueConsumer {
  readonly kept: Taken[] = [];
  readonly priority: number;
  readonly isAutoSettled: boolean;
  readonly leaseMs: number | undefined;
  readonly filter?: (message: QueueMessage) => boolean;
  credit: number;
  isActive = false;
  detachedFor: string | undefined;
  expired: Lease[] = [];
  rounds = 0;

  constructor(
    options: {
      credit?: number;
      priority?: number;
      isAutoSettled?: boolean;
      leaseMs?: number;
      filter?: (message: QueueMessage) => boolean;
    } = {},
  ) {
    this.credit = options.credit ?? Number.POSITIVE_INFINITY;
    this.priority = options.priority ?? 0;
    this.isAutoSettled = options.isAutoSettled ?? false;
    this.leaseMs = options.leaseMs;
    if (options.filter !== undefined) this.filter = options.filter;
  }

  get texts(): string[] {
    return this.kept.map(({ text }) => text);
  }

  /** What was taken since the last call. */
  drain(): string[] {
    return this.kept.splice(0).map(({ text }) => text);
  }

  wants(): boolean {
    return this.credit > 0;
  }

  take(message: QueueMessage, lease: Lease): void {
    this.credit--;
    const { offset, deliveries, failures } = message;
    this.kept.push({ text: textOf(message), offset, lease, deliveries, failures });
  }

  taken(): void {
    this.rounds++;
  }

  leaseExpired(lease: Lease): void {
    this.expired.push(lease);
  }

  activeChanged(isActive: boolean): void {
    this.isActive = isActive;
  }

  detached(reason: string): void {
    this.detachedFor = reason;
  }
}
