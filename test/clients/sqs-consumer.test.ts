import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { Consumer, type ConsumerOptions } from 'sqs-consumer';
import { patienceMs } from '../support/patience.ts';
import { ServerProcess } from './server-process.ts';

describe('sqs-consumer', () => {
  let server: ServerProcess;
  let sqs: SQSClient;

  before(async () => {
    server = await ServerProcess.start([], ['sqs']);
    sqs = new SQSClient({
      endpoint: server.sqsUrl,
      region: 'us-east-1',
      credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    });
  });

  after(async () => {
    sqs.destroy();
    await server.stop();
  });

  async function fill(QueueName: string, count: number): Promise<string> {
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName }));
    for (let from = 0; from < count; from += 10) {
      const Entries = Array.from({ length: Math.min(10, count - from) }, (_, index) => ({
        Id: String(index),
        MessageBody: String(from + index),
      }));
      await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    }
    return QueueUrl!;
  }

  /** Runs a consumer until what it handles makes `isDone` true, and then until it has stopped. */
  async function consume(
    queueUrl: string,
    options: Omit<ConsumerOptions, 'queueUrl' | 'sqs'>,
    isDone: () => boolean,
  ): Promise<void> {
    const consumer = Consumer.create({ ...options, queueUrl, sqs, waitTimeSeconds: 1 });
    // Errors of handlers are what some of these are about.
    consumer.on('error', () => undefined);
    consumer.on('processing_error', () => undefined);
    const stopped = new Promise((resolve) => {
      consumer.on('stopped', () => resolve(undefined));
    });
    consumer.start();
    const end = Date.now() + patienceMs;
    while (!isDone() && Date.now() < end) {
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
    consumer.stop();
    await stopped;
    assert.ok(isDone(), 'not in time');
  }

  /** A consumer that has stopped may still have a deletion on its way. */
  async function assertLeft(QueueUrl: string, expected: number): Promise<void> {
    const end = Date.now() + patienceMs;
    for (;;) {
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      );
      const left =
        Number(Attributes.ApproximateNumberOfMessages) +
        Number(Attributes.ApproximateNumberOfMessagesNotVisible);
      if (left === expected) return;
      assert.ok(left > expected && Date.now() < end, `${left} are left and not ${expected}`);
    }
  }

  test('handles every message once and deletes it', async () => {
    const url = await fill('consumer-single', 25);
    const seen: string[] = [];
    await consume(
      url,
      {
        batchSize: 10,
        handleMessage: async (message) => {
          seen.push(message.Body!);
          return message;
        },
      },
      () => seen.length >= 25,
    );
    assert.deepEqual(
      seen.map(Number).toSorted((one, other) => one - other),
      Array.from({ length: 25 }, (_, index) => index),
    );
    await assertLeft(url, 0);
  });

  test('handles batches, and deletes those that its handler names', async () => {
    const url = await fill('consumer-batch', 10);
    let handled = 0;
    await consume(
      url,
      {
        batchSize: 10,
        handleMessageBatch: async (messages) => {
          handled += messages.length;
          return messages.filter(({ Body }) => Number(Body) % 2 === 0);
        },
      },
      () => handled >= 10,
    );
    await assertLeft(url, 5);
  });

  test('gets a message again when its handler fails', async () => {
    const url = await fill('consumer-retry', 1);
    let tries = 0;
    await consume(
      url,
      {
        terminateVisibilityTimeout: true,
        handleMessage: async (message) => {
          tries++;
          if (tries < 3) throw new Error('not yet');
          return message;
        },
      },
      () => tries >= 3,
    );
    assert.equal(tries, 3);
    await assertLeft(url, 0);
  });
});
