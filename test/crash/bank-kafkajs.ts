/**
 * A clerk of the bank with kafkajs, a program of its own so that it can be killed: BOOTSTRAP CLERK. It prints the number
 * of each transfer whose commit was answered, and ends its transaction when its input ends.
 */
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { patientKafka } from '../support/patience.ts';
import {
  accountsTopic,
  entriesOf,
  entryText,
  groupOf,
  ordersTopic,
  partitionOf,
  transactionalIdOf,
} from './bank-ledger.ts';

const [bootstrap = '', clerkText = ''] = process.argv.slice(2);
const clerk = Number(clerkText);
const state = { isStopping: false };
process.stdin.on('end', () => (state.isStopping = true));
process.stdin.resume();

const kafka = new Kafka({
  clientId: transactionalIdOf(clerk),
  brokers: [bootstrap],
  logLevel: logLevel.NOTHING,
  ...patientKafka,
  retry: { retries: 3, initialRetryTime: 30, maxRetryTime: 200 },
});

async function transfer(producer: Producer, number: number, isCommitted: boolean): Promise<void> {
  const transaction = await producer.transaction();
  try {
    const messages = entriesOf(clerk, number).map((entry) => ({
      value: entryText(entry),
      partition: partitionOf(entry),
    }));
    await transaction.send({ topic: accountsTopic, acks: -1, messages });
    await transaction.sendOffsets({
      consumerGroupId: groupOf(clerk),
      topics: [{ topic: ordersTopic, partitions: [{ partition: clerk, offset: `${number + 1}` }] }],
    });
    if (isCommitted) await transaction.commit();
    else await transaction.abort();
  } catch (error) {
    if (transaction.isActive()) await transaction.abort();
    throw error;
  }
}

async function findNext(): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const found = await admin.fetchOffsets({ groupId: groupOf(clerk), topics: [ordersTopic] });
    const offset = found[0]?.partitions.find(({ partition }) => partition === clerk)?.offset;
    return Math.max(0, Number(offset ?? -1));
  } finally {
    await admin.disconnect();
  }
}

async function work(): Promise<void> {
  const producer = kafka.producer({
    transactionalId: transactionalIdOf(clerk),
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout: 60_000,
  });
  // Whoever was in this place is fenced with that, and what he left open is undone: only then the offset counts.
  await producer.connect();
  try {
    let next = await findNext();
    while (!state.isStopping) {
      const isCommitted = next === 0 || Math.random() < 0.85;
      await transfer(producer, next, isCommitted);
      if (!isCommitted) continue;
      process.stdout.write(`${next}\n`);
      next += 1;
    }
  } finally {
    await producer.disconnect().catch(() => undefined);
  }
}

while (!state.isStopping) {
  try {
    await work();
  } catch {
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}
process.exit(0);
