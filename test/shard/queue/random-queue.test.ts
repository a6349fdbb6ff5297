import assert from 'node:assert/strict';
import test from 'node:test';
import type { Lease, PartitionQueue, QueueForm, QueueSettings } from '../../../src/shard/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { QueueBed, type Sent, TestConsumer } from './queue-bed.ts';

/** What is known of one message. */
interface Known {
  text: string;
  /** Appended durably: it must come until it is settled. */
  isStored: boolean;
  /** Settled for good: it must not come again. */
  isGone: boolean;
  /** Settled, and perhaps not durably. */
  isAsked: boolean;
  /** It was accepted, here or before a crash, and did not come since. */
  mayBeGone: boolean;
  priority: number;
  dueMs: number;
  group: string | undefined;
  /** Counts that it came with in this life. */
  deliveries: Set<number>;
}

interface Held {
  offset: number;
  lease: Lease;
  /** The request that it came with. */
  batch: object;
  /** The look at what had come: of those of one look nobody knows which was first. */
  pass: number;
  isAgain: boolean;
}

interface Plan {
  form: Partial<QueueForm>;
  settings: Partial<QueueSettings>;
  /** Records are deleted, be they settled or not. */
  isTrimmed?: boolean;
  /** Some were there before the queue. */
  hasHistory?: boolean;
}

const plans: Plan[] = [
  { form: {}, settings: {} },
  { form: {}, settings: { leaseMs: 50 } },
  { form: { priorityMax: 3, priorityDefault: 1 }, settings: { leaseMs: 200, retryDelayMs: 20 } },
  { form: { isGrouped: true }, settings: { leaseMs: 100 } },
  { form: { isFair: true }, settings: {} },
  { form: { priorityMax: 2, isGrouped: true }, settings: { retryDelayMs: 5 } },
  { form: {}, settings: { keepSettledMs: 1e9, retryDelayMs: 10 } },
  { form: { priorityMax: 2 }, settings: { keepSettledMs: 1e9, leaseMs: 30 } },
  { form: {}, settings: { leaseMs: 500 }, isTrimmed: true },
  { form: { priorityMax: 2, priorityDefault: 1 }, settings: { retryDelayMs: 20 }, isTrimmed: true },
  { form: { isGrouped: true }, settings: { leaseMs: 100, retryDelayMs: 20 }, isTrimmed: true },
  { form: {}, settings: { leaseMs: 50 }, hasHistory: true },
  { form: { priorityMax: 2, priorityDefault: 1 }, settings: { leaseMs: 80 }, hasHistory: true },
];

/** One queue, used and crashed at random, against what was promised. */
class RandomQueue {
  readonly random: SeededRandom;
  readonly plan: Plan;
  bed!: QueueBed;
  queue!: PartitionQueue;
  known: Known[] = [];
  consumers: TestConsumer[] = [];
  held: Held[] = [];
  #pass = 0;
  /** It got its messages with one request. */
  acquired: TestConsumer | undefined;
  /** Acceptances that are not known to be durable. */
  asked: number[] = [];
  #sent = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.plan = plans[seed % plans.length] as Plan;
  }

  async run(steps: number): Promise<void> {
    this.bed = await QueueBed.open({
      seed: this.random.nextInt(1e9),
      latencyMsMax: 3,
      journalFileBytes: this.random.nextInt(2) === 0 ? 8 * 1024 : 1024 * 1024,
      tailCacheBytes: this.random.nextInt(2) === 0 ? 4096 : 1024 * 1024,
    });
    if (this.plan.hasHistory) for (let batches = 0; batches < 5; batches++) this.#append();
    await this.bed.clock.runFor(this.random.nextInt(20));
    this.queue = this.bed.openQueue(this.plan.settings, this.plan.form);
    await this.bed.clock.runUntil(this.bed.shard.barrier());
    for (let step = 0; step < steps; step++) await this.#step();
    await this.#crash();
    await this.#drain();
  }

  async #step(): Promise<void> {
    const { random, bed } = this;
    switch (random.nextInt(15)) {
      case 0:
      case 1:
      case 2:
        this.#append();
        break;
      case 3:
        if (this.consumers.length < 3) this.#attach();
        break;
      case 4: {
        const consumer = this.consumers[random.nextInt(4)];
        if (consumer === undefined) break;
        this.queue.detach(consumer, random.nextInt(2) === 0 ? 'return' : 'return-failed');
        this.consumers.splice(this.consumers.indexOf(consumer), 1);
        break;
      }
      case 5:
      case 6:
      case 7:
        this.#settle();
        break;
      case 8:
        for (const consumer of this.consumers) consumer.credit += random.nextInt(5);
        this.queue.resume();
        break;
      case 9:
        if (random.nextInt(4) === 0) await this.#crash(random.nextInt(3) === 0);
        break;
      case 11:
        if (random.nextInt(6) === 0) await this.#purge();
        break;
      case 13:
        if (this.plan.settings.keepSettledMs && random.nextInt(4) === 0) await this.#rewind();
        break;
      case 14:
        if (this.plan.isTrimmed && random.nextInt(3) === 0) await this.#trim();
        else await bed.clock.runFor(random.nextInt(15));
        break;
      case 12:
        await this.#acquire();
        break;
      case 10:
        if (random.nextInt(4) === 0) await this.#noteSettled();
        break;
      default:
        await bed.clock.runFor(random.nextInt(15));
    }
    this.#gather();
    this.#checkCounts();
  }

  #append(): void {
    const { random, bed } = this;
    const messages: Sent[] = [];
    const fresh: Known[] = [];
    for (let count = 1 + random.nextInt(5); count > 0; count--) {
      const headers: Record<string, string> = {};
      const priority = random.nextInt(4);
      const dueMs = random.nextInt(4) === 0 ? bed.clock.nowMs() + random.nextInt(100) : -1;
      const group = random.nextInt(3) === 0 ? undefined : `g${random.nextInt(3)}`;
      if (random.nextInt(2) === 0) headers['pabal.priority'] = `${priority}`;
      if (dueMs >= 0) headers['pabal.deliver-at'] = `${dueMs}`;
      if (group !== undefined) headers['pabal.group'] = group;
      const text = `${this.#sent++}`;
      messages.push({ text, headers });
      fresh.push({
        text,
        isStored: false,
        isGone: false,
        isAsked: false,
        mayBeGone: false,
        priority,
        dueMs,
        group,
        deliveries: new Set(),
      });
    }
    const from = bed.log.nextOffset;
    for (const [index, message] of fresh.entries()) this.known[from + index] = message;
    bed.append(messages, random.nextInt(2) === 0).then(
      () => {
        for (const message of fresh) message.isStored = true;
      },
      () => undefined,
    );
  }

  #attach(): void {
    const consumer = new TestConsumer({
      credit: this.random.nextInt(6),
      priority: this.random.nextInt(2),
    });
    this.consumers.push(consumer);
    this.queue.attach(consumer);
  }

  /** Takes what the consumers got. */
  #gather(): void {
    this.#pass++;
    for (const consumer of this.consumers) {
      for (const { offset, lease, text, deliveries } of consumer.kept.splice(0)) {
        const batch = this.acquired === consumer ? consumer : {};
        const message = this.known[offset];
        assert.ok(message !== undefined && message.text === text, `${offset} is not ${text}`);
        assert.ok(!message.isGone, `${text} came again`);
        assert.ok(!message.isAsked, `${text} came though it was accepted`);
        assert.ok(!message.deliveries.has(deliveries), `${text}: delivery ${deliveries}`);
        if (message.dueMs >= 0) assert.ok(this.bed.clock.nowMs() >= message.dueMs, 'too early');
        message.deliveries.add(deliveries);
        message.mayBeGone = false;
        this.#checkGroup(message, offset, lease, batch);
        this.held.push({ offset, lease, batch, pass: this.#pass, isAgain: deliveries > 1 });
      }
    }
  }

  /** Of a group there is out: one message, or what came with it, or what followed it before it came again. */
  #checkGroup(message: Known, offset: number, lease: Lease, batch: object): void {
    if (!this.plan.form.isGrouped || message.group === undefined) return;
    if (!this.queue.isLeased(lease)) return;
    for (const { offset: at, lease: other, batch: before, pass, isAgain } of this.held) {
      if (other === lease || this.known[at]?.group !== message.group) continue;
      if (before === batch || at > offset || (isAgain && pass === this.#pass)) continue;
      assert.ok(!this.queue.isLeased(other), `${at} and ${offset} of ${message.group} at once`);
    }
  }

  #settle(): void {
    const { random } = this;
    for (let count = random.nextInt(4); count > 0 && this.held.length > 0; count--) {
      const [held] = this.held.splice(random.nextInt(this.held.length), 1);
      if (held === undefined) return;
      const { offset, lease } = held;
      switch (random.nextInt(5)) {
        case 0:
          this.queue.release(lease, { isFailure: random.nextInt(2) === 0 });
          break;
        case 1:
          this.queue.release(lease, { isFailure: false, delayMs: random.nextInt(30) });
          break;
        default:
          if (!this.queue.accept(lease)) break;
          (this.known[offset] as Known).isAsked = true;
          (this.known[offset] as Known).mayBeGone = true;
          this.asked.push(offset);
      }
    }
  }

  async #noteSettled(): Promise<void> {
    const asked = this.asked.splice(0);
    await this.bed.clock.runUntil(this.queue.settled());
    for (const offset of asked) (this.known[offset] as Known).isGone = true;
  }

  /** All that is not leased is gone for good. */
  async #purge(): Promise<void> {
    // What is being stored may or may not be purged.
    while (this.bed.log.highWatermark < this.bed.log.nextOffset) await this.bed.clock.runFor(1);
    this.#gather();
    const purging = this.queue.purge();
    for (const [offset, message] of this.known.entries()) {
      if (this.#isLeased(offset) || offset >= this.bed.log.nextOffset) continue;
      message.isAsked = true;
      message.mayBeGone = true;
    }
    this.asked.length = 0;
    await this.bed.clock.runUntil(purging);
    for (const message of this.known) if (message.isAsked) message.isGone = true;
  }

  /** What was settled from there on comes again. */
  async #rewind(): Promise<void> {
    while (this.bed.log.highWatermark < this.bed.log.nextOffset) await this.bed.clock.runFor(1);
    this.#gather();
    const from = this.random.nextInt(this.known.length + 1);
    const rewinding = this.queue.rewind(from);
    for (const message of this.known.slice(from)) {
      // A purge has settled it before its time.
      if (message.mayBeGone) message.dueMs = -1;
      message.isGone = false;
      message.isAsked = false;
      message.mayBeGone = false;
      message.deliveries.clear();
    }
    this.asked = this.asked.filter((offset) => offset < from);
    await this.bed.clock.runUntil(rewinding);
  }

  /** The log begins later: what lay before is gone for good, wherever it was. */
  async #trim(): Promise<void> {
    const { bed } = this;
    this.#gather();
    const { highWatermark, logStartOffset } = bed.log;
    const end = logStartOffset + this.random.nextInt(highWatermark - logStartOffset + 1);
    await bed.clock.runUntil(bed.log.deleteBefore(end));
    this.#gather();
    for (const message of this.known.slice(0, end)) {
      message.isAsked = true;
      message.mayBeGone = true;
      message.isGone = true;
    }
  }

  /** Leases outlive a crash where they have a time. */
  #isLeased(offset: number): boolean {
    for (let deliveries = 1; deliveries < 200; deliveries++)
      if (this.queue.findLease(offset, deliveries) !== undefined) return true;
    return false;
  }

  async #acquire(): Promise<void> {
    const { random } = this;
    const request = {
      count: 1 + random.nextInt(5),
      bytesMax: 1 + random.nextInt(5),
      leaseMs: random.nextInt(2) === 0 ? undefined : random.nextInt(40),
      isAutoSettled: false,
      waitMs: random.nextInt(10),
      takesRuns: random.nextInt(2) === 0,
    };
    const messages = await this.bed.clock.runUntil(this.queue.acquire(request));
    const consumer = new TestConsumer();
    for (const message of messages) consumer.take(message, message.lease);
    // Others got theirs in the same time.
    this.consumers.push(consumer);
    this.acquired = consumer;
    this.#gather();
    this.acquired = undefined;
    this.consumers.pop();
  }

  async #crash(isOrderly = false): Promise<void> {
    this.#gather();
    await (isOrderly ? this.bed.restart() : this.bed.crash());
    this.queue = this.bed.findQueue(this.plan.settings);
    this.consumers = [];
    this.held = [];
    this.asked = [];
    for (const [offset, message] of this.known.entries()) {
      if (message === undefined) continue;
      message.isAsked = false;
      // Deliveries alone do not wait for the journal.
      message.deliveries.clear();
      if (offset < this.bed.log.nextOffset) message.isStored = true;
      else assert.ok(!message.isStored, `${message.text} was stored and is gone`);
    }
    this.known.length = Math.min(this.known.length, this.bed.log.nextOffset);
  }

  #checkCounts(): void {
    const counts = this.queue.counts();
    assert.equal(this.queue.partition, this.bed.log);
    let outstanding = 0;
    for (const message of this.known) if (message !== undefined && !message.isAsked) outstanding++;
    const total = counts.ready + counts.delayed + counts.leased;
    // An acceptance before the last crash may or may not have become durable.
    assert.ok(total <= outstanding, `${total} of ${outstanding}`);
    if (total === 0 && !this.plan.settings.keepSettledMs) assert.equal(counts.readyBytes, 0);
  }

  /** In the end everything that was not accepted comes, each once, and what is left is nothing. */
  async #drain(): Promise<void> {
    await this.bed.clock.runFor(500);
    const expected = this.queue.counts();
    let bytes = 0;
    const seen = new Set<number>();
    const consumer = new TestConsumer({ credit: 1 });
    this.queue.attach(consumer);
    let last = -1;
    for (let idle = 0; idle < 40; ) {
      await this.bed.clock.runFor(10);
      if (consumer.kept.length === 0) idle++;
      for (const { offset, lease, text } of consumer.kept.splice(0)) {
        idle = 0;
        assert.ok(!seen.has(offset), `${text} came twice`);
        assert.ok(!(this.known[offset] as Known).isGone, `${text} came again`);
        const { form } = this.plan;
        if (!form.priorityMax && !form.isFair && !form.isGrouped)
          assert.ok(offset > last, `${offset} after ${last}`);
        last = offset;
        seen.add(offset);
        bytes += text.length;
        assert.equal(this.queue.accept(lease), true);
        consumer.credit = 1;
        this.queue.resume();
      }
    }
    assert.equal(seen.size, expected.ready + expected.leased + expected.delayed);
    // How many bytes come back with a rewind, go with the log's start, or were there before the queue, is not known.
    const { settings, isTrimmed, hasHistory } = this.plan;
    if (!settings.keepSettledMs && !isTrimmed && !hasHistory)
      assert.equal(bytes, expected.readyBytes + expected.leasedBytes);
    for (const [offset, message] of this.known.entries())
      assert.ok(message.mayBeGone || seen.has(offset), `${message.text} is lost`);
    const { ready, leased, delayed, readyBytes } = this.queue.counts();
    assert.deepEqual([ready, leased, delayed, readyBytes], [0, 0, 0, 0]);
  }
}

const seeds = Number(process.env.PABAL_QUEUE_SEEDS ?? 60);

test('whatever happens, what was accepted never comes again, and all else does', async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await new RandomQueue(seed).run(120);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
});
