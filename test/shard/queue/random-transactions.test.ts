import assert from 'node:assert/strict';
import test from 'node:test';
import type { PartitionQueue, QueueForm, QueueSettings } from '../../../src/shard/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { QueueBed, type Sent, TestConsumer } from './queue-bed.ts';
import { Transacting } from './transacting.ts';

/** What is known of one message. */
interface Known {
  /** Of the producer whose transaction has not ended; −1: it is a message, or never will be. */
  producer: number;
  isAborted: boolean;
  /** It was accepted or purged, perhaps not durably. */
  isAsked: boolean;
  /** And durably: it must not come again. */
  isGone: boolean;
  dueMs: number;
}

const forms: ReadonlyArray<Partial<QueueForm>> = [
  {},
  { priorityMax: 2, priorityDefault: 1 },
  { isGrouped: true },
];
const producerCount = 3;

/** One queue over a log with transactions that take their time, purged and crashed at random. */
class RandomTransactions {
  readonly random: SeededRandom;
  readonly form: Partial<QueueForm>;
  readonly settings: Partial<QueueSettings>;
  readonly known = new Map<string, Known>();
  readonly producers: Transacting[] = [];
  bed!: QueueBed;
  queue!: PartitionQueue;
  consumer: TestConsumer | undefined;
  #sent = 0;

  constructor(seed: number, givesUncommitted: boolean) {
    this.settings = { givesUncommitted };
    this.random = new SeededRandom(seed);
    this.form = forms[seed % forms.length] ?? {};
  }

  async run(steps: number): Promise<void> {
    this.bed = await QueueBed.open({
      seed: this.random.nextInt(1e9),
      latencyMsMax: 3,
      journalFileBytes: this.random.nextInt(2) === 0 ? 8 * 1024 : 1024 * 1024,
    });
    this.queue = this.bed.openQueue(this.settings, this.form);
    for (let id = 0; id < producerCount; id++) this.producers.push(new Transacting(this.bed, id));
    await this.bed.clock.runUntil(this.bed.shard.barrier());
    for (let step = 0; step < steps; step++) await this.#step();
    for (let id = 0; id < producerCount; id++) await this.#end(id, 'commit');
    await this.#drain();
  }

  async #step(): Promise<void> {
    const { random, bed } = this;
    switch (random.nextInt(12)) {
      case 0:
      case 1:
        await bed.send(...this.#fresh(-1));
        break;
      case 2:
      case 3:
      case 4: {
        const id = random.nextInt(producerCount);
        await this.producers[id]?.write(...this.#fresh(id));
        break;
      }
      case 5:
      case 6:
        await this.#end(random.nextInt(producerCount), random.pick(['commit', 'abort']));
        break;
      case 7:
        await this.#purge();
        break;
      case 8:
        await this.#crash(random.nextInt(2) === 0);
        break;
      default:
        await this.#consume();
    }
    this.#take();
    this.#checkCounts();
  }

  #fresh(writer: number): Sent[] {
    const { random, bed } = this;
    // Where it is given out at once, nothing depends on how its transaction ends.
    const producer = this.settings.givesUncommitted === true ? -1 : writer;
    const messages: Sent[] = [];
    for (let count = 1 + random.nextInt(3); count > 0; count--) {
      const text = `${this.#sent++}`;
      const headers: Record<string, string> = {};
      const dueMs = random.nextInt(5) === 0 ? bed.clock.nowMs() + random.nextInt(300) : -1;
      if (dueMs >= 0) headers['pabal.deliver-at'] = `${dueMs}`;
      if (random.nextInt(3) === 0) headers['pabal.priority'] = `${random.nextInt(3)}`;
      if (random.nextInt(3) === 0) headers['pabal.group'] = `g${random.nextInt(2)}`;
      messages.push({ text, headers });
      this.known.set(text, { producer, isAborted: false, isAsked: false, isGone: false, dueMs });
    }
    return messages;
  }

  async #end(id: number, outcome: 'commit' | 'abort'): Promise<void> {
    await this.producers[id]?.end(outcome);
    for (const message of this.known.values()) {
      if (message.producer !== id) continue;
      message.producer = -1;
      message.isAborted = outcome === 'abort';
    }
  }

  async #purge(): Promise<void> {
    this.#release();
    const purging = this.queue.purge();
    for (const message of this.known.values())
      if (message.producer < 0 && !message.isAborted) message.isAsked = true;
    await this.bed.clock.runUntil(purging);
    for (const message of this.known.values()) message.isGone = message.isAsked;
  }

  async #crash(isOrderly: boolean): Promise<void> {
    this.#take();
    this.consumer = undefined;
    await (isOrderly ? this.bed.restart() : this.bed.crash());
    this.queue = this.bed.findQueue(this.settings);
  }

  async #consume(): Promise<void> {
    if (this.consumer === undefined) {
      this.consumer = new TestConsumer({ credit: 0 });
      this.queue.attach(this.consumer);
    }
    this.consumer.credit = this.random.nextInt(4);
    this.queue.resume();
    await this.bed.clock.runFor(this.random.nextInt(60));
  }

  /** Nobody has anything. */
  #release(): void {
    this.#take();
    if (this.consumer !== undefined) this.queue.detach(this.consumer, 'return');
    this.consumer = undefined;
  }

  /** Accepts what the consumer got. */
  #take(): void {
    for (const { text, lease } of this.consumer?.kept.splice(0) ?? []) {
      const message = this.known.get(text);
      assert.ok(message !== undefined);
      assert.ok(message.producer < 0, `${text} is not committed`);
      assert.ok(!message.isAborted, `${text} was aborted`);
      assert.ok(!message.isGone, `${text} came again`);
      assert.ok(this.bed.clock.nowMs() >= message.dueMs, `${text} came too early`);
      assert.ok(this.queue.accept(lease));
      message.isAsked = true;
    }
  }

  #checkCounts(): void {
    const { ready, delayed, leased } = this.queue.counts();
    let outstanding = 0;
    for (const { isAborted, isGone } of this.known.values())
      if (!isAborted && !isGone) outstanding++;
    // What crashed before the queue had noted that it was aborted is found at the head.
    const unnoted = this.bed.log.findAborted(0, this.bed.log.nextOffset).length * 20;
    assert.ok(ready + delayed + leased <= outstanding + unnoted);
  }

  async #drain(): Promise<void> {
    this.#release();
    const consumer = new TestConsumer();
    this.queue.attach(consumer);
    this.consumer = consumer;
    for (let idle = 0; idle < 10; idle++) {
      await this.bed.clock.runFor(100);
      if (consumer.kept.length > 0) idle = 0;
      this.#take();
    }
    for (const [text, { isAborted, isAsked }] of this.known)
      assert.ok(isAborted || isAsked, `${text} is lost`);
    const { ready, leased, delayed, readyBytes } = this.queue.counts();
    assert.deepEqual([ready, leased, delayed, readyBytes], [0, 0, 0, 0]);
    assert.equal(this.queue.settledOffset, this.bed.log.nextOffset);
  }
}

const seeds = Number(process.env.PABAL_QUEUE_SEEDS ?? 12);

for (const [givesUncommitted, what] of [
  [false, 'whatever is purged, what is committed later comes, once, and what is aborted never'],
  [true, 'whatever is purged, all else comes once, where transactions hold nothing back'],
] as const) {
  test(what, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      try {
        await new RandomTransactions(seed, givesUncommitted).run(60);
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
    }
  });
}
