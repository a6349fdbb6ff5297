import type { TestContext } from 'node:test';
import { SNSClient } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { SystemClock, SystemRandom } from '../../src/base/index.ts';
import { SqsDoor } from '../../src/doors/sqs/index.ts';
import { silentLog } from '../../src/net/index.ts';
import { patienceMs } from '../support/patience.ts';
import { type CrossBed, openCrossBed } from './bed.ts';

/** A bed whose broker has the SQS door, too. */
export interface SqsCrossBed extends CrossBed {
  readonly sqs: SQSClient;
  readonly sns: SNSClient;
  /** Makes a queue and answers its URL. */
  readonly createQueue: (name: string, attributes?: Record<string, string>) => Promise<string>;
  /** Receives and deletes until there are so many messages. */
  readonly take: (url: string, count: number) => Promise<Message[]>;
}

export async function openSqsCrossBed(t: TestContext): Promise<SqsCrossBed> {
  const bed = await openCrossBed(t);
  const door = await SqsDoor.open({
    broker: bed.broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    advertised: undefined,
    accessKeys: new Map(),
    isRelaxed: false,
    messageBytesMax: 16 * 1024 * 1024,
    connectionsMax: 100,
    peerStallMs: 60_000,
  });
  const options = {
    endpoint: `http://127.0.0.1:${door.port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    maxAttempts: 1,
  };
  const sqs = new SQSClient(options);
  const sns = new SNSClient(options);
  t.after(async () => {
    sqs.destroy();
    sns.destroy();
    await door.close(0);
  });
  return {
    ...bed,
    sqs,
    sns,
    async createQueue(QueueName, Attributes = {}) {
      const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
      return QueueUrl!;
    },
    async take(QueueUrl, count) {
      const messages: Message[] = [];
      const end = Date.now() + patienceMs;
      while (messages.length < count) {
        if (Date.now() > end) throw new Error(`${messages.length} of ${count} messages came`);
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl,
            MaxNumberOfMessages: Math.min(10, count - messages.length),
            WaitTimeSeconds: 2,
            MessageAttributeNames: ['All'],
            MessageSystemAttributeNames: ['All'],
          }),
        );
        for (const message of Messages) {
          messages.push(message);
          const { ReceiptHandle } = message;
          await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
        }
      }
      return messages;
    },
  };
}
