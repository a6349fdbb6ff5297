import { Broker, BrokerError, type Topic } from '../../src/broker/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../src/testing/index.ts';
import { LifeClock } from './life-clock.ts';
import { PartitionModel, type SentBatch } from './partition-model.ts';
import { QueueWorld } from './queue-actors.ts';
import { expectThat, Violation } from './violation.ts';

export const dataDirectory = '/data';

/** What this seed is about: drawn first, so that seeds differ in kind and not only in detail. */
export interface Plan {
  sync: 'always' | 'os';
  shards: number;
  journalFileBytes: number;
  tailCacheBytes: number;
  chunkBytesMax: number;
  retentionCheckMs: number;
  lives: number;
  hasDiskErrors: boolean;
  hasSlowSyncs: boolean;
  hasFullDisk: boolean;
  hasBitFlips: boolean;
  recordBytesMax: number;
  producers: number;
}

export interface TopicModel {
  id: string;
  name: string;
  partitions: PartitionModel[];
  /** Partitions that certainly exist. */
  partitionsAcked: number;
  partitionsAsked: number;
  /** `doubt`: its deletion was asked for and not acknowledged. */
  state: 'live' | 'doubt' | 'deleted';
}

export interface CommittedOffset {
  asked: number;
  acked: number;
  fetched: number;
}

export interface ProducerState {
  id: number;
  isIdempotent: boolean;
  producerId: number;
  /** It has asked for an id in a life that is over: there may be one that nobody knows. */
  topicId: string;
  partition: number;
  nextSequence: number;
  /** Sent and not acknowledged, oldest first. */
  pending: Array<SentBatch & { firstSequence: number }>;
}

const expectedCodes = new Set(['storage-failed', 'storage-full', 'overloaded', 'closed']);

/** One seed's disk, clock, broker and the model of what was promised. */
export class World {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly clock = new SimulatedClock();
  readonly plan: Plan;
  readonly topics = new Map<string, TopicModel>();
  /** Creations that were asked for, by name. */
  readonly creations: Array<{ name: string; partitions: number }> = [];
  readonly offsets = new Map<string, CommittedOffset>();
  readonly producerIds = new Set<number>();
  readonly producers: ProducerState[] = [];
  readonly queues: QueueWorld;
  readonly counts = {
    acked: 0,
    read: 0,
    lives: 0,
    duplicates: 0,
    compacted: 0,
    damaged: 0,
    delivered: 0,
    redelivered: 0,
    buried: 0,
  };
  disk: SimulatedDisk;
  life: LifeClock;
  broker!: Broker;
  generationSeen = 0;
  storeId: string | undefined;
  /** Damage is on the disk: storage-damaged is an honest answer. */
  isDamaged = false;
  /** Power was lost with data that were allowed to go: producers may find that theirs are missing. */
  hasLostData = false;
  failure: unknown;
  #event = 0;
  #batchId = 0;
  #queuedId = 0;
  readonly #trace: ((line: string) => void) | undefined;

  constructor(seed: number, trace?: (line: string) => void) {
    this.seed = seed;
    this.#trace = trace;
    this.random = new SeededRandom(seed);
    this.plan = drawPlan(this.random.fork());
    this.disk = new SimulatedDisk({ clock: this.clock, random: this.random.fork() });
    this.life = new LifeClock(this.clock);
    this.trace(JSON.stringify(this.plan));
    this.queues = new QueueWorld(this);
  }

  get isOver(): boolean {
    return this.failure !== undefined;
  }

  nextEvent(): number {
    return ++this.#event;
  }

  nextBatchId(): number {
    return ++this.#batchId;
  }

  nextQueuedId(): number {
    return ++this.#queuedId;
  }

  trace(line: string): void {
    this.#trace?.(`${this.clock.monotonicMs().toFixed(2).padStart(10)} ${line}`);
  }

  /** Lets `work` run beside everything else; a promise that is broken in it ends the seed. */
  spawn(name: string, work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (this.failure !== undefined) return;
      this.failure = error;
      this.trace(`${name} failed: ${String(error)}`);
    });
  }

  /** True for a failure that the broker may answer with; throws when it may not. */
  forgive(error: unknown, ...codes: string[]): BrokerError {
    if (!(error instanceof BrokerError)) throw error;
    const isDamage = error.code === 'storage-damaged' && this.isDamaged;
    if (isDamage) this.counts.damaged += 1;
    if (!isDamage && !expectedCodes.has(error.code) && !codes.includes(error.code)) {
      throw new Violation(`an answer that is not to be expected: ${error.code}: ${error.message}`, {
        cause: error,
      });
    }
    return error;
  }

  /** Opens the broker; the disk may still be failing. */
  openBroker(): Promise<Broker> {
    const { plan } = this;
    const log = (level: string) => (message: string) => {
      this.trace(`  ${level}: ${message}`);
      this.queues.noteLog(message);
    };
    return Broker.open({
      data: dataDirectory,
      disk: this.disk,
      clock: this.life,
      random: this.random.fork(),
      sync: plan.sync,
      shards: plan.shards,
      log: { info: log('info'), warn: log('warn'), error: log('error') },
      tuning: {
        journalFileBytes: plan.journalFileBytes,
        tailCacheBytes: plan.tailCacheBytes,
        chunkBytesMax: plan.chunkBytesMax,
        freeBytesMin: 0,
        compactionBytesPerSecond: 1e9,
        retentionCheckMs: plan.retentionCheckMs,
      },
    });
  }

  /** Compares the topics that are shown with those that there must be, and gets to know new ones. */
  noteTopics(isAfterRestart = false): void {
    const shown = new Map(this.broker.listTopics().map((topic) => [topic.id, topic]));
    for (const topic of shown.values()) this.#noteTopic(topic, isAfterRestart);
    for (const model of this.topics.values()) {
      if (shown.has(model.id) || model.state === 'deleted') continue;
      if (isAfterRestart && (model.state === 'doubt' || this.hasLostData)) model.state = 'deleted';
      expectThat(model.state !== 'live', `topic ${model.name} is gone`);
    }
  }

  #noteTopic(topic: Topic, isAfterRestart: boolean): void {
    let model = this.topics.get(topic.id);
    if (model === undefined) {
      const asked = this.creations.find((creation) => creation.name === topic.name);
      expectThat(asked !== undefined, `topic ${topic.name} was never asked for`);
      const partitions = topic.partitions.length;
      model = {
        id: topic.id,
        name: topic.name,
        partitions: [],
        partitionsAcked: partitions,
        partitionsAsked: partitions,
        state: 'live',
      };
      this.topics.set(topic.id, model);
    }
    if (model.state === 'deleted' && this.hasLostData && isAfterRestart) model.state = 'live';
    expectThat(model.state !== 'deleted', `topic ${topic.name} was deleted and is shown`);
    if (isAfterRestart) model.state = 'live';
    const count = topic.partitions.length;
    if (isAfterRestart && this.hasLostData) {
      // A partition that was lost is a new one when it is added again.
      model.partitionsAcked = count;
      model.partitions.length = Math.min(model.partitions.length, count);
    }
    expectThat(
      count >= model.partitionsAcked && count <= model.partitionsAsked,
      `topic ${topic.name} has ${count} partitions, not ${model.partitionsAcked}..${model.partitionsAsked}`,
    );
    if (isAfterRestart) model.partitionsAcked = count;
    while (model.partitions.length < count) {
      model.partitions.push(new PartitionModel(`${topic.name}-${model.partitions.length}`));
    }
    for (const [index, partition] of topic.partitions.entries()) {
      const known = model.partitions[index];
      expectThat(partition !== undefined, `${topic.name}-${index} has no log`);
      if (known === undefined || (isAfterRestart && this.hasLostData)) continue;
      known.noteHighWatermark(partition.highWatermark);
      known.noteLogStart(partition.logStartOffset);
    }
  }

  /** After a restart that may have lost the newest data: what is gone must be the newest. */
  reconcileLoss(): void {
    let latestSurvivor = -1;
    const lost: SentBatch[] = [];
    for (const topic of this.broker.listTopics()) {
      const model = this.topics.get(topic.id);
      for (const [index, partition] of topic.partitions.entries()) {
        const known = model?.partitions[index];
        if (known === undefined) continue;
        const outcome = known.forgetBeyond(partition);
        for (const batch of outcome.survivors)
          latestSurvivor = Math.max(latestSurvivor, batch.sentAt);
        lost.push(...outcome.lost);
      }
    }
    if (this.plan.shards > 1) return;
    for (const batch of lost) {
      expectThat(
        batch.ackedAt < 0 || batch.ackedAt > latestSurvivor,
        `batch ${batch.id} is lost, acknowledged at ${batch.ackedAt}, and one sent at ${latestSurvivor} is not`,
      );
    }
  }

  /** Forgets what was promised of everything but records: the newest of it may be lost. */
  forgetPromises(): void {
    for (const committed of this.offsets.values()) {
      committed.acked = 0;
      committed.fetched = 0;
    }
    this.generationSeen = 0;
  }
}

function drawPlan(random: SeededRandom): Plan {
  return {
    sync: random.chance(0.2) ? 'os' : 'always',
    shards: random.chance(0.2) ? 2 : 1,
    journalFileBytes: 1024 * random.pick([4, 8, 16, 32, 64]),
    tailCacheBytes: 1024 * random.pick([4, 16, 64, 1024]),
    chunkBytesMax: 1024 * random.pick([2, 4, 16]),
    retentionCheckMs: random.pick([50, 200, 1000]),
    lives: 1 + random.nextInt(4),
    hasDiskErrors: random.chance(0.5),
    hasSlowSyncs: random.chance(0.3),
    hasFullDisk: random.chance(0.3),
    hasBitFlips: random.chance(0.45),
    recordBytesMax: random.pick([40, 200, 1500]),
    producers: 1 + random.nextInt(4),
  };
}
