import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ListDeadLetterSourceQueuesCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  StartMessageMoveTaskCommand,
  TagQueueCommand,
  UntagQueueCommand,
} from '@aws-sdk/client-sqs';
import { until } from '../../support/until.ts';
import { openBed, type SqsBed } from './sqs-bed.ts';

async function create(
  { client }: SqsBed,
  QueueName: string,
  Attributes: Record<string, string> = {},
): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName, Attributes }));
  assert.ok(QueueUrl);
  return QueueUrl;
}

async function attributesOf({ client }: SqsBed, QueueUrl: string): Promise<Record<string, string>> {
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
  );
  return { ...Attributes };
}

test('a message with attributes is sent, received and deleted', async (t) => {
  const bed = await openBed(t);
  const { client } = bed;
  const QueueUrl = await create(bed, 'orders');
  assert.equal(QueueUrl, `${bed.url}/000000000000/orders`);
  const sent = await client.send(
    new SendMessageCommand({
      QueueUrl,
      MessageBody: 'grüße \u{1f600}',
      MessageAttributes: {
        weight: { DataType: 'Number.kg', StringValue: '1.50' },
        kind: { DataType: 'String', StringValue: 'new' },
        raw: { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) },
      },
      MessageSystemAttributes: {
        AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1-2-3' },
      },
    }),
  );
  assert.equal((await attributesOf(bed, QueueUrl))['ApproximateNumberOfMessages'], '1');
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    }),
  );
  const [message] = Messages;
  assert.equal(message?.Body, 'grüße \u{1f600}');
  assert.equal(message?.MessageId, sent.MessageId);
  assert.equal(message?.MD5OfBody, sent.MD5OfMessageBody);
  assert.equal(message?.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  const attributes = message?.MessageAttributes ?? {};
  assert.deepEqual(attributes['weight'], { DataType: 'Number.kg', StringValue: '1.50' });
  assert.deepEqual([...(attributes['raw']?.BinaryValue ?? [])], [0, 255]);
  assert.equal(message?.Attributes?.ApproximateReceiveCount, '1');
  assert.equal(message?.Attributes?.AWSTraceHeader, 'Root=1-2-3');
  const counts = await attributesOf(bed, QueueUrl);
  assert.equal(counts['ApproximateNumberOfMessagesNotVisible'], '1');
  await client.send(
    new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle ?? '' }),
  );
  // Again, which changes nothing.
  await client.send(
    new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle ?? '' }),
  );
  const after = await attributesOf(bed, QueueUrl);
  assert.equal(after['ApproximateNumberOfMessages'], '0');
  assert.equal(after['ApproximateNumberOfMessagesNotVisible'], '0');
  assert.deepEqual(bed.complaints, []);
});

test('attributes are selected by name and prefix', async (t) => {
  const bed = await openBed(t);
  const { client } = bed;
  const QueueUrl = await create(bed, 'select', { VisibilityTimeout: '0' });
  const value = { DataType: 'String', StringValue: 'x' };
  await client.send(
    new SendMessageCommand({
      QueueUrl,
      MessageBody: 'm',
      MessageAttributes: { 'a.b': value, 'a.c': value, d: value },
    }),
  );
  const table: Array<[string[], string[]]> = [
    [[], []],
    [['d'], ['d']],
    [['a.*'], ['a.b', 'a.c']],
    [['.*'], ['a.b', 'a.c', 'd']],
  ];
  for (const [MessageAttributeNames, expected] of table) {
    const { Messages } = await client.send(
      new ReceiveMessageCommand({ QueueUrl, MessageAttributeNames, WaitTimeSeconds: 20 }),
    );
    assert.deepEqual(Object.keys(Messages?.[0]?.MessageAttributes ?? {}).toSorted(), expected);
  }
});

test('batches fail entry by entry', async (t) => {
  const bed = await openBed(t);
  const { client } = bed;
  const QueueUrl = await create(bed, 'batch');
  const sent = await client.send(
    new SendMessageBatchCommand({
      QueueUrl,
      Entries: [
        { Id: 'a', MessageBody: 'one' },
        { Id: 'b', MessageBody: 'bad \u0001' },
        { Id: 'c', MessageBody: 'three' },
      ],
    }),
  );
  assert.deepEqual(
    sent.Successful?.map(({ Id }) => Id),
    ['a', 'c'],
  );
  assert.deepEqual(
    sent.Failed?.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]),
    [['b', 'InvalidMessageContents', true]],
  );
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
  );
  assert.deepEqual(
    Messages.map(({ Body }) => Body),
    ['one', 'three'],
  );
  const deleted = await client.send(
    new DeleteMessageBatchCommand({
      QueueUrl,
      Entries: [
        { Id: '1', ReceiptHandle: Messages[0]?.ReceiptHandle ?? '' },
        { Id: '2', ReceiptHandle: 'garbage' },
      ],
    }),
  );
  assert.deepEqual(
    deleted.Failed?.map(({ Id, Code }) => [Id, Code]),
    [['2', 'ReceiptHandleIsInvalid']],
  );
});

test('a long poll ends with the message that comes', async (t) => {
  const bed = await openBed(t);
  const { client } = bed;
  const QueueUrl = await create(bed, 'poll');
  const waiting = client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'late' }));
  assert.equal((await waiting).Messages?.[0]?.Body, 'late');
});

test('dead letters: redrive policy, sources, and moving them back', async (t) => {
  const bed = await openBed(t);
  const { client } = bed;
  const dead = await create(bed, 'dead');
  const deadLetterTargetArn = (await attributesOf(bed, dead))['QueueArn'] ?? '';
  assert.equal(deadLetterTargetArn, 'arn:aws:sqs:eu-central-1:000000000000:dead');
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 });
  const QueueUrl = await create(bed, 'live', { RedrivePolicy, VisibilityTimeout: '0' });
  assert.equal((await attributesOf(bed, QueueUrl))['RedrivePolicy'], RedrivePolicy);
  const { queueUrls } = await client.send(
    new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }),
  );
  assert.deepEqual(queueUrls, [QueueUrl]);
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'poison' }));
  for (const count of ['1', '2']) {
    const { Messages } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MessageSystemAttributeNames: ['All'],
        WaitTimeSeconds: 20,
      }),
    );
    assert.equal(Messages?.[0]?.Attributes?.ApproximateReceiveCount, count);
  }
  const none = await client.send(new ReceiveMessageCommand({ QueueUrl }));
  assert.equal(none.Messages, undefined);
  const { Messages } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: dead,
      MessageSystemAttributeNames: ['All'],
      WaitTimeSeconds: 20,
      VisibilityTimeout: 0,
    }),
  );
  assert.equal(Messages?.[0]?.Body, 'poison');
  assert.equal(
    Messages?.[0]?.Attributes?.DeadLetterQueueSourceArn,
    'arn:aws:sqs:eu-central-1:000000000000:live',
  );
  await until(async () => (await attributesOf(bed, dead))['ApproximateNumberOfMessages'] === '1');
  await client.send(new StartMessageMoveTaskCommand({ SourceArn: deadLetterTargetArn }));
  const back = await client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
  assert.equal(back.Messages?.[0]?.Body, 'poison');
  await until(async () => {
    const { Results } = await client.send(
      new ListMessageMoveTasksCommand({ SourceArn: deadLetterTargetArn }),
    );
    if (Results?.[0]?.Status === 'RUNNING') return false;
    assert.equal(Results?.[0]?.Status, 'COMPLETED');
    assert.equal(Results?.[0]?.ApproximateNumberOfMessagesMoved, 1);
    return true;
  });
});

test('queues are listed by page, tagged, purged and deleted', async (t) => {
  const bed = await openBed(t);
  const { client } = bed;
  for (const name of ['p-1', 'p-2', 'p-3', 'q']) await create(bed, name);
  const first = await client.send(new ListQueuesCommand({ QueueNamePrefix: 'p-', MaxResults: 2 }));
  assert.equal(first.QueueUrls?.length, 2);
  const next = await client.send(
    new ListQueuesCommand({ QueueNamePrefix: 'p-', MaxResults: 2, NextToken: first.NextToken }),
  );
  assert.deepEqual(
    next.QueueUrls?.map((url) => url.slice(-3)),
    ['p-3'],
  );
  assert.equal(next.NextToken, undefined);
  for (const NextToken of ['', '!', 'cC0x', 'x'.repeat(300)]) {
    const { status, json } = await bed.json('ListQueues', { MaxResults: 2, NextToken });
    assert.deepEqual([status, json['message']], [400, 'Invalid or expired next token.']);
  }
  const QueueUrl = next.QueueUrls?.[0] ?? '';
  await client.send(new TagQueueCommand({ QueueUrl, Tags: { team: 'a', env: 'b' } }));
  await client.send(new UntagQueueCommand({ QueueUrl, TagKeys: ['env'] }));
  const { Tags } = await client.send(new ListQueueTagsCommand({ QueueUrl }));
  assert.deepEqual(Tags, { team: 'a' });
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'm' }));
  await client.send(new PurgeQueueCommand({ QueueUrl }));
  assert.equal((await attributesOf(bed, QueueUrl))['ApproximateNumberOfMessages'], '0');
  await assert.rejects(client.send(new PurgeQueueCommand({ QueueUrl })), {
    name: 'PurgeQueueInProgress',
  });
  await client.send(new DeleteQueueCommand({ QueueUrl }));
  await assert.rejects(attributesOf(bed, QueueUrl), { name: 'QueueDoesNotExist' });
  await assert.rejects(create(bed, 'p-3'), { name: 'QueueDeletedRecently' });
});

test('creating a queue again answers it, unless an attribute differs', async (t) => {
  const bed = await openBed(t);
  const url = await create(bed, 'same', { VisibilityTimeout: '7', DelaySeconds: '0' });
  assert.equal(await create(bed, 'same', { VisibilityTimeout: '7' }), url);
  assert.equal(await create(bed, 'same'), url);
  await assert.rejects(create(bed, 'same', { VisibilityTimeout: '8' }), {
    name: 'QueueNameExists',
  });
  await assert.rejects(create(bed, 'same', { VisibilityTimeouts: '7' }), {
    name: 'InvalidAttributeName',
    message: 'Unknown Attribute VisibilityTimeouts.',
  });
});

test('creating a queue again with truth in another case answers it', async (t) => {
  const bed = await openBed(t);
  const attributes = {
    FifoQueue: 'True',
    ContentBasedDeduplication: 'TRUE',
    SqsManagedSseEnabled: 'False',
  };
  const url = await create(bed, 'same.fifo', attributes);
  assert.equal(await create(bed, 'same.fifo', attributes), url);
  await assert.rejects(create(bed, 'same.fifo', { ContentBasedDeduplication: 'False' }), {
    name: 'QueueNameExists',
  });
});

test('the largest message is stored and received', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await create(bed, 'large');
  const MessageBody = 'x'.repeat(1_048_576);
  await bed.client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
  const { Messages } = await bed.client.send(new ReceiveMessageCommand({ QueueUrl }));
  assert.equal(Messages?.[0]?.Body?.length, MessageBody.length);
  await assert.rejects(
    bed.client.send(new SendMessageCommand({ QueueUrl, MessageBody: `${MessageBody}x` })),
    /Message must be shorter than 1048576 bytes/,
  );
});

test('receipt handles and messages outlive a restart', async (t) => {
  const data = await mkdtemp(path.join(tmpdir(), 'pabal-sqs-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  let handle = '';
  let id: string | undefined;
  await t.test('before', async (inner) => {
    const bed = await openBed(inner, { data });
    const QueueUrl = await create(bed, 'kept', { DelaySeconds: '0', VisibilityTimeout: '600' });
    await bed.client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'm' }));
    const { Messages } = await bed.client.send(new ReceiveMessageCommand({ QueueUrl }));
    handle = Messages?.[0]?.ReceiptHandle ?? '';
    await bed.client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl,
        ReceiptHandle: handle,
        VisibilityTimeout: 900,
      }),
    );
    ({ MessageId: id } = await bed.client.send(
      new SendMessageCommand({ QueueUrl, MessageBody: 'second' }),
    ));
  });
  await t.test('after', async (inner) => {
    const bed = await openBed(inner, { data });
    const QueueUrl = `${bed.url}/000000000000/kept`;
    assert.equal((await attributesOf(bed, QueueUrl))['VisibilityTimeout'], '600');
    await bed.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: handle }));
    const counts = await attributesOf(bed, QueueUrl);
    assert.equal(counts['ApproximateNumberOfMessagesNotVisible'], '0');
    const { Messages } = await bed.client.send(new ReceiveMessageCommand({ QueueUrl }));
    assert.deepEqual(
      Messages?.map(({ Body, MessageId }) => [Body, MessageId]),
      [['second', id]],
    );
  });
});
