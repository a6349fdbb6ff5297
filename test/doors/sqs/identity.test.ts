import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  type Message,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { SystemClock } from '../../../src/base/index.ts';
import { openBed, type SqsBed } from './sqs-bed.ts';
import { until } from '../../support/until.ts';

async function create(
  { client }: SqsBed,
  QueueName: string,
  Attributes: Record<string, string> = {},
): Promise<string> {
  const fifo = QueueName.endsWith('.fifo') ? { FifoQueue: 'true' } : {};
  const { QueueUrl = '' } = await client.send(
    new CreateQueueCommand({ QueueName, Attributes: { ...fifo, ...Attributes } }),
  );
  return QueueUrl;
}

function arnOf(name: string): string {
  return `arn:aws:sqs:eu-central-1:000000000000:${name}`;
}

async function receive({ client }: SqsBed, QueueUrl: string, wait = true): Promise<Message[]> {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['All'],
      ...(wait ? { WaitTimeSeconds: 20 } : {}),
    }),
  );
  return Messages;
}

/** Receives one message and gives it up, once. */
async function fail(bed: SqsBed, QueueUrl: string): Promise<Message | undefined> {
  const [message] = await receive(bed, QueueUrl);
  await bed.client.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl,
      ReceiptHandle: message?.ReceiptHandle ?? '',
      VisibilityTimeout: 0,
    }),
  );
  return message;
}

async function countOf({ client }: SqsBed, QueueUrl: string, name: string): Promise<number> {
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
  );
  return Number(Reflect.get(Attributes, name));
}

for (const suffix of ['', '.fifo']) {
  test(`a dead message keeps its id and its receives, a redriven one is new${suffix}`, async (t) => {
    const bed = await openBed(t);
    const deadName = `dead${suffix}`;
    const dead = await create(bed, deadName);
    const policy = { deadLetterTargetArn: arnOf(deadName), maxReceiveCount: 2 };
    const source = await create(bed, `work${suffix}`, { RedrivePolicy: JSON.stringify(policy) });
    const fifo = suffix === '' ? {} : { MessageGroupId: 'g', MessageDeduplicationId: 'given' };
    const { MessageId } = await bed.client.send(
      new SendMessageCommand({ QueueUrl: source, MessageBody: 'body', ...fifo }),
    );
    const first = await fail(bed, source);
    const second = await fail(bed, source);
    assert.deepEqual([first?.MessageId, second?.MessageId], [MessageId, MessageId]);
    assert.deepEqual(await receive(bed, source, false), []);
    const [buried] = await receive(bed, dead);
    assert.equal(buried?.MessageId, MessageId);
    assert.equal(buried?.Body, 'body');
    const attributes = buried?.Attributes ?? {};
    assert.equal(attributes.ApproximateReceiveCount, '3');
    assert.equal(attributes.DeadLetterQueueSourceArn, arnOf(`work${suffix}`));
    if (suffix === '') assert.equal(attributes.SentTimestamp, first?.Attributes?.SentTimestamp);
    else assert.equal(attributes.MessageDeduplicationId, MessageId);
    await bed.client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: dead,
        ReceiptHandle: buried?.ReceiptHandle ?? '',
        VisibilityTimeout: 0,
      }),
    );
    await until(async () => (await countOf(bed, dead, 'ApproximateNumberOfMessages')) === 1);
    await bed.client.send(new StartMessageMoveTaskCommand({ SourceArn: arnOf(deadName) }));
    const [again] = await receive(bed, source);
    assert.notEqual(again?.MessageId, MessageId);
    assert.equal(again?.Attributes?.ApproximateReceiveCount, '1');
    assert.equal(again?.Attributes?.DeadLetterQueueSourceArn, undefined);
    if (suffix !== '') assert.equal(again?.Attributes?.MessageDeduplicationId, MessageId);
  });
}

test('what is purged is gone with what is in flight, and its ids are free', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed, 'orders.fifo');
  const send = (MessageBody: string) =>
    bed.client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody,
        MessageGroupId: 'g',
        MessageDeduplicationId: 'id',
      }),
    );
  await send('first');
  const [taken] = await receive(bed, QueueUrl);
  assert.equal(taken?.Body, 'first');
  await bed.client.send(new PurgeQueueCommand({ QueueUrl }));
  assert.equal(await countOf(bed, QueueUrl, 'ApproximateNumberOfMessagesNotVisible'), 0);
  await send('second');
  const [next] = await receive(bed, QueueUrl);
  assert.equal(next?.Body, 'second');
  // Whoever had the first one may still say that it is done.
  await bed.client.send(
    new DeleteMessageCommand({ QueueUrl, ReceiptHandle: taken?.ReceiptHandle ?? '' }),
  );
});

test('a message whose retention ends is dropped, also where dead ones are kept', async (t) => {
  let aheadMs = 0;
  class ShiftedClock extends SystemClock {
    override nowMs(): number {
      return super.nowMs() + aheadMs;
    }
  }
  const bed = await openBed(t, { clock: new ShiftedClock() });
  const dead = await create(bed, 'dead');
  const policy = { deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 5 };
  const QueueUrl = await create(bed, 'work', {
    RedrivePolicy: JSON.stringify(policy),
    MessageRetentionPeriod: '60',
  });
  await bed.client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'old' }));
  aheadMs = 61_000;
  await bed.client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'new' }));
  const [message] = await receive(bed, QueueUrl);
  assert.equal(message?.Body, 'new');
  assert.equal(await countOf(bed, dead, 'ApproximateNumberOfMessages'), 0);
});

test('two senders of one message get one answer, and none before it is stored', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed, 'orders.fifo');
  const send = () =>
    bed.client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: 'body',
        MessageGroupId: 'g',
        MessageDeduplicationId: 'id',
      }),
    );
  const answers = await Promise.all([send(), send(), send(), send()]);
  assert.equal(new Set(answers.map(({ MessageId }) => MessageId)).size, 1);
  assert.equal(new Set(answers.map(({ SequenceNumber }) => SequenceNumber)).size, 1);
});

function sendAgain({ client }: SqsBed, QueueUrl: string) {
  return client.send(
    new SendMessageCommand({
      QueueUrl,
      MessageBody: 'body',
      MessageGroupId: 'g',
      MessageDeduplicationId: 'id',
    }),
  );
}

function urlOf({ url }: SqsBed, name: string): string {
  return `${url}/000000000000/${name}`;
}

test('ids and moves outlive a restart', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'pabal-sqs-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const life = (name: string, run: (bed: SqsBed) => Promise<void>) =>
    t.test(name, async (inner: TestContext) => run(await openBed(inner, { data })));
  let sent: { MessageId?: string | undefined; SequenceNumber?: string | undefined } = {};
  await life('before', async (bed) => {
    sent = await sendAgain(bed, await create(bed, 'orders.fifo'));
    await create(bed, 'dead');
    const policy = { deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 1 };
    const source = await create(bed, 'work', { RedrivePolicy: JSON.stringify(policy) });
    for (let count = 0; count < 3; count++)
      await bed.client.send(
        new SendMessageCommand({ QueueUrl: urlOf(bed, 'dead'), MessageBody: `dead ${count}` }),
      );
    await bed.client.send(
      new StartMessageMoveTaskCommand({
        SourceArn: arnOf('dead'),
        DestinationArn: arnOf('work'),
        MaxNumberOfMessagesPerSecond: 1,
      }),
    );
    await until(async () => (await countOf(bed, source, 'ApproximateNumberOfMessages')) > 0);
  });
  await life('after', async (bed) => {
    const again = await sendAgain(bed, urlOf(bed, 'orders.fifo'));
    assert.deepEqual(
      [again.MessageId, again.SequenceNumber],
      [sent.MessageId, sent.SequenceNumber],
    );
    const list = async () => {
      const { Results = [] } = await bed.client.send(
        new ListMessageMoveTasksCommand({ SourceArn: arnOf('dead') }),
      );
      return Results[0];
    };
    await until(async () => (await list())?.Status === 'COMPLETED');
    const work = urlOf(bed, 'work');
    assert.equal(await countOf(bed, work, 'ApproximateNumberOfMessages'), 3);
  });
});
