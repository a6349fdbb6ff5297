import type { TestContext } from 'node:test';
import { SystemClock, SystemRandom } from '../../../../src/base/index.ts';
import { KafkaDoor } from '../../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../../src/net/index.ts';
import { GroupCoordinator, type GroupOptions, type Groups } from '../../../../src/shard/index.ts';
import { DelayedStore } from '../../../shard/group/delayed-store.ts';
import { MemoryBroker } from '../memory-broker.ts';
import { WireClient } from '../wire-client.ts';

export class GroupBroker extends MemoryBroker {
  readonly store: DelayedStore;
  readonly coordinator: GroupCoordinator;

  constructor(options: Partial<GroupOptions>) {
    super();
    const clock = new SystemClock();
    const { topics } = this;
    this.store = new DelayedStore(clock, 0);
    this.coordinator = new GroupCoordinator({
      clock,
      random: new SystemRandom(),
      store: this.store,
      topics: {
        get version() {
          return topics.list().length;
        },
        find: (name) => {
          const topic = topics.find(name);
          return topic && { id: topic.id, partitionCount: topic.partitions.length };
        },
        findName: (topicId) => topics.findById(topicId)?.name,
        names: () => topics.list().map(({ name }) => name),
      },
      options,
    });
    this.coordinator.load();
  }

  override groupsFor(): Groups {
    return this.coordinator;
  }

  override listGroupCoordinators(): Groups[] {
    return [this.coordinator];
  }
}

export interface GroupDoor {
  readonly broker: GroupBroker;
  readonly door: KafkaDoor;
  readonly connect: () => Promise<WireClient>;
}

/** A door over a coordinator of groups with the topic `orders` of two partitions; gone when the test ends. */
export async function openGroupDoor(
  t: TestContext,
  options: Partial<GroupOptions> = {},
): Promise<GroupDoor> {
  const broker = new GroupBroker({ initialRebalanceDelayMs: 0, ...options });
  await broker.topics.create({ name: 'orders', partitions: 2 });
  const door = await KafkaDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
  });
  const clients: WireClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    broker.coordinator.close();
    await door.close(0);
  });
  return {
    broker,
    door,
    async connect() {
      const client = await WireClient.connect(door.port);
      clients.push(client);
      return client;
    },
  };
}
