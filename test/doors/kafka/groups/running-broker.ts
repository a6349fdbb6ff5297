import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { SystemClock, SystemRandom } from '../../../../src/base/index.ts';
import { Broker } from '../../../../src/broker/index.ts';
import { KafkaDoor } from '../../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../../src/net/index.ts';
import { patienceMs } from '../../../support/patience.ts';

/** A broker with a topic `orders`, on disk, that can be restarted on its port. */
export class RunningBroker {
  readonly #directory: string;
  #broker: Broker;
  #door: KafkaDoor;

  /** `beforeStop` runs at the end of the test, while the broker is still there. */
  static async start(t: TestContext, beforeStop?: () => Promise<void>): Promise<RunningBroker> {
    const directory = await mkdtemp(path.join(tmpdir(), 'pabal-groups-'));
    const [broker, door] = await open(directory, 0);
    const running = new RunningBroker(directory, broker, door);
    await broker.topics.create({ name: 'orders', partitions: 6 });
    t.after(async () => {
      await beforeStop?.();
      await running.stop();
      await rm(directory, { recursive: true });
    });
    return running;
  }

  private constructor(directory: string, broker: Broker, door: KafkaDoor) {
    this.#directory = directory;
    this.#broker = broker;
    this.#door = door;
  }

  get port(): number {
    return this.#door.port;
  }

  /** How many members the group `g` has, once it is stable. */
  get groupSize(): number {
    const group = this.#broker.groupsFor('g').describe('g');
    return group.state === 'stable' ? group.members.length : 0;
  }

  async send(from: number, count: number): Promise<void> {
    for (let index = from; index < from + count; index++) {
      await this.#broker.send('orders', { key: `${index}`, value: `${index}` });
    }
  }

  async restart(): Promise<void> {
    const { port } = this;
    await this.stop();
    [this.#broker, this.#door] = await open(this.#directory, port);
  }

  async stop(): Promise<void> {
    await this.#door.close(0);
    await this.#broker.close();
  }
}

async function open(directory: string, port: number): Promise<[Broker, KafkaDoor]> {
  const broker = await Broker.open({
    data: directory,
    groupOptions: { sessionTimeoutMinMs: 500 },
  });
  return [broker, await openDoor(broker, port)];
}

/** A port from before may be somebody else's for a moment, be it of a connection that goes out. */
async function openDoor(broker: Broker, port: number): Promise<KafkaDoor> {
  const endMs = Date.now() + patienceMs;
  for (;;) {
    try {
      return await KafkaDoor.open({
        broker,
        clock: new SystemClock(),
        random: new SystemRandom(),
        log: silentLog,
        host: '127.0.0.1',
        port,
      });
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isTaken || Date.now() > endMs) throw error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
  }
}
