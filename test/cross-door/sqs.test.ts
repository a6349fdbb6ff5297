import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConsumeMessage } from 'amqplib';
import { CreateTopicCommand, PublishCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import {
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  SendMessageCommand,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { headersOf } from './bed.ts';
import { openSqsCrossBed, type SqsCrossBed } from './sqs-client.ts';

const attributes = {
  text: { DataType: 'String', StringValue: 'täxt' },
  kind: { DataType: 'String.kind', StringValue: 'k' },
  count: { DataType: 'Number', StringValue: '12' },
  weight: { DataType: 'Number.kg', StringValue: '1.50' },
  bytes: { DataType: 'Binary', BinaryValue: Uint8Array.of(0, 255) },
};

async function arnOf({ sqs }: SqsCrossBed, QueueUrl: string): Promise<string> {
  const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] });
  const { Attributes } = await sqs.send(asked);
  return Attributes!.QueueArn!;
}

describe('a message that SQS sends', () => {
  it('is a record for Kafka, with its attributes as headers and their types', async (t) => {
    const { sqs, createQueue, readLog } = await openSqsCrossBed(t);
    const QueueUrl = await createQueue('jobs');
    await sqs.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: 'hello',
        MessageAttributes: attributes,
        MessageGroupId: 'tenant-7',
        MessageSystemAttributes: {
          AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1-2-3' },
        },
      }),
    );
    const [message] = await readLog('jobs', 1);
    assert.equal(message?.value?.toString(), 'hello');
    const { bytes: _bytes, 'pabal.types': types, ...headers } = headersOf(message);
    assert.deepEqual(headers, {
      'pabal.group': 'tenant-7',
      'pabal.trace-header': 'Root=1-2-3',
      text: 'täxt',
      kind: 'k',
      count: '12',
      weight: '1.50',
    });
    assert.deepEqual(message.headers?.bytes, Buffer.from([0, 255]));
    assert.deepEqual(types?.split(' ').toSorted(), [
      'bytes=bytes',
      'count=number',
      'kind=text.kind',
      'weight=number.kg',
    ]);
  });

  it('comes to AMQP with its attributes, not before its delay', async (t) => {
    const { sqs, createQueue, readQueue } = await openSqsCrossBed(t);
    const QueueUrl = await createQueue('jobs');
    const send = (MessageBody: string, DelaySeconds: number) =>
      sqs.send(
        new SendMessageCommand({
          QueueUrl,
          MessageBody,
          DelaySeconds,
          MessageAttributes: attributes,
        }),
      );
    await send('later', 2);
    await send('now', 0);
    const takenMs = new Map<string, number>();
    const onMessage = ({ content }: ConsumeMessage) => takenMs.set(String(content), Date.now());
    const taken = await readQueue('jobs', 2, {}, onMessage);
    const [now, later] = ['now', 'later'].map((body) =>
      taken.find(({ content }) => String(content) === body),
    );
    const dueMs = Number(later!.properties.headers!['pabal.deliver-at']);
    assert.ok(takenMs.get('later')! >= dueMs, 'it came before its time');
    const { weight, count, ...headers } = now!.properties.headers!;
    assert.deepEqual([String(weight), String(count)], ['1.50', '12']);
    assert.deepEqual(headers, { text: 'täxt', kind: 'k', bytes: Buffer.from([0, 255]) });
  });
});

describe('a message for SQS', () => {
  it('that Kafka produced has headers as attributes, and their types where it says them', async (t) => {
    const { producer, createQueue, take } = await openSqsCrossBed(t);
    const url = await createQueue('jobs');
    // A message is as old as its record says, and an old one would not outlive the queue's retention.
    const timestamp = String(Date.now() - 5000);
    await producer.send({
      topic: 'jobs',
      messages: [
        {
          key: 'user-7',
          value: 'hello',
          headers: {
            trace: 'abc',
            count: '12',
            weight: '1.5',
            raw: Buffer.from([0xff, 0xfe]),
            'pabal.content-type': 'text/plain',
            'pabal.types': 'count=int32 weight=number.kg',
          },
          timestamp,
        },
      ],
    });
    const [message] = await take(url, 1);
    assert.equal(message?.Body, 'hello');
    assert.equal(message.Attributes?.SentTimestamp, timestamp);
    const { raw, ...others } = message.MessageAttributes!;
    assert.equal(raw?.DataType, 'Binary');
    assert.deepEqual(Buffer.from(raw.BinaryValue!), Buffer.from([0xff, 0xfe]));
    assert.deepEqual(others, {
      trace: { DataType: 'String', StringValue: 'abc' },
      count: { DataType: 'Number', StringValue: '12' },
      weight: { DataType: 'Number.kg', StringValue: '1.5' },
      'pabal.content-type': { DataType: 'String', StringValue: 'text/plain' },
    });
  });

  it('that AMQP published has its headers, and a body that is no text as base64', async (t) => {
    const { channel, createQueue, take } = await openSqsCrossBed(t);
    const url = await createQueue('jobs');
    const body = Buffer.from([0, 1, 255]);
    channel.sendToQueue('jobs', Buffer.from('text'), {
      persistent: true,
      correlationId: 'c-1',
      headers: { retries: 3, urgent: true },
    });
    await channel.waitForConfirms();
    channel.sendToQueue('jobs', body, { persistent: true });
    await channel.waitForConfirms();
    const [text, bytes] = await take(url, 2);
    assert.equal(text?.Body, 'text');
    assert.deepEqual(text.MessageAttributes, {
      retries: { DataType: 'Number', StringValue: '3' },
      urgent: { DataType: 'String', StringValue: 'true' },
      'pabal.correlation-id': { DataType: 'String', StringValue: 'c-1' },
    });
    assert.equal(bytes?.Body, body.toString('base64'));
    assert.equal(bytes.MessageAttributes?.['pabal.body-encoding']?.StringValue, 'base64');
  });

  it('keeps order in its groups, whoever sent it', async (t) => {
    const { producer, channel, sqs, createQueue, take } = await openSqsCrossBed(t);
    const url = await createQueue('jobs.fifo', {
      FifoQueue: 'true',
      ContentBasedDeduplication: 'true',
    });
    await sqs.send(
      new SendMessageCommand({ QueueUrl: url, MessageBody: '1', MessageGroupId: 'g' }),
    );
    await producer.send({
      topic: 'jobs.fifo',
      messages: [{ value: '2', headers: { 'pabal.group': 'g' } }],
    });
    channel.sendToQueue('jobs.fifo', Buffer.from('3'), {
      persistent: true,
      headers: { 'pabal.group': 'g' },
    });
    await channel.waitForConfirms();
    const messages = await take(url, 3);
    assert.deepEqual(
      messages.map(({ Body, Attributes }) => [Body, Attributes?.MessageGroupId]),
      [
        ['1', 'g'],
        ['2', 'g'],
        ['3', 'g'],
      ],
    );
  });
});

describe('a dead letter', () => {
  it('that AMQP rejected from a queue of SQS is in its dead-letter queue, and goes back', async (t) => {
    const bed = await openSqsCrossBed(t);
    const { sqs, channel, createQueue, take, readLog, readQueue } = bed;
    const deadUrl = await createQueue('dead');
    const deadArn = await arnOf(bed, deadUrl);
    const url = await createQueue('jobs', {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadArn, maxReceiveCount: 5 }),
    });
    await sqs.send(
      new SendMessageCommand({ QueueUrl: url, MessageBody: 'bad', MessageAttributes: attributes }),
    );
    const rejected = new Promise<void>((resolve) => {
      void channel.consume('jobs', (message) => {
        channel.reject(message!, false);
        resolve();
      });
    });
    await rejected;
    const [record] = await readLog('dead', 1);
    assert.equal(headersOf(record!)['pabal.last-death-queue'], 'jobs');
    assert.equal(headersOf(record!).text, 'täxt');
    await channel.assertQueue('copy');
    await sqs.send(
      new StartMessageMoveTaskCommand({
        SourceArn: deadArn,
        DestinationArn: deadArn.replace(/[^:]*$/, 'copy'),
      }),
    );
    const [moved] = await readQueue('copy', 1);
    assert.equal(moved?.content.toString(), 'bad');
    assert.equal(moved.properties.headers?.text, 'täxt');
    const tasks = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn: deadArn }));
    assert.equal(tasks.Results?.length, 1);
    channel.sendToQueue('dead', Buffer.from('direct'), { persistent: true });
    await channel.waitForConfirms();
    const [direct] = await take(deadUrl, 1);
    assert.equal(direct?.Body, 'direct');
  });
});

describe('a message that is published to a topic of SNS', () => {
  it('comes to queues that AMQP bound to its exchange, and is a record for Kafka', async (t) => {
    const bed = await openSqsCrossBed(t);
    const { sns, channel, createQueue, readQueue, readLog, take } = bed;
    const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'events' }));
    const url = await createQueue('subscribed');
    await sns.send(
      new SubscribeCommand({
        TopicArn,
        Protocol: 'sqs',
        Endpoint: await arnOf(bed, url),
        Attributes: { RawMessageDelivery: 'true' },
      }),
    );
    await channel.assertQueue('bound');
    await channel.bindQueue('bound', 'events', '');
    await sns.send(
      new PublishCommand({ TopicArn, Message: 'to all', MessageAttributes: attributes }),
    );
    const [bound] = await readQueue('bound', 1);
    assert.equal(bound?.content.toString(), 'to all');
    assert.equal(bound.properties.headers?.text, 'täxt');
    const [record] = await readLog('subscribed', 1);
    assert.equal(record?.value?.toString(), 'to all');
    assert.equal(headersOf(record).weight, '1.50');
    const [message] = await take(url, 1);
    assert.deepEqual(message?.MessageAttributes?.weight, attributes.weight);
    // And what AMQP publishes to the exchange comes to the subscribed queue.
    channel.publish('events', '', Buffer.from('from AMQP'), { persistent: true });
    await channel.waitForConfirms();
    const [other] = await take(url, 1);
    assert.equal(other?.Body, 'from AMQP');
  });
});
