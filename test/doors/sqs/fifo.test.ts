import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
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

async function receive({ client }: SqsBed, QueueUrl: string, attempt?: string): Promise<Message[]> {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['All'],
      ...(attempt === undefined ? {} : { ReceiveRequestAttemptId: attempt }),
    }),
  );
  return Messages;
}

test('a group is in order, one message after the other, and groups do not wait for each other', async (t) => {
  const bed = await openBed(t);
  const { client } = bed;
  const QueueUrl = await create(bed);
  const numbers: string[] = [];
  for (const [MessageGroupId, MessageBody] of [
    ['a', 'a1'],
    ['a', 'a2'],
    ['b', 'b1'],
  ] as const) {
    const { SequenceNumber } = await client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody,
        MessageGroupId,
        MessageDeduplicationId: MessageBody,
      }),
    );
    numbers.push(SequenceNumber ?? '');
  }
  assert.deepEqual(numbers.toSorted(), numbers);
  assert.ok(numbers.every((number) => /^\d{20}$/.test(number)));
  const first = await receive(bed, QueueUrl);
  assert.deepEqual(
    first.map(({ Body, Attributes }) => [Body, Attributes?.SequenceNumber]),
    [
      ['a1', numbers[0]],
      ['b1', numbers[2]],
    ],
  );
  assert.deepEqual(await receive(bed, QueueUrl), []);
  await client.send(
    new DeleteMessageCommand({ QueueUrl, ReceiptHandle: first[0]?.ReceiptHandle ?? '' }),
  );
  const [second] = await receive(bed, QueueUrl);
  assert.equal(second?.Body, 'a2');
  assert.equal(second?.Attributes?.MessageGroupId, 'a');
  assert.equal(second?.Attributes?.MessageDeduplicationId, 'a2');
});

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
