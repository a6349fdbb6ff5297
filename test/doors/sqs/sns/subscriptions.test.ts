import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  CreateTopicCommand,
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  ListSubscriptionsByTopicCommand,
  PublishCommand,
  SetSubscriptionAttributesCommand,
  SetTopicAttributesCommand,
  SNSClient,
  SubscribeCommand,
  UnsubscribeCommand,
} from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  type Message,
  ReceiveMessageCommand,
} from '@aws-sdk/client-sqs';
import { limits } from '../../../../src/base/index.ts';
import { openBed, type SqsBed } from '../sqs-bed.ts';

interface TopicBed extends SqsBed {
  readonly topics: SNSClient;
  readonly TopicArn: string;
}

/** A topic; queues may be made again at once. */
async function open(t: TestContext, Name = 'events'): Promise<TopicBed> {
  const bed = await openBed(t, { isRelaxed: true });
  const topics = new SNSClient({
    endpoint: bed.url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  t.after(() => topics.destroy());
  const Attributes: Record<string, string> = Name.endsWith('.fifo') ? { FifoTopic: 'True' } : {};
  const { TopicArn = '' } = await topics.send(new CreateTopicCommand({ Name, Attributes }));
  return { ...bed, topics, TopicArn };
}

const arnOf = (name: string): string => `arn:aws:sqs:eu-central-1:000000000000:${name}`;

const urlOf = ({ url }: SqsBed, name: string): string => `${url}/000000000000/${name}`;

async function make({ client }: SqsBed, QueueName: string): Promise<void> {
  const Attributes: Record<string, string> = QueueName.endsWith('.fifo')
    ? { FifoQueue: 'true' }
    : {};
  await client.send(new CreateQueueCommand({ QueueName, Attributes }));
}

async function subscribe(
  { topics, TopicArn }: TopicBed,
  name: string,
  Attributes: Record<string, string> = {},
): Promise<string> {
  const { SubscriptionArn } = await topics.send(
    new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: arnOf(name), Attributes }),
  );
  return SubscriptionArn ?? '';
}

async function receive(bed: SqsBed, name: string): Promise<Message[]> {
  const { Messages = [] } = await bed.client.send(
    new ReceiveMessageCommand({
      QueueUrl: urlOf(bed, name),
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    }),
  );
  return Messages;
}

async function publish({ topics, TopicArn }: TopicBed, Message: string): Promise<void> {
  await topics.send(new PublishCommand({ TopicArn, Message }));
}

const raw = { RawMessageDelivery: 'true' };

test('a queue that is not there can be subscribed, and gets what is published once it is there', async (t) => {
  const bed = await open(t);
  const SubscriptionArn = await subscribe(bed, 'later', raw);
  assert.equal(await subscribe(bed, 'later', raw), SubscriptionArn);
  await publish(bed, 'lost');
  await make(bed, 'later');
  await publish(bed, 'there');
  const got = await receive(bed, 'later');
  assert.deepEqual(
    got.map(({ Body }) => Body),
    ['there'],
  );
  const { Subscriptions = [] } = await bed.topics.send(
    new ListSubscriptionsByTopicCommand({ TopicArn: bed.TopicArn }),
  );
  assert.deepEqual(
    Subscriptions.map((each) => each.SubscriptionArn),
    [SubscriptionArn],
  );
});

test('a subscription outlives its queue: it can be changed, and its dead-letter queue gets what the queue would have got', async (t) => {
  const bed = await open(t);
  await make(bed, 'orders');
  await make(bed, 'dead');
  const SubscriptionArn = await subscribe(bed, 'orders', {
    ...raw,
    FilterPolicy: '{"kind":["a"]}',
  });
  await bed.client.send(new DeleteQueueCommand({ QueueUrl: urlOf(bed, 'orders') }));
  await bed.topics.send(
    new SetSubscriptionAttributesCommand({
      SubscriptionArn,
      AttributeName: 'RedrivePolicy',
      AttributeValue: JSON.stringify({ deadLetterTargetArn: arnOf('dead') }),
    }),
  );
  const { Attributes = {} } = await bed.topics.send(
    new GetSubscriptionAttributesCommand({ SubscriptionArn }),
  );
  assert.equal(Attributes['Endpoint'], arnOf('orders'));
  assert.equal(Attributes['RedrivePolicy'], `{"deadLetterTargetArn":"${arnOf('dead')}"}`);
  const { TopicArn } = bed;
  for (const kind of ['a', 'b']) {
    const MessageAttributes = { kind: { DataType: 'String', StringValue: kind } };
    await bed.topics.send(new PublishCommand({ TopicArn, Message: kind, MessageAttributes }));
  }
  const [dead, ...more] = await receive(bed, 'dead');
  assert.deepEqual([dead?.Body, dead?.MessageAttributes?.['kind']?.StringValue], ['a', 'a']);
  assert.deepEqual(more, []);
  // The queue comes back: its subscription is as it was changed.
  await make(bed, 'orders');
  const MessageAttributes = { kind: { DataType: 'String', StringValue: 'a' } };
  await bed.topics.send(new PublishCommand({ TopicArn, Message: 'again', MessageAttributes }));
  const [message] = await receive(bed, 'orders');
  assert.equal(message?.Body, 'again');
  assert.deepEqual(await receive(bed, 'dead'), []);
  // And it can be ended without its queue.
  await bed.client.send(new DeleteQueueCommand({ QueueUrl: urlOf(bed, 'orders') }));
  await bed.topics.send(new UnsubscribeCommand({ SubscriptionArn }));
  const { Subscriptions = [] } = await bed.topics.send(
    new ListSubscriptionsByTopicCommand({ TopicArn }),
  );
  assert.deepEqual(Subscriptions, []);
});

test('a dead-letter queue of a FIFO topic gets group, deduplication id and an envelope', async (t) => {
  const bed = await open(t, 'events.fifo');
  await make(bed, 'orders.fifo');
  await make(bed, 'dead.fifo');
  await subscribe(bed, 'orders.fifo', {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arnOf('dead.fifo') }),
  });
  await bed.client.send(new DeleteQueueCommand({ QueueUrl: urlOf(bed, 'orders.fifo') }));
  await bed.topics.send(
    new PublishCommand({
      TopicArn: bed.TopicArn,
      Message: 'x',
      MessageGroupId: 'g',
      MessageDeduplicationId: 'd',
    }),
  );
  const [message] = await receive(bed, 'dead.fifo');
  const { Message } = JSON.parse(message?.Body ?? '') as Record<string, unknown>;
  assert.deepEqual(
    [Message, message?.Attributes?.MessageGroupId, message?.Attributes?.MessageDeduplicationId],
    ['x', 'g', 'd'],
  );
});

test('a topic that is not there is told of before an endpoint that nobody knows', async (t) => {
  const bed = await open(t);
  for (const [topic, Protocol, message] of [
    ['missing', 'sqs', 'Topic does not exist'],
    ['missing', 'sms', 'Topic does not exist'],
    ['events', 'sqs', 'Invalid parameter: SQS endpoint ARN'],
    ['events', 'sms', 'Invalid SMS endpoint: nobody'],
  ] as const) {
    const TopicArn = bed.TopicArn.replace('events', topic);
    await assert.rejects(
      bed.topics.send(new SubscribeCommand({ TopicArn, Protocol, Endpoint: 'nobody' })),
      { name: topic === 'missing' ? 'NotFoundException' : 'InvalidParameterException', message },
    );
  }
});

test('a topic has a bounded number of subscriptions without queues', async (t) => {
  const bed = await open(t);
  for (let index = 0; index < limits.orphanedSubscriptionsMax; index++)
    await subscribe(bed, `missing-${index}`);
  await assert.rejects(subscribe(bed, 'one-more'), { name: 'SubscriptionLimitExceededException' });
  // Those of a queue that is deleted end with it, then.
  await make(bed, 'orders');
  await subscribe(bed, 'orders');
  await bed.client.send(new DeleteQueueCommand({ QueueUrl: urlOf(bed, 'orders') }));
  const list = async (): Promise<Array<string | undefined>> => {
    const page = await bed.topics.send(
      new ListSubscriptionsByTopicCommand({ TopicArn: bed.TopicArn }),
    );
    return (page.Subscriptions ?? []).map(({ Endpoint }) => Endpoint);
  };
  const endpoints = await list();
  assert.equal(endpoints.length, limits.orphanedSubscriptionsMax);
  assert.ok(!endpoints.includes(arnOf('orders')));
});

test('numbers are compared with five digits behind the point', async (t) => {
  const bed = await open(t);
  await make(bed, 'orders');
  const FilterPolicy = '{"price":[100.123456789,{"numeric":[">",7,"<=",8]}]}';
  await subscribe(bed, 'orders', { ...raw, FilterPolicy });
  for (const price of ['100.1234567', '100.12344', '7.000001', '7.00001', '8.000001']) {
    const MessageAttributes = { price: { DataType: 'Number', StringValue: price } };
    const { TopicArn } = bed;
    await bed.topics.send(new PublishCommand({ TopicArn, Message: price, MessageAttributes }));
  }
  const got = await receive(bed, 'orders');
  assert.deepEqual(
    got.map(({ Body = '' }) => Body).toSorted((a, b) => (a < b ? -1 : 1)),
    ['100.1234567', '7.00001', '8.000001'],
  );
});

test('of a topic two hundred subscriptions may have filter policies', async (t) => {
  const bed = await openBed(t);
  const { url } = bed;
  const topics = new SNSClient({
    endpoint: url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  t.after(() => topics.destroy());
  const { TopicArn } = await topics.send(new CreateTopicCommand({ Name: 'events' }));
  const FilterPolicy = '{"a":["b"]}';
  const add = async (name: string, Attributes: Record<string, string>) => {
    await make(bed, name);
    const Endpoint = arnOf(name);
    return await topics.send(
      new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint, Attributes }),
    );
  };
  for (let index = 0; index < 200; index++) await add(`q${index}`, { FilterPolicy });
  // The same again is no other one.
  await add('q0', { FilterPolicy });
  const refusal = { name: 'FilterPolicyLimitExceededException' };
  await assert.rejects(add('more', { FilterPolicy }), refusal);
  const { SubscriptionArn } = await add('more', {});
  await assert.rejects(
    topics.send(
      new SetSubscriptionAttributesCommand({
        SubscriptionArn,
        AttributeName: 'FilterPolicy',
        AttributeValue: FilterPolicy,
      }),
    ),
    refusal,
  );
});

test('a topic keeps where deliveries would be told of', async (t) => {
  const bed = await open(t);
  const { topics, TopicArn } = bed;
  const set = (AttributeName: string, AttributeValue: string) =>
    topics.send(new SetTopicAttributesCommand({ TopicArn, AttributeName, AttributeValue }));
  const role = 'arn:aws:iam::000000000000:role/log';
  await set('SQSSuccessFeedbackRoleArn', role);
  await set('SQSSuccessFeedbackSampleRate', '100');
  const { Attributes } = await topics.send(new GetTopicAttributesCommand({ TopicArn }));
  assert.deepEqual(
    [Attributes?.['SQSSuccessFeedbackRoleArn'], Attributes?.['SQSSuccessFeedbackSampleRate']],
    [role, '100'],
  );
  for (const [name, value] of [
    ['SQSSuccessFeedbackSampleRate', '101'],
    ['SQSFailureFeedbackRoleArn', 'me'],
    ['SQSFailureFeedbackSampleRate', '1'],
  ] as const) {
    await assert.rejects(set(name, value), { name: 'InvalidParameterException' });
  }
});

test('a delivery policy is told without what is null, and the effective one with what it leaves open', async (t) => {
  const bed = await open(t);
  const { topics, TopicArn } = bed;
  const retry = {
    minDelayTarget: 20,
    maxDelayTarget: 20,
    numRetries: 3,
    numMaxDelayRetries: 0,
    numNoDelayRetries: 0,
    numMinDelayRetries: 0,
    backoffFunction: 'linear',
  };
  const request = { headerContentType: 'text/plain; charset=UTF-8' };
  const overridable = { disableSubscriptionOverrides: false };
  const policies = async (AttributeValue: string) => {
    const AttributeName = 'DeliveryPolicy';
    await topics.send(new SetTopicAttributesCommand({ TopicArn, AttributeName, AttributeValue }));
    const { Attributes = {} } = await topics.send(new GetTopicAttributesCommand({ TopicArn }));
    const { DeliveryPolicy: own, EffectiveDeliveryPolicy: effective = '' } = Attributes;
    return [own === undefined ? own : JSON.parse(own), JSON.parse(effective)];
  };
  const least = {
    http: { ...overridable, defaultHealthyRetryPolicy: retry, defaultRequestPolicy: request },
  };
  const slow = { minDelayTarget: 5, maxDelayTarget: 6, numRetries: 1 };
  assert.deepEqual(await policies(JSON.stringify({ http: { defaultHealthyRetryPolicy: slow } })), [
    { http: { ...overridable, defaultHealthyRetryPolicy: slow } },
    { http: { ...least.http, defaultHealthyRetryPolicy: { ...retry, ...slow } } },
  ]);
  const json = { defaultRequestPolicy: { headerContentType: 'application/json' } };
  assert.deepEqual(await policies(JSON.stringify({ http: json })), [
    { http: { ...overridable, ...json } },
    { http: { ...least.http, ...json } },
  ]);
  assert.deepEqual(await policies('{"http": {"defaultHealthyRetryPolicy": null}}'), [
    { http: overridable },
    least,
  ]);
  assert.deepEqual(await policies(''), [undefined, least]);
});
