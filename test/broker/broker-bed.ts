import { Broker, type BrokerOptions, type QueueHandle } from '../../src/broker/index.ts';
import { SeededRandom, SimulatedClock, SimulatedDisk } from '../../src/testing/index.ts';
import { LifeClock } from '../simulation/life-clock.ts';

/** A whole broker on a simulated disk, which can be cut off from its power. */
export class BrokerBed {
  readonly clock = new SimulatedClock();
  readonly warnings: string[] = [];
  broker!: Broker;
  disk: SimulatedDisk;
  readonly #random: SeededRandom;
  readonly #options: BrokerOptions;
  #life!: LifeClock;

  private constructor(seed: number, options: BrokerOptions) {
    this.#random = new SeededRandom(seed);
    this.#options = options;
    this.disk = new SimulatedDisk({ clock: this.clock, random: this.#random.fork() });
  }

  static async open(options: BrokerOptions = {}, seed = 1): Promise<BrokerBed> {
    const bed = new BrokerBed(seed, options);
    await bed.#start();
    return bed;
  }

  /** Runs the simulation until the promise has settled. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runUntil(promise);
  }

  /** Cuts the power and starts again. */
  async crash(): Promise<void> {
    this.#life.end();
    this.disk = this.disk.crash();
    await this.#start();
  }

  /** The texts of what a queue gives out now; all are accepted. */
  async drain(queue: QueueHandle, max = 100): Promise<string[]> {
    const messages = await this.run(queue.receive({ max }));
    for (const message of messages) message.accept();
    await this.run(queue.settled());
    return messages.map(({ text }) => text);
  }

  async #start(): Promise<void> {
    this.#life = new LifeClock(this.clock);
    const note = (line: string): void => void this.warnings.push(line);
    this.broker = await this.run(
      Broker.open({
        data: '/data',
        disk: this.disk,
        clock: this.#life,
        random: this.#random.fork(),
        log: { info: () => undefined, warn: note, error: note },
        tuning: { freeBytesMin: 0, journalFileBytes: 1024 * 1024 },
        ...this.#options,
      }),
    );
  }
}
