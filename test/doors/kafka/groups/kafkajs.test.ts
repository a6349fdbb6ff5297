import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { type Consumer, Kafka, logLevel } from 'kafkajs';
import { patientKafka } from '../../../support/patience.ts';
import { RunningBroker } from './running-broker.ts';
import { until } from '../../../support/until.ts';

const partitionCount = 6;

/** A member as an application has it, which can also be cut off without a word. */
class Member {
  readonly received: number[] = [];
  assigned: number[] = [];
  readonly #consumer: Consumer;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #stopping: Promise<void> | undefined;

  /** `sessionTimeout`: long for a member that must not be given up when the machine stands still for a while. */
  constructor(port: number, sessionTimeout: number) {
    const kafka = new Kafka({
      clientId: 'member',
      brokers: [`127.0.0.1:${port}`],
      logLevel: logLevel.NOTHING,
      ...patientKafka,
      retry: {
        initialRetryTime: 50,
        retries: 8,
        maxRetryTime: 100,
        restartOnFailure: () => Promise.resolve(!this.#isCut),
      },
      socketFactory: ({ host, port: target, onConnect }) => {
        const socket = connect(target, host, onConnect);
        this.#sockets.add(socket);
        if (this.#isCut) socket.destroy(new Error('cut off'));
        return socket;
      },
    });
    this.#consumer = kafka.consumer({
      groupId: 'g',
      sessionTimeout,
      rebalanceTimeout: 5000,
      heartbeatInterval: 100,
      maxWaitTimeInMs: 50,
    });
    this.#consumer.on('consumer.group_join', ({ payload }) => {
      this.assigned = payload.memberAssignment['orders'] ?? [];
    });
  }

  async start(): Promise<void> {
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: ['orders'], fromBeginning: true });
    await this.#consumer.run({
      eachMessage: async ({ message }) => {
        this.received.push(Number(message.value?.toString()));
      },
    });
  }

  stop(): Promise<void> {
    // A member that was cut off cannot say goodbye.
    this.#stopping ??= this.#consumer.disconnect().catch(() => {});
    return this.#stopping;
  }

  cutOff(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy(new Error('cut off'));
  }
}

interface Crew {
  readonly broker: RunningBroker;
  readonly addMember: (sessionTimeout?: number) => Member;
}

/** A broker, and members that stop before it does. */
async function startCrew(t: TestContext): Promise<Crew> {
  const members: Member[] = [];
  const broker = await RunningBroker.start(t, async () => {
    await Promise.all(members.map((member) => member.stop()));
  });
  return {
    broker,
    addMember(sessionTimeout = 5000) {
      const member = new Member(broker.port, sessionTimeout);
      members.push(member);
      return member;
    },
  };
}

function sortedUnion(...lists: number[][]): number[] {
  return [...new Set(lists.flat())].toSorted((a, b) => a - b);
}

const everything = (count: number) => Array.from({ length: count }, (_, index) => index);

test('kafkajs members meet, and share what others leave or lose', async (t) => {
  const { broker, addMember } = await startCrew(t);
  await broker.send(0, 30);
  const [a, b, c] = [addMember(), addMember(1000), addMember()];
  await Promise.all([a.start(), b.start(), c.start()]);
  await until(() => broker.groupSize === 3);
  await until(() => [a, b, c].every((member) => member.assigned.length === 2));
  await until(() => sortedUnion(a.assigned, b.assigned, c.assigned).length === partitionCount);
  await until(() => sortedUnion(a.received, b.received, c.received).length === 30);

  await c.stop();
  await until(() => broker.groupSize === 2);
  await until(() => a.assigned.length === 3 && b.assigned.length === 3);

  b.cutOff();
  await until(() => a.assigned.length === partitionCount);
  await broker.send(30, 30);
  await until(() => sortedUnion(a.received).filter((value) => value >= 30).length === 30);
});

test('kafkajs members go on where they were when the broker restarts', async (t) => {
  const { broker, addMember } = await startCrew(t);
  await broker.send(0, 20);
  const [a, b] = [addMember(), addMember()];
  await Promise.all([a.start(), b.start()]);
  await until(() => sortedUnion(a.received, b.received).length === 20);
  await broker.restart();
  await broker.send(20, 20);
  await until(() => sortedUnion(a.received, b.received).length === 40);
  assert.deepEqual(sortedUnion(a.received, b.received), everything(40));
  await until(() => broker.groupSize > 0);
});

test('kafkajs goes on from committed offsets', async (t) => {
  const { broker, addMember } = await startCrew(t);
  await broker.send(0, 20);
  // Its offsets are committed when it stops, if it still is a member then.
  const first = addMember(60_000);
  await first.start();
  await until(() => first.received.length === 20);
  await first.stop();
  await broker.restart();
  await broker.send(20, 5);
  const second = addMember();
  await second.start();
  await until(() => second.received.length >= 5);
  assert.deepEqual(sortedUnion(second.received), [20, 21, 22, 23, 24]);
});
