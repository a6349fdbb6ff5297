import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { patienceMs } from '../../support/patience.ts';
import { openBed, type SqsBed } from './sqs-bed.ts';

async function create(
  { client }: SqsBed,
  QueueName: string,
  Attributes: Record<string, string> = {},
): Promise<string> {
  const fifo = QueueName.endsWith('.fifo')
    ? { FifoQueue: 'true', ContentBasedDeduplication: 'true' }
    : {};
  const { QueueUrl = '' } = await client.send(
    new CreateQueueCommand({ QueueName, Attributes: { ...fifo, ...Attributes } }),
  );
  return QueueUrl;
}

async function send({ client }: SqsBed, QueueUrl: string, MessageBody: string): Promise<string> {
  const group = QueueUrl.endsWith('.fifo') ? { MessageGroupId: 'g' } : {};
  const { MessageId } = await client.send(
    new SendMessageCommand({ QueueUrl, MessageBody, ...group }),
  );
  return MessageId ?? '';
}

async function receive(
  { client }: SqsBed,
  QueueUrl: string,
  VisibilityTimeout = 30,
): Promise<Message[]> {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      VisibilityTimeout,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['All'],
    }),
  );
  return Messages;
}

async function handleOf(bed: SqsBed, QueueUrl: string, visibilityTimeout?: number) {
  const messages = await receive(bed, QueueUrl, visibilityTimeout);
  assert.equal(messages.length, 1);
  return messages[0]?.ReceiptHandle ?? '';
}

function change(
  { client }: SqsBed,
  QueueUrl: string,
  ReceiptHandle: string,
  VisibilityTimeout: number,
) {
  return client.send(
    new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }),
  );
}

function remove({ client }: SqsBed, QueueUrl: string, ReceiptHandle: string) {
  return client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
}

/** Visible messages, and those in flight. */
async function countsOf({ client }: SqsBed, QueueUrl: string): Promise<[number, number]> {
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
  );
  return [
    Number(Attributes['ApproximateNumberOfMessages']),
    Number(Attributes['ApproximateNumberOfMessagesNotVisible']),
  ];
}

async function untilVisible(bed: SqsBed, QueueUrl: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while ((await countsOf(bed, QueueUrl))[0] === 0) {
    assert.ok(performance.now() < deadline, 'its time did not end');
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

/** What a refused handle is told, without the handle. */
function refusal(reason: string) {
  return (error: unknown) => {
    assert.ok(error instanceof Error);
    assert.match(
      error.message,
      new RegExp(`for parameter ReceiptHandle is invalid. Reason: ${reason}`),
    );
    return true;
  };
}

const gone = refusal('Message does not exist or is not available for visibility timeout change.');
const expired = refusal('The receipt handle has expired.');

test('a handle whose time has ended deletes the message, and does not hide it', async (t) => {
  const bed = await openBed(t);
  const url = await create(bed, 'late');
  await send(bed, url, 'm');
  const handle = await handleOf(bed, url, 1);
  await untilVisible(bed, url);
  await change(bed, url, handle, 30);
  assert.deepEqual(await countsOf(bed, url), [1, 0]);
  await remove(bed, url, handle);
  assert.deepEqual(await countsOf(bed, url), [0, 0]);
  await remove(bed, url, handle);
  await assert.rejects(change(bed, url, handle, 30), gone);
});

test('an earlier handle of a message is as good as the latest', async (t) => {
  const bed = await openBed(t);
  const url = await create(bed, 'again');
  await send(bed, url, 'm');
  const first = await handleOf(bed, url, 0);
  const second = await handleOf(bed, url, 0);
  const third = await handleOf(bed, url, 30);
  assert.equal(new Set([first, second, third]).size, 3);
  // It changes the time of whoever has it now.
  await change(bed, url, second, 600);
  assert.deepEqual(await countsOf(bed, url), [0, 1]);
  await change(bed, url, first, 0);
  assert.deepEqual(await countsOf(bed, url), [1, 0]);
  const fourth = await handleOf(bed, url, 30);
  await remove(bed, url, first);
  assert.deepEqual(await countsOf(bed, url), [0, 0]);
  // The others delete what is gone, which is no error, and cannot hide it.
  await remove(bed, url, fourth);
  await assert.rejects(change(bed, url, third, 30), gone);
});

test('batches take earlier handles, too', async (t) => {
  const bed = await openBed(t);
  const url = await create(bed, 'batches');
  await send(bed, url, 'm');
  const handles = [await handleOf(bed, url, 0), await handleOf(bed, url, 0)];
  const changed = await bed.client.send(
    new ChangeMessageVisibilityBatchCommand({
      QueueUrl: url,
      Entries: handles.map((ReceiptHandle, at) => ({
        Id: `${at}`,
        ReceiptHandle,
        VisibilityTimeout: 10,
      })),
    }),
  );
  assert.deepEqual([changed.Successful?.length, changed.Failed], [2, undefined]);
  const removed = await bed.client.send(
    new DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: handles.map((ReceiptHandle, at) => ({ Id: `${at}`, ReceiptHandle })),
    }),
  );
  assert.deepEqual([removed.Successful?.length, removed.Failed], [2, undefined]);
  assert.deepEqual(await countsOf(bed, url), [0, 0]);
});

test('in a FIFO queue a handle whose time has ended is refused', async (t) => {
  const bed = await openBed(t);
  const url = await create(bed, 'late.fifo');
  await send(bed, url, 'm');
  const first = await handleOf(bed, url, 0);
  await untilVisible(bed, url);
  await assert.rejects(remove(bed, url, first), expired);
  await assert.rejects(change(bed, url, first, 30), gone);
  const second = await handleOf(bed, url, 30);
  await assert.rejects(remove(bed, url, first), expired);
  await assert.rejects(change(bed, url, first, 30), gone);
  await change(bed, url, second, 60);
  // One that was deleted is gone, also while there are others before it.
  await send(bed, url, 'n');
  await remove(bed, url, second);
  await remove(bed, url, second);
  await remove(bed, url, first);
  assert.deepEqual(
    (await receive(bed, url)).map(({ Body }) => Body),
    ['n'],
  );
});

for (const [name, at] of [
  ['entries.fifo', 'first'],
  ['entries', 'last'],
] as const) {
  test(`entries of batches are told what is wrong with their handles in words of their own: ${name}`, async (t) => {
    const bed = await openBed(t);
    const QueueUrl = await create(bed, name);
    await send(bed, QueueUrl, 'm');
    const ReceiptHandle = await handleOf(bed, QueueUrl, 0);
    if (at === 'first') await untilVisible(bed, QueueUrl);
    else await remove(bed, QueueUrl, ReceiptHandle);
    const Entries = [{ Id: 'a', ReceiptHandle, VisibilityTimeout: 30 }];
    const failed = {
      Id: 'a',
      Code: 'ReceiptHandleIsInvalid',
      SenderFault: true,
      Message: 'Message does not exist or is not available for visibility timeout change',
    };
    const { Failed: unchanged } = await bed.client.send(
      new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }),
    );
    assert.deepEqual(unchanged, [failed]);
    const { Failed: kept } = await bed.client.send(
      new DeleteMessageBatchCommand({ QueueUrl, Entries: [{ Id: 'a', ReceiptHandle }] }),
    );
    const expiry = { ...failed, Message: 'The receipt handle has expired' };
    assert.deepEqual(kept, at === 'first' ? [expiry] : undefined);
  });
}

for (const suffix of ['', '.fifo']) {
  test(`a message goes to the dead letters when it would be received once too often${suffix}`, async (t) => {
    const bed = await openBed(t);
    const dead = await create(bed, `dead${suffix}`);
    const policy = {
      deadLetterTargetArn: `arn:aws:sqs:eu-central-1:000000000000:dead${suffix}`,
      maxReceiveCount: 2,
    };
    const url = await create(bed, `work${suffix}`, { RedrivePolicy: JSON.stringify(policy) });
    const id = await send(bed, url, 'poison');
    await handleOf(bed, url, 0);
    await handleOf(bed, url, 0);
    // A timer says that its time has ended.
    await untilVisible(bed, url);
    assert.deepEqual(await countsOf(bed, url), [1, 0]);
    assert.deepEqual(await countsOf(bed, dead), [0, 0]);
    await send(bed, url, 'next');
    const received = await receive(bed, url);
    assert.deepEqual(
      received.map(({ Body }) => Body),
      ['next'],
    );
    const [buried] = await receive(bed, dead);
    assert.equal(buried?.MessageId, id);
    assert.equal(buried?.Attributes?.ApproximateReceiveCount, '3');
    assert.deepEqual(await countsOf(bed, url), [0, 1]);
  });
}

test('whoever had a message last may delete it until it goes to the dead letters', async (t) => {
  const bed = await openBed(t);
  const dead = await create(bed, 'dead');
  const policy = {
    deadLetterTargetArn: 'arn:aws:sqs:eu-central-1:000000000000:dead',
    maxReceiveCount: 1,
  };
  const url = await create(bed, 'work', { RedrivePolicy: JSON.stringify(policy) });
  await send(bed, url, 'slow');
  const handle = await handleOf(bed, url, 0);
  await remove(bed, url, handle);
  assert.deepEqual(await receive(bed, url), []);
  assert.deepEqual(await countsOf(bed, dead), [0, 0]);
});

test('a policy that is changed counts for messages that failed before', async (t) => {
  const bed = await openBed(t);
  await create(bed, 'dead');
  const deadLetterTargetArn = 'arn:aws:sqs:eu-central-1:000000000000:dead';
  const policy = (maxReceiveCount: number) =>
    JSON.stringify({ deadLetterTargetArn, maxReceiveCount });
  const url = await create(bed, 'work', { RedrivePolicy: policy(1) });
  await send(bed, url, 'm');
  await handleOf(bed, url, 0);
  const RedrivePolicy = policy(5);
  await bed.json('SetQueueAttributes', { QueueUrl: url, Attributes: { RedrivePolicy } });
  await handleOf(bed, url, 0);
  await bed.json('SetQueueAttributes', { QueueUrl: url, Attributes: { RedrivePolicy: '' } });
  await handleOf(bed, url, 0);
});
