import { createHash } from 'node:crypto';
import { batchBaseOffset, batchTotalBytes } from '../../src/bytes/index.ts';
import { verifyStore } from '../../src/shard/index.ts';
import type { SeededRandom } from '../../src/testing/index.ts';
import { createTopic, fetchOffset, startActors } from './actors.ts';
import { type Flip, flipBack, flipSomewhere, heal, runChaos } from './chaos.ts';
import { LifeClock } from './life-clock.ts';
import { expectThat, Violation } from './violation.ts';
import { dataDirectory, World } from './world.ts';

export interface SeedReport {
  seed: number;
  /** Of everything that happened, for comparing two runs of a seed. */
  digest: string;
  counts: World['counts'];
}

/** Events after which something is said to hang. */
const eventsMax = 50_000;

/** Runs one seed. Rejects with what was broken. */
export async function simulate(seed: number, trace?: (line: string) => void): Promise<SeedReport> {
  const hash = createHash('sha256');
  const world = new World(seed, (line) => {
    hash.update(line);
    trace?.(line);
  });
  await new Simulation(world).run();
  return { seed, digest: hash.digest('hex'), counts: world.counts };
}

class Simulation {
  readonly #world: World;
  readonly #random: SeededRandom;
  #flip: Flip | undefined;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork();
  }

  async run(): Promise<void> {
    const world = this.#world;
    for (let id = 0; id < world.plan.producers; id++) {
      world.producers.push({
        id,
        isIdempotent: this.#random.chance(0.6),
        producerId: -1,
        topicId: '',
        partition: 0,
        nextSequence: 0,
        pending: [],
      });
    }
    for (let life = 0; life < world.plan.lives; life++) {
      await this.#open();
      world.counts.lives += 1;
      await this.#scan();
      await this.#live();
      await this.#end();
    }
    await this.#finish();
  }

  /** Damage that keeps the broker from opening is repaired: then it must open. */
  async #open(): Promise<void> {
    const world = this.#world;
    for (let attempt = 0; ; attempt++) {
      if (attempt > 3) heal(world);
      expectThat(attempt < 10, 'the broker does not open though the disk works');
      world.life = new LifeClock(world.clock);
      const opening = world.openBroker();
      if (this.#random.chance(0.1)) {
        opening.catch(() => undefined);
        await this.#step(this.#random.nextInt(80));
        this.#crash(this.#random.chance(0.5));
        continue;
      }
      try {
        world.broker = await this.#settle(opening, 'opening');
      } catch (error) {
        const known = world.forgive(error);
        world.trace(`opening: ${known.message}`);
        world.life.end();
        if (known.code !== 'storage-damaged') continue;
        expectThat(
          this.#flip !== undefined && !this.#flip.path.includes('/segments/'),
          `only damage of the journal keeps the broker from opening: ${known.message}`,
        );
        await this.#repair();
        continue;
      }
      break;
    }
    world.storeId ??= world.broker.storeId;
    expectThat(world.storeId === world.broker.storeId, 'the store has another id');
    const isPowerLost = world.hasLostData;
    if (this.#flip?.isInLastChunk) {
      world.hasLostData = true;
      world.producerIds.clear();
    }
    if (world.hasLostData) {
      world.queues.loosen();
      world.reconcileLoss();
      world.forgetPromises();
    }
    world.noteTopics(true);
    world.hasLostData = isPowerLost || world.hasLostData;
    for (const producer of world.producers) {
      if (world.hasLostData && producer.pending.length === 0) producer.producerId = -1;
    }
  }

  async #live(): Promise<void> {
    const world = this.#world;
    const random = this.#random;
    if (world.broker.listTopics().length === 0) {
      const creating = createTopic(world, random).catch(
        (error: unknown) => void world.forgive(error),
      );
      await this.#settle(creating, 'creating a topic');
    }
    startActors(world);
    world.queues.start();
    const chaos = world.random.fork();
    world.spawn('chaos', () => runChaos(world, chaos));
    await this.#step(150 + random.nextInt(random.pick([100, 300, 800])));
  }

  async #end(): Promise<void> {
    const world = this.#world;
    const random = this.#random;
    const kind = random.pick(['crash', 'crash', 'kill', 'close', 'close half']);
    world.trace(`end: ${kind}`);
    if (kind.startsWith('close')) {
      if (random.chance(0.5)) heal(world);
      const closing = world.broker.close();
      closing.catch(() => undefined);
      if (kind === 'close') await this.#settle(closing, 'closing');
      else await this.#step(random.nextInt(60));
    }
    this.#crash(kind !== 'kill' && kind !== 'close');
    await this.#repair();
    if (!world.plan.hasBitFlips || !random.chance(0.6)) return;
    this.#flip = await flipSomewhere(world, random);
    world.isDamaged = this.#flip !== undefined;
  }

  #crash(isPowerLoss: boolean): void {
    const world = this.#world;
    world.trace(isPowerLoss ? 'power loss' : 'kill');
    world.life.end();
    world.queues.roll();
    world.disk = isPowerLoss ? world.disk.crash() : world.disk.kill();
    // A chunk behind the damaged one may have been in memory only: then the damaged one is the last now.
    if (isPowerLoss && this.#flip?.path.endsWith('.journal')) this.#flip.isInLastChunk = true;
    if (isPowerLoss && world.plan.sync === 'os') world.hasLostData = true;
  }

  /** Puts the file that was damaged back as it was. */
  async #repair(): Promise<void> {
    heal(this.#world);
    const flip = this.#flip;
    if (flip === undefined) return;
    this.#flip = undefined;
    this.#world.isDamaged = false;
    await flipBack(this.#world, flip);
  }

  /** Everything works again: the broker becomes healthy by itself, takes new data, and all that it has agrees. */
  async #finish(): Promise<void> {
    const world = this.#world;
    await this.#repair();
    await this.#open();
    heal(world);
    await this.#scan();
    startActors(world);
    world.queues.start();
    await this.#step(300);
    heal(world);
    const start = world.clock.monotonicMs();
    while (world.broker.findProblems().length > 0) {
      expectThat(
        world.clock.monotonicMs() < start + 20_000,
        `not healthy: ${world.broker.findProblems().join('; ')}`,
      );
      await this.#step(50);
    }
    await this.#step(200);
    await this.#settle(world.broker.maintain(), 'maintenance');
    world.creations.push({ name: 'the-end', partitions: 1 });
    await this.#settle(world.broker.send('the-end', { value: 'works' }), 'sending');
    world.noteTopics();
    for (const topic of world.topics.values())
      if (topic.name === 'the-end') topic.state = 'deleted';
    await this.#settle(world.broker.deleteTopic('the-end'), 'deleting a topic');
    world.life.end();
    // Nobody uses the broker any more; its own timers must go on.
    this.#crash(false);
    await this.#open();
    await this.#scan();
    await this.#finishQueues();
    await this.#settle(world.broker.close(), 'closing');
    const report = await this.#settle(verifyStore(dataDirectory, world.disk), 'verifying');
    const problems = report.problems.filter(
      (problem) => !problem.what.startsWith('missing, unless'),
    );
    expectThat(problems.length === 0, `after all this: ${JSON.stringify(problems)}`);
  }

  /** Only the queues are used: what they show when all is quiet is what is known, and nothing is lost in the end. */
  async #finishQueues(): Promise<void> {
    const { queues } = this.#world;
    if (queues.models.length === 0) return;
    await this.#settle(queues.retryDamaged(), 'trying again what was damaged');
    queues.start();
    await this.#step(120);
    await this.#settle(queues.rest(), 'resting');
    await this.#settle(queues.checkRest(), 'looking into the queues');
    await this.#settle(queues.drain(), 'emptying the queues');
    this.#crash(this.#random.chance(0.5));
    await this.#open();
    await this.#settle(queues.checkEmpty(), 'looking into the queues');
  }

  /** Reads everything that is stored and compares it with the model. */
  async #scan(): Promise<void> {
    await this.#settle(this.#scanAll(), 'reading everything');
  }

  async #scanAll(): Promise<void> {
    const world = this.#world;
    for (const topic of world.broker.listTopics()) {
      if (topic.name === 'the-end') continue;
      const model = world.topics.get(topic.id);
      for (const [index, partition] of topic.partitions.entries()) {
        const known = model?.partitions[index];
        if (known === undefined) throw new Violation(`${topic.name}-${index} is not known`);
        const seen = new Set<number>();
        let isWhole = true;
        const start = partition.logStartOffset;
        let offset = start;
        while (offset < partition.highWatermark) {
          try {
            const result = await partition.read(offset, { maxBytes: 20_000, minOneBatch: true });
            const next = known.noteRead(offset, result);
            expectThat(next > offset, `${known.name}: nothing at ${offset}`);
            for (const slice of result.slices) {
              for (let at = 0; at < slice.length; at += batchTotalBytes(slice, at))
                seen.add(batchBaseOffset(slice, at));
            }
            offset = next;
          } catch (error) {
            const code = world.forgive(error, 'offset-out-of-range', 'topic-not-found').code;
            if (code === 'topic-not-found') break;
            if (code === 'offset-out-of-range') {
              expectThat(offset < partition.logStartOffset, `${known.name}: ${String(error)}`);
              offset = partition.logStartOffset;
              continue;
            }
            isWhole = false;
            offset += 1;
          }
        }
        if (!isWhole || world.broker.topics.findById(topic.id) === undefined) continue;
        known.checkScanned(seen, partition.logStartOffset);
        known.checkLogStart(partition, topic.options, world.clock.nowMs());
      }
    }
    for (const [key, committed] of world.offsets) {
      const [group = '', index = ''] = key.split('/');
      try {
        await fetchOffset(world, group, Number(index), committed);
      } catch (error) {
        world.forgive(error);
      }
    }
  }

  async #step(events: number): Promise<void> {
    const world = this.#world;
    for (let count = 0; count < events; count++) {
      if (world.failure !== undefined) throw world.failure;
      if (!(await world.clock.runNext())) return;
    }
    if (world.failure !== undefined) throw world.failure;
  }

  async #settle<T>(promise: Promise<T>, what: string): Promise<T> {
    const world = this.#world;
    const ending: { outcome?: { value: T } | { error: unknown } } = {};
    promise.then(
      (value) => {
        ending.outcome = { value };
      },
      (error: unknown) => {
        ending.outcome = { error };
      },
    );
    for (let count = 0; ending.outcome === undefined; count++) {
      expectThat(count < eventsMax, `${what} does not end`);
      if (world.failure !== undefined) throw world.failure;
      const isAlive = await world.clock.runNext();
      if (!isAlive && ending.outcome === undefined) throw new Violation(`${what} hangs`);
    }
    if (world.failure !== undefined) throw world.failure;
    const { outcome } = ending;
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }
}
