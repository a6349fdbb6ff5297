import type { PublishGroup, Queue } from '../../src/broker/ports/index.ts';
import { HeaderWriter, property } from '../../src/message/index.ts';
import type {
  AcquiredMessage,
  Lease,
  PartitionQueue,
  QueueConsumer,
  QueueMessage,
} from '../../src/shard/queue/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { DeadLetterModel, type QueuedMessage, QueueModel, type QueuePlan } from './queue-model.ts';
import { expectThat } from './violation.ts';
import type { World } from './world.ts';

/** Topics of queues are kept apart from those that the other actors know. */
const namespace = 'queues';
const deadName = 'dead';
/** Nothing that was asked of a queue takes longer than this, retries of dead letters included. */
const restMs = 2500;

/** The queues of one seed, with everybody who uses them. */
export class QueueWorld {
  readonly world: World;
  readonly models: QueueModel[] = [];
  readonly deadLetters = new DeadLetterModel();
  /** Nobody publishes or consumes any more. */
  isResting = false;
  publishing = 0;
  /** Names of queues with messages that could not be read. */
  readonly #damaged = new Set<string>();
  readonly #random: SeededRandom;

  /** Draws from its own randomness: the other actors do what they would do without queues. */
  constructor(world: World) {
    this.world = world;
    this.#random = new SeededRandom(world.seed ^ 0x51ed270b);
    const random = this.#random;
    const count = random.pick([0, 1, 1, 2]);
    for (let index = 0; index < count; index++) {
      const more = new SeededRandom(world.seed * 2 + index);
      const model = new QueueModel(drawQueue(random, more, `queue-${index}`));
      this.models.push(model);
      if (!model.plan.hasDeadLetters) continue;
      model.deadLetters = this.deadLetters;
      this.deadLetters.sources.push(model);
    }
    for (const { plan } of this.models) world.trace(JSON.stringify(plan));
  }

  get hasDeadLetters(): boolean {
    return this.deadLetters.sources.length > 0;
  }

  find(name: string): Queue | undefined {
    return this.world.broker.queues.find(namespace, name);
  }

  start(): void {
    if (this.models.length === 0) return;
    this.isResting = false;
    this.publishing = 0;
    const { world } = this;
    this.#spawn('queue declarer', (random) => this.#declareAll(random));
    for (const model of this.models) {
      const { name, isPulled } = model.plan;
      this.#spawn(`publisher of ${name}`, (random) => this.#publishFor(model, random));
      this.#spawn(`administrator of ${name}`, (random) => this.#administer(model, random));
      if (isPulled) world.spawn(`watcher of ${name}`, () => this.#watchFailures(model));
      for (let index = 0; index < model.plan.consumers; index++) {
        this.#spawn(`consumer ${index} of ${name}`, (random) =>
          isPulled ? this.#pull(model, random) : new SimulatedConsumer(this, model, random).run(),
        );
      }
    }
    if (this.hasDeadLetters) world.spawn('the undertaker', () => this.#watchDead());
  }

  /** A life is over, or everything that was not durable is in doubt. */
  roll(): void {
    for (const model of this.models) model.roll();
  }

  /** What the broker tells: a queue goes on without messages that it cannot read. */
  noteLog(text: string): void {
    const name = /^queue queues\/(\S+): messages? .* cannot be read/.exec(text)?.[1];
    if (name === undefined) return;
    this.#damaged.add(name);
    for (const model of this.models) if (model.plan.name === name) model.isDamaged = true;
  }

  /** Nothing is damaged any more: everything can be given out. */
  async retryDamaged(): Promise<void> {
    for (const name of this.#damaged) {
      const count = await this.find(name)?.retryDamaged();
      this.world.trace(`${count} messages of ${name} are tried again`);
      for (const model of this.models) if (model.plan.name === name) model.retryDamaged();
    }
  }

  loosen(): void {
    for (const model of this.models) model.loosen();
  }

  /** Everybody stops; resolves when nothing moves any more. */
  async rest(): Promise<void> {
    this.isResting = true;
    await this.world.life.sleep(restMs);
    expectThat(this.publishing === 0, `${this.publishing} publishes are never answered`);
  }

  /** What each queue shows is what is known of it. */
  async checkRest(): Promise<void> {
    for (const model of this.models) {
      const queue = this.find(model.plan.name);
      if (queue === undefined) continue;
      const messages = await queue.peek(0, 1_000_000, Number.MAX_SAFE_INTEGER);
      model.checkRest(messages.map(readId), queue.counts(), this.world.clock.nowMs());
    }
  }

  /** Takes out everything that is left, and checks that nothing was lost. */
  async drain(): Promise<void> {
    const { world } = this;
    for (const model of this.models) {
      const queue = this.find(model.plan.name);
      if (queue === undefined) continue;
      const consumer = new Drainer(this, model);
      queue.attach(consumer);
      for (let wait = 0; queue.counts().ready + queue.counts().leased > 0; wait++) {
        expectThat(
          wait < 100,
          `${model.plan.name} is never empty: ${JSON.stringify(queue.counts())}`,
        );
        await world.life.sleep(50);
      }
      const event = world.nextEvent();
      await queue.settled();
      model.noteDurable(event);
      queue.detach(consumer, 'return');
    }
    // The dead of the last moment.
    if (this.hasDeadLetters) await world.life.sleep(restMs);
    for (const model of this.models) model.checkEnd(world.clock.nowMs());
  }

  /** After everything was settled durably, nothing comes back. */
  async checkEmpty(): Promise<void> {
    for (const { plan, isLoose } of this.models) {
      const queue = this.find(plan.name);
      if (queue === undefined || isLoose) continue;
      const { ready, delayed, leased } = queue.counts();
      expectThat(
        ready + delayed + leased === 0,
        `${plan.name} was emptied, and has ${ready} ready, ${delayed} delayed, ${leased} leased`,
      );
    }
  }

  /** Notes what is durable once the queue says so. */
  awaitSettled(model: QueueModel, queue: PartitionQueue | Queue): void {
    const event = this.world.nextEvent();
    const { life } = this.world;
    queue
      .settled()
      .then(
        () => {
          if (life === this.world.life) model.noteDurable(event);
        },
        (error: unknown) => {
          this.world.forgive(error);
          if (life === this.world.life) model.roll();
        },
      )
      .catch((error: unknown) => {
        this.world.failure ??= error;
      });
  }

  #spawn(name: string, run: (random: SeededRandom) => Promise<void>): void {
    const random = this.#random.fork();
    this.world.spawn(name, () => run(random));
  }

  // Declaring

  async #declareAll(random: SeededRandom): Promise<void> {
    const { world } = this;
    const plans = this.models.map(({ plan }) => plan);
    for (;;) {
      for (const plan of plans) await this.#declare(plan);
      if (this.hasDeadLetters) await this.#declare(undefined);
      await world.life.sleep(20 + random.nextFraction() * 100);
    }
  }

  async #declare(plan: QueuePlan | undefined): Promise<void> {
    const name = plan?.name ?? deadName;
    if (this.find(name) !== undefined) return;
    try {
      await this.world.broker.queues.declare({
        namespace,
        name,
        ...(plan === undefined ? {} : settingsOf(plan)),
      });
      this.world.trace(`declared ${name}`);
    } catch (error) {
      this.world.forgive(error, 'queue-not-found', 'topic-not-found');
    }
  }

  // Publishing

  async #publishFor(model: QueueModel, random: SeededRandom): Promise<void> {
    const { life } = this.world;
    for (;;) {
      await life.sleep(random.nextFraction() * random.pick([2, 10, 60]));
      if (this.isResting || model.liveCount > 150) continue;
      const queue = this.find(model.plan.name);
      // Where the dead have no place to go, they are gone.
      const isMissing = model.plan.hasDeadLetters && this.find(deadName) === undefined;
      if (queue !== undefined && !isMissing) this.#publish(model, queue, random);
    }
  }

  #publish(model: QueueModel, queue: Queue, random: SeededRandom): void {
    const { world } = this;
    const { publisher } = world.broker;
    const messages: QueuedMessage[] = [];
    const { life } = world;
    const group = publisher.open((_group, error) => {
      if (life !== world.life) return;
      this.publishing--;
      world.trace(`${messages.map(({ id }) => id).join(' ')}: ${error?.code ?? 'published'}`);
      try {
        if (error !== undefined) world.forgive(error, 'topic-not-found');
        else {
          for (const message of messages) {
            message.isConfirmed = true;
            message.confirmedMs = Math.min(message.confirmedMs, world.clock.nowMs());
          }
        }
      } catch (violation) {
        world.failure ??= violation;
      }
    });
    this.publishing++;
    for (let count = 1 + random.nextInt(5); count > 0; count--)
      this.#add(model, queue, random, group, messages);
    publisher.close(group);
  }

  #add(
    model: QueueModel,
    queue: Queue,
    random: SeededRandom,
    group: PublishGroup,
    messages: QueuedMessage[],
  ): void {
    const { world } = this;
    const { plan } = model;
    const nowMs = world.clock.nowMs();
    const id = world.nextQueuedId();
    const writer = new HeaderWriter();
    const priority = plan.priorityMax > 0 && random.chance(0.7) ? random.nextInt(5) : undefined;
    if (priority !== undefined) writer.integer(property.priority, priority);
    const delayMs = random.chance(0.15) ? 1 + random.nextInt(80) : 0;
    if (delayMs > 0) writer.integer(property.deliverAt, nowMs + delayMs);
    const ttlMs = random.chance(0.1) ? 1 + random.nextInt(200) : -1;
    if (ttlMs >= 0) writer.integer(property.expiresAt, nowMs + ttlMs);
    const ends = [ttlMs, plan.messageTtlMs].filter((ms) => ms >= 0).map((ms) => nowMs + ms);
    const body = Buffer.alloc(8 + random.nextInt(random.pick([10, 200, 1500])), id & 0xff);
    body.writeDoubleBE(id);
    const deliverAtMs = delayMs === 0 ? 0 : nowMs + delayMs;
    const expiresAtMs = Math.min(Number.POSITIVE_INFINITY, ...ends);
    const message = model.add(id, priority, deliverAtMs, expiresAtMs, nowMs);
    if (plan.groups !== 'none' && random.chance(0.8)) {
      message.group = `group-${random.nextInt(3)}`;
      writer.text(property.group, message.group);
    }
    if (plan.dedupWindowMs > 0 && random.chance(0.3)) {
      message.dedupId = `once-${random.nextInt(30)}`;
      writer.text(property.dedupId, message.dedupId);
    }
    try {
      const outcome = world.broker.publisher.add(group, queue.topic, {
        key: null,
        body: [body],
        bodyBytes: body.length,
        headers: writer.finish(),
        headerCount: writer.count,
        timestampMs: nowMs,
        priority: writer.priority,
        expiresAtMs: writer.expiresAtMs,
        deliverAtMs: writer.deliverAtMs,
        groupId: writer.groupId,
        dedupId: writer.dedupId,
      });
      if (outcome === 'duplicate') model.refuseDuplicate(message, nowMs);
      else if (outcome === 'rejected') model.refuseSurplus(message);
      else {
        model.noteTaken(message, nowMs);
        messages.push(message);
      }
    } catch (error) {
      world.forgive(error, 'topic-not-found');
      model.refuse(message);
    }
  }

  // Administration

  async #administer(model: QueueModel, random: SeededRandom): Promise<void> {
    const { world } = this;
    const { name } = model.plan;
    for (;;) {
      await world.life.sleep(100 + random.nextFraction() * 600);
      const queue = this.find(name);
      const part = queue?.parts[0];
      if (this.isResting || queue === undefined || part === undefined) continue;
      const event = world.nextEvent();
      try {
        if (random.chance(0.3)) {
          world.trace(`purge ${name}`);
          model.purge(event);
          await queue.purge();
          model.noteDurable(event);
        } else if (random.chance(0.4)) {
          const { logStartOffset, highWatermark } = part.partition;
          const offset = logStartOffset + random.nextInt(highWatermark - logStartOffset + 1);
          world.trace(`rewind ${name} to ${offset}`);
          model.rewind(offset);
          await queue.rewind({ offsets: new Map([[0, offset]]) });
          world.trace(`rewound ${name}`);
        } else {
          part.isPaused = true;
          await world.life.sleep(random.nextFraction() * 100);
          part.isPaused = false;
        }
      } catch (error) {
        world.forgive(error, 'queue-not-found');
      }
    }
  }

  // Asking for messages

  async #pull(model: QueueModel, random: SeededRandom): Promise<void> {
    const { world } = this;
    const { name } = model.plan;
    for (;;) {
      await world.life.sleep(random.nextFraction() * 30);
      const queue = this.find(name);
      if (this.isResting || queue === undefined) continue;
      const owner = {};
      const messages = await queue.acquire({
        count: 1 + random.nextInt(10),
        bytesMax: random.pick([100, 1 << 20]),
        leaseMs: undefined,
        isAutoSettled: false,
        waitMs: random.pick([0, 40]),
        owner,
      });
      const held = messages.map((message) => {
        const known = model.take(
          readId(message),
          message,
          owner,
          world.nextEvent(),
          world.clock.nowMs(),
        );
        world.trace(`${name}: ${known.id} is acquired, ${message.deliveries}`);
        return { message, known };
      });
      await world.life.sleep(random.nextFraction() * random.pick([5, 60]));
      for (const { message, known } of held)
        if (random.chance(0.85)) this.#settleAcquired(model, message, known, owner, random);
      for (const { known } of held)
        if (known.holder === owner) model.giveBack(known, -1, false, world.clock.nowMs());
      queue.releaseOwner(owner);
      if (random.chance(0.5)) this.awaitSettled(model, queue);
    }
  }

  #settleAcquired(
    model: QueueModel,
    message: AcquiredMessage,
    known: QueuedMessage,
    owner: object,
    random: SeededRandom,
  ): void {
    const { world } = this;
    const { queue, lease } = message;
    const isAccepted = random.chance(0.8);
    const isDone = isAccepted
      ? queue.accept(lease)
      : queue.release(lease, { isFailure: random.chance(0.5), delayMs: 0 });
    world.trace(
      `${model.plan.name}: ${known.id} ${isAccepted ? 'accepted' : 'released'} ${isDone}`,
    );
    // Nobody tells those who ask for messages that their time is over.
    if (!isDone) {
      expectThat(
        model.plan.leaseMs >= 0 || known.holder !== owner,
        `${model.plan.name}: the lease of ${known.id} is stale`,
      );
      if (known.holder === owner) model.giveBack(known, 0, true, world.clock.nowMs());
      known.isReady = false;
    } else if (isAccepted) model.accept(known, world.nextEvent());
    else model.giveBack(known, 0, true, world.clock.nowMs());
  }

  /** Those who ask for messages are not told when the storage fails; somebody who is attached is. */
  async #watchFailures(model: QueueModel): Promise<void> {
    const { world } = this;
    for (;;) {
      await world.life.sleep(1);
      const queue = this.find(model.plan.name);
      if (queue === undefined) continue;
      await new Promise<void>((resolve) => {
        queue.attach({
          priority: 0,
          isAutoSettled: false,
          leaseMs: undefined,
          wants: () => false,
          take: () => undefined,
          detached: () => {
            model.roll();
            resolve();
          },
        });
      });
    }
  }

  // The dead

  async #watchDead(): Promise<void> {
    const { world } = this;
    for (;;) {
      await world.life.sleep(10);
      const queue = this.find(deadName);
      if (queue === undefined) continue;
      await new Promise<void>((resolve) => {
        const consumer: QueueConsumer = {
          priority: 0,
          isAutoSettled: false,
          leaseMs: undefined,
          wants: () => true,
          take: (message, lease, part) => {
            try {
              world.trace(`dead: ${readId(message)}`);
              world.counts.buried += 1;
              this.deadLetters.take(readId(message), message, world.clock.nowMs());
            } catch (violation) {
              world.failure ??= violation;
            }
            part.accept(lease);
          },
          detached: () => resolve(),
        };
        queue.attach(consumer);
      });
    }
  }
}

interface Held {
  known: QueuedMessage;
  lease: Lease;
  part: PartitionQueue;
}

/** Is given messages and does with them what consumers do, good ones and bad ones. */
class SimulatedConsumer implements QueueConsumer {
  readonly priority: number;
  readonly isAutoSettled: boolean;
  readonly leaseMs: number | undefined;
  readonly #queues: QueueWorld;
  readonly #model: QueueModel;
  readonly #random: SeededRandom;
  readonly #world: World;
  readonly #creditMax: number;
  readonly #held: Held[] = [];
  #isAttached = false;
  #isActive = false;

  constructor(queues: QueueWorld, model: QueueModel, random: SeededRandom) {
    this.#queues = queues;
    this.#model = model;
    this.#random = random;
    this.#world = queues.world;
    this.priority = random.nextInt(2);
    this.isAutoSettled = random.chance(0.1);
    this.leaseMs = random.chance(0.7) ? undefined : 60;
    this.#creditMax = random.pick([1, 4, 30]);
  }

  async run(): Promise<void> {
    const { life } = this.#world;
    const { name } = this.#model.plan;
    for (;;) {
      await life.sleep(this.#random.nextFraction() * 20);
      const queue = this.#queues.find(name);
      if (queue === undefined || this.#queues.isResting) {
        if (this.#isAttached && queue !== undefined) this.#leave(queue, 'return');
        continue;
      }
      if (!this.#isAttached) {
        this.#isAttached = true;
        queue.attach(this);
      } else if (this.#random.chance(0.04)) {
        this.#leave(queue, this.#random.pick(['return', 'return-failed']));
      } else {
        this.#settleSome();
        queue.resume();
        if (this.#random.chance(0.4)) this.#queues.awaitSettled(this.#model, queue);
      }
    }
  }

  wants(): boolean {
    return this.#isAttached && this.#held.length < this.#creditMax;
  }

  take(message: QueueMessage, lease: Lease, part: PartitionQueue): void {
    const world = this.#world;
    try {
      const { plan } = this.#model;
      expectThat(this.#isAttached, `${plan.name}: a message for somebody who is gone`);
      expectThat(
        !plan.isSingleActive || this.#isActive,
        `${plan.name}: a message for a consumer that is not active`,
      );
      const id = readId(message);
      world.trace(`${plan.name}: ${id} at ${message.offset} is given out, ${message.deliveries}`);
      const event = world.nextEvent();
      expectThat(
        message.offset < part.partition.highWatermark,
        `${plan.name}: ${id} is given out before it is durable`,
      );
      const known = this.#model.take(id, message, this, event, world.clock.nowMs());
      world.counts.delivered += 1;
      if (message.deliveries > 1) world.counts.redelivered += 1;
      if (this.isAutoSettled) this.#model.accept(known, event);
      else this.#held.push({ known, lease, part });
    } catch (violation) {
      world.failure ??= violation;
    }
  }

  leaseExpired(lease: Lease): void {
    const at = this.#held.findIndex((held) => held.lease === lease);
    const held = this.#held[at];
    if (held === undefined) return;
    this.#held.splice(at, 1);
    this.#world.trace(`${this.#model.plan.name}: the lease of ${held.known.id} is over`);
    this.#model.giveBack(held.known, -1, true, this.#world.clock.nowMs());
  }

  activeChanged(isActive: boolean): void {
    this.#isActive = isActive;
  }

  detached(reason: 'deleted' | 'failed'): void {
    this.#world.trace(`${this.#model.plan.name}: a consumer is detached: ${reason}`);
    this.#held.length = 0;
    this.#isAttached = false;
    this.#isActive = false;
    this.#model.roll();
  }

  #leave(queue: Queue, leases: 'return' | 'return-failed'): void {
    this.#world.trace(`${this.#model.plan.name}: a consumer goes: ${leases}`);
    for (const { known } of this.#held.splice(0))
      this.#model.giveBack(known, -1, leases === 'return-failed', this.#world.clock.nowMs());
    this.#isAttached = false;
    this.#isActive = false;
    queue.detach(this, leases);
  }

  #settleSome(): void {
    const random = this.#random;
    for (let at = this.#held.length - 1; at >= 0; at--) {
      if (random.chance(0.3)) continue;
      const held = this.#held[at];
      if (held === undefined) continue;
      if (random.chance(0.05)) this.#extend(held);
      else {
        this.#held.splice(at, 1);
        this.#settle(held);
      }
    }
  }

  #extend({ known, lease, part }: Held): void {
    const isDone = part.extend(lease, 30);
    expectThat(isDone, `${this.#model.plan.name}: the lease of ${known.id} cannot be extended`);
  }

  #settle({ known, lease, part }: Held): void {
    const world = this.#world;
    const model = this.#model;
    const random = this.#random;
    const nowMs = world.clock.nowMs();
    const dice = random.nextInt(100);
    let isDone: boolean;
    let what = 'accepted';
    // The model first: what comes of it may be given out at once.
    if (dice < 65) {
      model.accept(known, world.nextEvent());
      isDone = part.accept(lease);
    } else if (dice < 75) {
      what = 'rejected';
      model.die(known, world.nextEvent());
      isDone = part.reject(lease, 'rejected');
    } else {
      const isFailure = dice < 85;
      const delayMs = random.pick([-1, 0, 40]);
      what = `released ${delayMs} ${isFailure}`;
      model.giveBack(known, delayMs, isFailure, nowMs);
      isDone = part.release(lease, delayMs < 0 ? { isFailure } : { isFailure, delayMs });
    }
    world.trace(`${model.plan.name}: ${known.id} ${what}`);
    expectThat(isDone, `${model.plan.name}: the lease of ${known.id} is stale`);
  }
}

/** Accepts whatever comes. */
class Drainer implements QueueConsumer {
  readonly priority = 9;
  readonly isAutoSettled = false;
  readonly leaseMs = undefined;
  readonly #queues: QueueWorld;
  readonly #model: QueueModel;

  constructor(queues: QueueWorld, model: QueueModel) {
    this.#queues = queues;
    this.#model = model;
  }

  wants(): boolean {
    return true;
  }

  take(message: QueueMessage, lease: Lease, part: PartitionQueue): void {
    const { world } = this.#queues;
    try {
      const event = world.nextEvent();
      const known = this.#model.take(readId(message), message, this, event, world.clock.nowMs());
      world.trace(`${this.#model.plan.name}: ${known.id} is drained`);
      this.#model.accept(known, event);
      expectThat(part.accept(lease), `${this.#model.plan.name}: a fresh lease is stale`);
    } catch (violation) {
      world.failure ??= violation;
    }
  }

  detached(): void {}
}

function readId(message: QueueMessage): number {
  expectThat(message.valueBytes >= 8, 'a message without an id');
  const { buffer, byteOffset } = message.bytes;
  return new DataView(buffer, byteOffset + message.valueAt, 8).getFloat64(0);
}

function settingsOf(plan: QueuePlan) {
  return {
    form: {
      priorityMax: plan.priorityMax,
      isGrouped: plan.groups === 'ordered',
      isFair: plan.groups === 'fair',
    },
    settings: {
      dedupWindowMs: plan.dedupWindowMs,
      overflow: plan.overflow,
      leaseMs: plan.leaseMs,
      failuresMax: plan.failuresMax,
      retryDelayMs: plan.retryDelayMs,
      messageTtlMs: plan.messageTtlMs,
      isSingleActive: plan.isSingleActive,
      readyMax: plan.readyMax,
      deadLetter: plan.hasDeadLetters ? { exchange: '', key: deadName } : undefined,
    },
  };
}

function drawQueue(random: SeededRandom, more: SeededRandom, name: string): QueuePlan {
  const isPulled = random.chance(0.25);
  return {
    name,
    priorityMax: random.pick([0, 0, 3]),
    leaseMs: random.pick([-1, -1, 50]),
    failuresMax: random.pick([-1, 2]),
    retryDelayMs: random.pick([0, 0, 20]),
    messageTtlMs: random.pick([-1, -1, -1, 150]),
    hasDeadLetters: random.chance(0.4),
    isSingleActive: random.chance(0.2) && !isPulled,
    readyMax: random.pick([-1, -1, -1, 10]),
    isPulled,
    consumers: 1 + random.nextInt(3),
    groups: more.pick(['none', 'none', 'none', 'ordered', 'fair']),
    dedupWindowMs: more.pick([0, 0, 0, 100]),
    overflow: more.pick(['drop-head', 'drop-head', 'reject', 'reject-dead-letter']),
  };
}
