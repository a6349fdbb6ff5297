import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { type Consumer, Kafka, type KafkaMessage, logLevel, type Producer } from 'kafkajs';
import { SystemClock, SystemRandom } from '../../src/base/index.ts';
import { Broker } from '../../src/broker/index.ts';
import { AmqpDoor } from '../../src/doors/amqp091/index.ts';
import { KafkaDoor } from '../../src/doors/kafka/index.ts';
import { silentLog } from '../../src/net/index.ts';
import { patientKafka } from '../support/patience.ts';
import { until } from '../support/until.ts';

/** One broker in memory with both doors, and a client of each. */
export interface CrossBed {
  readonly broker: Broker;
  readonly kafka: Kafka;
  readonly producer: Producer;
  readonly channel: ConfirmChannel;
  /** Reads a topic from its beginning until there are so many records. */
  readonly readLog: (topic: string, count: number) => Promise<KafkaMessage[]>;
  /** Consumes a queue with acks until there are so many messages; `onMessage` is told of each as it comes. */
  readonly readQueue: (
    queue: string,
    count: number,
    values?: Record<string, unknown>,
    onMessage?: (message: ConsumeMessage) => void,
  ) => Promise<ConsumeMessage[]>;
}

export async function openCrossBed(t: TestContext): Promise<CrossBed> {
  const broker = await Broker.open({
    store: 'memory',
    groupOptions: { initialRebalanceDelayMs: 0 },
  });
  const parts = {
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
  };
  const kafkaDoor = await KafkaDoor.open(parts);
  const amqpDoor = await AmqpDoor.open({ ...parts, version: '0.0.0' });
  const kafka = new Kafka({
    brokers: [`127.0.0.1:${kafkaDoor.port}`],
    logLevel: logLevel.NOTHING,
    ...patientKafka,
  });
  const producer = kafka.producer();
  await producer.connect();
  const client: ChannelModel = await connect(`amqp://guest:guest@127.0.0.1:${amqpDoor.port}`);
  client.on('error', () => undefined);
  const channel = await client.createConfirmChannel();
  await channel.prefetch(50);
  const consumers: Consumer[] = [];
  t.after(async () => {
    await Promise.allSettled([
      client.close(),
      producer.disconnect(),
      ...consumers.map((consumer) => consumer.disconnect()),
    ]);
    await Promise.all([amqpDoor.close(0), kafkaDoor.close(0)]);
    await broker.close();
  });
  return {
    broker,
    kafka,
    producer,
    channel,
    async readLog(topic, count) {
      const consumer = kafka.consumer({
        groupId: `reader-${consumers.length}`,
        maxWaitTimeInMs: 100,
      });
      consumers.push(consumer);
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      const messages: KafkaMessage[] = [];
      await new Promise<void>((resolve) => {
        void consumer.run({
          eachMessage: async ({ message }) => {
            messages.push(message);
            if (messages.length === count) resolve();
          },
        });
      });
      return messages;
    },
    async readQueue(queue, count, values = {}, onMessage) {
      const messages: ConsumeMessage[] = [];
      let isCancelled = false;
      const take = (message: ConsumeMessage | null): void => {
        isCancelled ||= message === null;
        if (message === null) return;
        onMessage?.(message);
        messages.push(message);
        channel.ack(message);
      };
      await channel.consume(queue, take, { arguments: values });
      await until(
        () => isCancelled || messages.length === count,
        () => `message ${messages.length + 1} of ${count} from ${queue}`,
      );
      assert.equal(isCancelled, false, 'the consumer was ended');
      return messages;
    },
  };
}

/** The headers of a record as text; kafkajs gives buffers. */
export function headersOf(message: KafkaMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
}
