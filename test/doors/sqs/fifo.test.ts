import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { openBed, type SqsBed } from './sqs-bed.ts';

async function create(
  { client }: SqsBed,
  Attributes: Record<string, string> = {},
): Promise<string> {
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({
      QueueName: 'orders.fifo',
      Attributes: { FifoQueue: 'true', ...Attributes },
    }),
  );
  return QueueUrl ?? '';
}

async function receive(
  { client }: SqsBed,
  QueueUrl: string,
  attempt?: string,
  MaxNumberOfMessages = 10,
): Promise<Message[]> {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages,
      MessageSystemAttributeNames: ['All'],
      ...(attempt === undefined ? {} : { ReceiveRequestAttemptId: attempt }),
    }),
  );
  return Messages;
}

async function sendAll({ client }: SqsBed, QueueUrl: string, texts: readonly string[]) {
  const numbers: string[] = [];
  for (const MessageBody of texts) {
    const { SequenceNumber } = await client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody,
        MessageGroupId: MessageBody.slice(0, 1),
        MessageDeduplicationId: MessageBody,
      }),
    );
    numbers.push(SequenceNumber ?? '');
  }
  return numbers;
}

test('an answer has the messages of a group one after the other, and locks it until they are deleted', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed);
  const remove = (message: Message | undefined) =>
    bed.client.send(
      new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle ?? '' }),
    );
  const numbers = await sendAll(bed, QueueUrl, ['a1', 'b1', 'a2', 'c1', 'a3']);
  assert.deepEqual(numbers.toSorted(), numbers);
  assert.ok(numbers.every((number) => /^\d{20}$/.test(number)));
  const first = await receive(bed, QueueUrl, undefined, 2);
  assert.deepEqual(
    first.map(({ Body, Attributes }) => [Body, Attributes?.SequenceNumber]),
    [
      ['a1', numbers[0]],
      ['a2', numbers[2]],
    ],
  );
  assert.equal(first[0]?.Attributes?.MessageGroupId, 'a');
  assert.equal(first[0]?.Attributes?.MessageDeduplicationId, 'a1');
  const second = await receive(bed, QueueUrl, undefined, 1);
  assert.deepEqual(bodies(second), ['b1']);
  await remove(first[0]);
  assert.deepEqual(bodies(await receive(bed, QueueUrl)), ['c1']);
  await remove(first[1]);
  assert.deepEqual(bodies(await receive(bed, QueueUrl)), ['a3']);
});

test('a message that comes back early goes again while later ones of its group are out', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed);
  await sendAll(bed, QueueUrl, ['a1', 'a2', 'a3', 'b1']);
  const first = await receive(bed, QueueUrl, undefined, 2);
  assert.deepEqual(bodies(first), ['a1', 'a2']);
  await bed.client.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl,
      ReceiptHandle: first[0]?.ReceiptHandle ?? '',
      VisibilityTimeout: 0,
    }),
  );
  // Its group has a new place in the line, and what comes behind the one that is out waits.
  assert.deepEqual(bodies(await receive(bed, QueueUrl)), ['b1', 'a1']);
});

test('messages that are received for no time are there again for the next receiver', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed, { VisibilityTimeout: '0' });
  await sendAll(bed, QueueUrl, ['a1', 'b1', 'b2', 'c1', 'a2']);
  assert.deepEqual(bodies(await receive(bed, QueueUrl, undefined, 3)), ['a1', 'a2', 'b1']);
  assert.deepEqual(bodies(await receive(bed, QueueUrl)), ['c1', 'a1', 'a2', 'b1', 'b2']);
});

function bodies(messages: readonly Message[]): Array<string | undefined> {
  return messages.map(({ Body }) => Body);
}

test('what has the id of an earlier message is answered like it and not stored', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed, { ContentBasedDeduplication: 'true' });
  const send = () =>
    bed.client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'same', MessageGroupId: 'g' }));
  const [first, again] = [await send(), await send()];
  assert.equal(again.MessageId, first.MessageId);
  assert.equal(again.SequenceNumber, first.SequenceNumber);
  assert.equal((await receive(bed, QueueUrl)).length, 1);
});

test('with the scope of groups, ids count within a group', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed, {
    DeduplicationScope: 'messageGroup',
    FifoThroughputLimit: 'perMessageGroupId',
  });
  for (const MessageGroupId of ['a', 'b', 'b']) {
    await bed.client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: 'm',
        MessageGroupId,
        MessageDeduplicationId: 'id',
      }),
    );
  }
  const messages = await receive(bed, QueueUrl);
  assert.deepEqual(
    messages.map(({ Attributes }) => Attributes?.MessageDeduplicationId),
    ['id', 'id'],
  );
});

test('an attempt to receive that is made again gets the same messages', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed);
  await bed.client.send(
    new SendMessageCommand({
      QueueUrl,
      MessageBody: 'm',
      MessageGroupId: 'g',
      MessageDeduplicationId: '1',
    }),
  );
  const first = await receive(bed, QueueUrl, 'attempt');
  const again = await receive(bed, QueueUrl, 'attempt');
  assert.equal(first.length, 1);
  assert.equal(again[0]?.ReceiptHandle, first[0]?.ReceiptHandle);
});

test('parameters of FIFO queues are asked for, and refused elsewhere', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed);
  const send = (input: object) => bed.json('SendMessage', { QueueUrl, MessageBody: 'm', ...input });
  const table: Array<[object, RegExp]> = [
    [{}, /must contain the parameter MessageGroupId/],
    [{ MessageGroupId: 'g' }, /ContentBasedDeduplication enabled or MessageDeduplicationId/],
    [{ MessageGroupId: 'g', MessageDeduplicationId: 'a b' }, /alphanumeric and punctuation/],
    [
      { MessageGroupId: 'g', MessageDeduplicationId: '1', DelaySeconds: 1 },
      /not valid for this queue type/,
    ],
  ];
  for (const [input, expected] of table) {
    const { status, json } = await send(input);
    assert.equal(status, 400);
    assert.match(String(json['message']), expected);
  }
});
