import assert from 'node:assert/strict';
import { verify, X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  AddPermissionCommand,
  CreateTopicCommand,
  DeleteTopicCommand,
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  ListSubscriptionsByTopicCommand,
  ListSubscriptionsCommand,
  ListTagsForResourceCommand,
  ListTopicsCommand,
  type MessageAttributeValue,
  PublishBatchCommand,
  PublishCommand,
  RemovePermissionCommand,
  SetSubscriptionAttributesCommand,
  SetTopicAttributesCommand,
  SNSClient,
  SubscribeCommand,
  TagResourceCommand,
  UnsubscribeCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
} from '@aws-sdk/client-sqs';
import { openBed, type SqsBed } from '../sqs-bed.ts';

const arnOfQueue = (name: string): string => `arn:aws:sqs:eu-central-1:000000000000:${name}`;

interface TopicBed extends SqsBed {
  readonly topics: SNSClient;
}

async function open(t: TestContext, options: { data?: string } = {}): Promise<TopicBed> {
  const bed = await openBed(t, options);
  const topics = new SNSClient({
    endpoint: bed.url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  t.after(() => topics.destroy());
  return { ...bed, topics };
}

async function createTopic(
  { topics }: TopicBed,
  Name: string,
  Attributes: Record<string, string> = {},
): Promise<string> {
  const { TopicArn } = await topics.send(new CreateTopicCommand({ Name, Attributes }));
  const arn = `arn:aws:sns:eu-central-1:000000000000:${Name}`;
  assert.equal(TopicArn, arn);
  return arn;
}

/** A queue and its subscription's ARN. */
async function subscribe(
  { topics, client }: TopicBed,
  TopicArn: string,
  name: string,
  Attributes: Record<string, string> = {},
): Promise<string> {
  const queue = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {};
  await client.send(new CreateQueueCommand({ QueueName: name, Attributes: queue }));
  const { SubscriptionArn } = await topics.send(
    new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: arnOfQueue(name), Attributes }),
  );
  assert.ok(SubscriptionArn !== undefined && SubscriptionArn.startsWith(`${TopicArn}:`));
  return SubscriptionArn;
}

/** Takes all that is in a queue: a group may give one message at a time. */
async function take(bed: TopicBed, name: string): Promise<Message[]> {
  const taken: Message[] = [];
  for (;;) {
    const messages = await takeSome(bed, name);
    if (messages.length === 0) return taken;
    taken.push(...messages);
  }
}

async function takeSome({ client, url }: TopicBed, name: string): Promise<Message[]> {
  const QueueUrl = `${url}/000000000000/${name}`;
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    }),
  );
  for (const { ReceiptHandle } of Messages) {
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  }
  return Messages;
}

async function bodies(bed: TopicBed, name: string): Promise<string[]> {
  return (await take(bed, name)).map(({ Body = '' }) => Body);
}

function sorted(texts: readonly string[]): string[] {
  return texts.toSorted((a, b) => (a < b ? -1 : 1));
}

const text = (StringValue: string): MessageAttributeValue => ({ DataType: 'String', StringValue });
const number = (StringValue: string): MessageAttributeValue => ({
  DataType: 'Number',
  StringValue,
});

test('a message goes to every queue: in an envelope, or raw with its attributes', async (t) => {
  const bed = await open(t);
  const TopicArn = await createTopic(bed, 'orders');
  const subscription = await subscribe(bed, TopicArn, 'wrapped');
  await subscribe(bed, TopicArn, 'raw', { RawMessageDelivery: 'true' });
  const { MessageId } = await bed.topics.send(
    new PublishCommand({
      TopicArn,
      Subject: 'A "new" one',
      Message: 'hällo\n<&>',
      MessageAttributes: {
        kind: text('new'),
        weight: { DataType: 'Number', StringValue: '1.5' },
        data: { DataType: 'Binary', BinaryValue: Uint8Array.of(0, 255) },
      },
    }),
  );
  const [wrapped] = await take(bed, 'wrapped');
  assert.equal(wrapped?.MessageAttributes, undefined);
  assert.match(wrapped!.Body!, /^\{\n {2}"Type" : "Notification",\n {2}"MessageId" : "/);
  const attributesAt = wrapped!.Body!.indexOf('  "MessageAttributes" : ');
  assert.equal(
    wrapped!.Body!.slice(attributesAt),
    [
      '  "MessageAttributes" : {',
      '    "kind" : {"Type":"String","Value":"new"},',
      '    "weight" : {"Type":"Number","Value":"1.5"},',
      '    "data" : {"Type":"Binary","Value":"AP8="}',
      '  }',
      '}',
    ].join('\n'),
  );
  const { Timestamp, Signature, SigningCertURL, ...envelope } = JSON.parse(
    wrapped!.Body!,
  ) as Record<string, unknown>;
  const certificate = await fetch(String(SigningCertURL));
  const { publicKey } = new X509Certificate(await certificate.text());
  const signed = Object.entries({ ...envelope, Timestamp })
    .filter(([name]) => /^(Message|MessageId|Subject|Timestamp|TopicArn|Type)$/.test(name))
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}\n${String(value)}\n`)
    .join('');
  const signature = Buffer.from(String(Signature), 'base64');
  assert.ok(
    verify('sha1', Buffer.from(signed), publicKey, signature),
    'the signature is not right',
  );
  assert.match(String(Timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(envelope, {
    Type: 'Notification',
    MessageId,
    TopicArn,
    Subject: 'A "new" one',
    Message: 'hällo\n<&>',
    SignatureVersion: '1',
    UnsubscribeURL: `${bed.url}/?Action=Unsubscribe&SubscriptionArn=${subscription}`,
    MessageAttributes: {
      kind: { Type: 'String', Value: 'new' },
      weight: { Type: 'Number', Value: '1.5' },
      data: { Type: 'Binary', Value: 'AP8=' },
    },
  });
  const [raw] = await take(bed, 'raw');
  assert.equal(raw?.Body, 'hällo\n<&>');
  assert.equal(raw.MessageAttributes?.['kind']?.StringValue, 'new');
  assert.deepEqual(raw.MessageAttributes['data']?.BinaryValue, Uint8Array.of(0, 255));
  assert.deepEqual(bed.complaints, []);
});

test('the text for queues is taken from a message with a structure', async (t) => {
  const bed = await open(t);
  const TopicArn = await createTopic(bed, 'structured');
  await subscribe(bed, TopicArn, 'q', { RawMessageDelivery: 'true' });
  const publish = (Message: string) =>
    bed.topics.send(new PublishCommand({ TopicArn, Message, MessageStructure: 'json' }));
  await publish('{"default": "all", "sqs": "queues"}');
  await publish('{"default": "all", "email": "mail"}');
  assert.deepEqual(sorted(await bodies(bed, 'q')), ['all', 'queues']);
  await assert.rejects(publish('{"sqs": "x"}'), { name: 'InvalidParameterException' });
  await assert.rejects(publish('no JSON'), { name: 'InvalidParameterException' });
});

const filters = [
  { scope: 'MessageAttributes', policy: { kind: ['new', { prefix: 'ren' }] }, gets: ['a', 'b'] },
  { scope: 'MessageAttributes', policy: { price: [{ numeric: ['>', 5] }] }, gets: ['b'] },
  { scope: 'MessageAttributes', policy: { colours: ['red'] }, gets: ['c'] },
  { scope: 'MessageAttributes', policy: { kind: [{ exists: false }] }, gets: ['c', 'd'] },
  { scope: 'MessageBody', policy: { order: { paid: [true] } }, gets: ['d'] },
];

for (const [index, { scope, policy, gets }] of filters.entries()) {
  test(`filter policy ${JSON.stringify(policy)} over ${scope}`, async (t) => {
    const bed = await open(t);
    const TopicArn = await createTopic(bed, `filtered-${index}`);
    const q = 'filtered';
    await subscribe(bed, TopicArn, q, {
      RawMessageDelivery: 'true',
      FilterPolicyScope: scope,
      FilterPolicy: JSON.stringify(policy),
    });
    const array = { DataType: 'String.Array', StringValue: '["red", "blue"]' };
    const messages: Array<[string, Record<string, MessageAttributeValue>, string]> = [
      ['a', { kind: text('new'), price: number('5') }, 'a'],
      ['b', { kind: text('renewed'), price: number('5.5') }, 'b'],
      ['c', { colours: array }, 'c'],
      ['d', {}, '{"order": {"paid": true}}'],
    ];
    const names = new Map(messages.map(([name, , body]) => [body, name]));
    for (const [, MessageAttributes, Message] of messages) {
      await bed.topics.send(new PublishCommand({ TopicArn, Message, MessageAttributes }));
    }
    const found = (await bodies(bed, q)).map((body) => names.get(body) ?? '');
    assert.deepEqual(sorted(found), gets);
  });
}

test('attributes of subscriptions are changed and count at once', async (t) => {
  const bed = await open(t);
  const TopicArn = await createTopic(bed, 'changing');
  const SubscriptionArn = await subscribe(bed, TopicArn, 'q');
  const set = (AttributeName: string, AttributeValue: string) =>
    bed.topics.send(
      new SetSubscriptionAttributesCommand({ SubscriptionArn, AttributeName, AttributeValue }),
    );
  await set('RawMessageDelivery', 'true');
  await set('FilterPolicy', '{"kind": ["a"]}');
  const { Attributes } = await bed.topics.send(
    new GetSubscriptionAttributesCommand({ SubscriptionArn }),
  );
  assert.equal(Attributes?.['RawMessageDelivery'], 'true');
  assert.equal(Attributes['FilterPolicy'], '{"kind": ["a"]}');
  assert.equal(Attributes['FilterPolicyScope'], 'MessageAttributes');
  assert.equal(Attributes['Endpoint'], arnOfQueue('q'));
  assert.equal(Attributes['PendingConfirmation'], 'false');
  await bed.topics.send(new PublishCommand({ TopicArn, Message: 'dropped' }));
  await set('FilterPolicy', '{}');
  await bed.topics.send(new PublishCommand({ TopicArn, Message: 'kept' }));
  assert.deepEqual(await bodies(bed, 'q'), ['kept']);
  for (const [name, value] of [
    ['FilterPolicy', '{"a": 5}'],
    ['FilterPolicy', 'no JSON'],
    ['FilterPolicy', '{"a": {"b": ["c"]}}'],
    ['FilterPolicyScope', 'Elsewhere'],
    ['RawMessageDelivery', 'perhaps'],
    ['Unknown', 'x'],
  ] as const) {
    await assert.rejects(set(name, value), { name: 'InvalidParameterException' }, value);
  }
  await bed.topics.send(new UnsubscribeCommand({ SubscriptionArn }));
  await bed.topics.send(new UnsubscribeCommand({ SubscriptionArn }));
  await assert.rejects(set('RawMessageDelivery', 'true'), { name: 'NotFoundException' });
  await bed.topics.send(new PublishCommand({ TopicArn, Message: 'to nobody' }));
  assert.deepEqual(await bodies(bed, 'q'), []);
});

test('topics, their attributes and tags; creating and subscribing again', async (t) => {
  const bed = await open(t);
  const TopicArn = await createTopic(bed, 'one', { DisplayName: 'One' });
  await createTopic(bed, 'two');
  assert.equal(await createTopic(bed, 'one', { DisplayName: 'One' }), TopicArn);
  await assert.rejects(createTopic(bed, 'one', { DisplayName: 'Other' }), {
    name: 'InvalidParameterException',
  });
  for (const name of ['', 'a b', 'a.fifo', 'x'.repeat(257)]) {
    await assert.rejects(createTopic(bed, name), { name: 'InvalidParameterException' }, name);
  }
  const subscription = await subscribe(bed, TopicArn, 'q');
  assert.equal(await subscribe(bed, TopicArn, 'q'), subscription);
  await assert.rejects(subscribe(bed, TopicArn, 'q', { RawMessageDelivery: 'true' }), {
    name: 'InvalidParameterException',
  });
  await bed.topics.send(
    new SetTopicAttributesCommand({ TopicArn, AttributeName: 'DisplayName', AttributeValue: '1' }),
  );
  const { Attributes } = await bed.topics.send(new GetTopicAttributesCommand({ TopicArn }));
  assert.equal(Attributes?.['DisplayName'], '1');
  assert.equal(Attributes['SubscriptionsConfirmed'], '1');
  assert.equal(Attributes['Owner'], '000000000000');
  assert.ok(JSON.parse(Attributes['Policy']!));
  const tags = [
    { Key: 'team', Value: 'a' },
    { Key: 'stage', Value: '' },
  ];
  await bed.topics.send(new TagResourceCommand({ ResourceArn: TopicArn, Tags: tags }));
  await bed.topics.send(new UntagResourceCommand({ ResourceArn: TopicArn, TagKeys: ['stage'] }));
  const tagged = await bed.topics.send(new ListTagsForResourceCommand({ ResourceArn: TopicArn }));
  assert.deepEqual(tagged.Tags, tags.slice(0, 1));
  const listed = await bed.topics.send(new ListTopicsCommand({}));
  assert.deepEqual(
    listed.Topics?.map((topic) => topic.TopicArn?.split(':').at(-1)),
    ['one', 'two'],
  );
  const all = await bed.topics.send(new ListSubscriptionsCommand({}));
  const own = await bed.topics.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
  assert.deepEqual(own.Subscriptions, all.Subscriptions);
  assert.equal(own.Subscriptions?.[0]?.SubscriptionArn, subscription);
  await bed.topics.send(new DeleteTopicCommand({ TopicArn }));
  await bed.topics.send(new DeleteTopicCommand({ TopicArn }));
  await assert.rejects(bed.topics.send(new PublishCommand({ TopicArn, Message: 'x' })), {
    name: 'NotFoundException',
  });
});

test('a batch is published whole or not at all', async (t) => {
  const bed = await open(t);
  const TopicArn = await createTopic(bed, 'batches');
  await subscribe(bed, TopicArn, 'q', { RawMessageDelivery: 'true' });
  const send = (entries: Array<{ Id: string; Message: string }>) =>
    bed.topics.send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: entries }));
  const bad = [
    { Id: 'a', Message: '1' },
    { Id: 'b', Message: '' },
  ];
  await assert.rejects(send(bad), { name: 'InvalidParameterException' });
  const { Successful, Failed } = await send([
    { Id: 'a', Message: '1' },
    { Id: 'c', Message: '3' },
  ]);
  assert.deepEqual(
    Successful?.map(({ Id }) => Id),
    ['a', 'c'],
  );
  assert.deepEqual(Failed ?? [], []);
  assert.deepEqual(sorted(await bodies(bed, 'q')), ['1', '3']);
  const many = Array.from({ length: 11 }, (_, index) => ({ Id: String(index), Message: 'x' }));
  await assert.rejects(send(many), { name: 'TooManyEntriesInBatchRequestException' });
  await assert.rejects(send([]), { name: 'EmptyBatchRequestException' });
  const twice = [
    { Id: 'a', Message: 'x' },
    { Id: 'a', Message: 'y' },
  ];
  await assert.rejects(send(twice), { name: 'BatchEntryIdsNotDistinctException' });
  const large = Array.from({ length: 3 }, (_, index) => ({
    Id: String(index),
    Message: 'x'.repeat(100_000),
  }));
  await assert.rejects(send(large), { name: 'BatchRequestTooLongException' });
});

test('a FIFO topic keeps groups in order and stores what it gets twice once', async (t) => {
  const bed = await open(t);
  const TopicArn = await createTopic(bed, 'f.fifo', { FifoTopic: 'true' });
  await subscribe(bed, TopicArn, 'q.fifo', { RawMessageDelivery: 'true' });
  await subscribe(bed, TopicArn, 'standard');
  const publish = (Message: string, MessageGroupId: string, MessageDeduplicationId: string) =>
    bed.topics.send(
      new PublishCommand({ TopicArn, Message, MessageGroupId, MessageDeduplicationId }),
    );
  const first = await publish('1', 'g', 'a');
  const again = await publish('1', 'g', 'a');
  assert.equal(again.MessageId, first.MessageId);
  assert.equal(again.SequenceNumber, first.SequenceNumber);
  const second = await publish('2', 'g', 'b');
  assert.match(first.SequenceNumber!, /^\d{20}$/);
  assert.ok(second.SequenceNumber! > first.SequenceNumber!);
  const found = await take(bed, 'q.fifo');
  assert.deepEqual(
    found.map(({ Body, Attributes }) => [Body, Attributes?.['MessageGroupId']]),
    [
      ['1', 'g'],
      ['2', 'g'],
    ],
  );
  const wrapped = await bodies(bed, 'standard');
  const envelope = JSON.parse(wrapped[0]!) as Record<string, unknown>;
  assert.ok(/^\d{20}$/.test(String(envelope['SequenceNumber'])));
  assert.equal(wrapped.length, 2);
  const lacking = { TopicArn, Message: 'x' };
  await assert.rejects(bed.topics.send(new PublishCommand(lacking)), {
    name: 'InvalidParameterException',
  });
  await assert.rejects(bed.topics.send(new PublishCommand({ ...lacking, MessageGroupId: 'g' })), {
    name: 'InvalidParameterException',
  });
  await bed.topics.send(
    new SetTopicAttributesCommand({
      TopicArn,
      AttributeName: 'ContentBasedDeduplication',
      AttributeValue: 'true',
    }),
  );
  for (const Message of ['same', 'same', 'other']) {
    await bed.topics.send(new PublishCommand({ TopicArn, Message, MessageGroupId: 'g' }));
  }
  assert.deepEqual(await bodies(bed, 'q.fifo'), ['same', 'other']);
  const plain = await createTopic(bed, 'plain');
  await assert.rejects(subscribe(bed, plain, 'q.fifo'), { name: 'InvalidParameterException' });
});

test('repetitions on their way at once are one message', async (t) => {
  // What is on its way is not on the disk yet.
  const data = await mkdtemp(path.join(tmpdir(), 'pabal-topics-'));
  const bed = await open(t, { data });
  t.after(() => rm(data, { recursive: true, force: true }));
  const TopicArn = await createTopic(bed, 'f.fifo', { FifoTopic: 'true' });
  await subscribe(bed, TopicArn, 'standard');
  const message = { TopicArn, Message: 'm', MessageGroupId: 'g', MessageDeduplicationId: 'same' };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => bed.topics.send(new PublishCommand(message))),
  );
  const ids = new Set(answers.map(({ MessageId }) => MessageId));
  const numbers = new Set(answers.map(({ SequenceNumber }) => SequenceNumber));
  assert.deepEqual([ids.size, numbers.size], [1, 1]);
  assert.equal((await bodies(bed, 'standard')).length, 1);
});

test('a topic that is made again has not seen what the one before it had', async (t) => {
  const bed = await open(t);
  const ids: Array<string | undefined> = [];
  for (const queue of ['one.fifo', 'two.fifo']) {
    const TopicArn = await createTopic(bed, 'f.fifo', { FifoTopic: 'true' });
    assert.equal(await createTopic(bed, 'f.fifo', { FifoTopic: 'true' }), TopicArn);
    await subscribe(bed, TopicArn, queue, { RawMessageDelivery: 'true' });
    const message = { Message: queue, MessageGroupId: 'g', MessageDeduplicationId: 'same' };
    ids.push((await bed.topics.send(new PublishCommand({ TopicArn, ...message }))).MessageId);
    assert.deepEqual(await bodies(bed, queue), [queue]);
    await bed.topics.send(new DeleteTopicCommand({ TopicArn }));
  }
  assert.notEqual(ids[0], ids[1]);
});

test('topics, subscriptions and what was published are there after a restart', async (t) => {
  const data = await mkdtemp(path.join(tmpdir(), 'pabal-topics-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  let TopicArn = '';
  let SubscriptionArn = '';
  await t.test('before', async (inner) => {
    const bed = await open(inner, { data });
    TopicArn = await createTopic(bed, 'kept', { DisplayName: 'Kept' });
    SubscriptionArn = await subscribe(bed, TopicArn, 'q');
    await bed.topics.send(
      new SetSubscriptionAttributesCommand({
        SubscriptionArn,
        AttributeName: 'RawMessageDelivery',
        AttributeValue: 'true',
      }),
    );
    await bed.topics.send(new PublishCommand({ TopicArn, Message: 'before' }));
  });
  await t.test('after', async (inner) => {
    const bed = await open(inner, { data });
    const { Attributes } = await bed.topics.send(new GetTopicAttributesCommand({ TopicArn }));
    assert.equal(Attributes?.['DisplayName'], 'Kept');
    const { Subscriptions } = await bed.topics.send(new ListSubscriptionsCommand({}));
    assert.deepEqual(
      Subscriptions?.map((each) => each.SubscriptionArn),
      [SubscriptionArn],
    );
    await bed.topics.send(new PublishCommand({ TopicArn, Message: 'after' }));
    assert.deepEqual(await bodies(bed, 'q'), ['before', 'after']);
  });
});

test('what other doors bind to the topic gets messages as they were published', async (t) => {
  const bed = await open(t);
  const TopicArn = await createTopic(bed, 'shared');
  await bed.client.send(new CreateQueueCommand({ QueueName: 'bound' }));
  await bed.broker.exchanges.bind({
    namespace: '',
    source: 'shared',
    destination: { kind: 'queue', name: 'bound' },
    key: '',
    arguments: {},
  });
  await bed.topics.send(new PublishCommand({ TopicArn, Message: 'plain' }));
  assert.deepEqual(await bodies(bed, 'bound'), ['plain']);
  const { Subscriptions } = await bed.topics.send(
    new ListSubscriptionsByTopicCommand({ TopicArn }),
  );
  assert.deepEqual(Subscriptions ?? [], []);
});

test('answers and errors are XML of the API', async (t) => {
  const bed = await open(t);
  const Version = '2010-03-31';
  const created = await bed.query({ Action: 'CreateTopic', Name: 'raw', Version });
  assert.equal(created.status, 200);
  assert.match(
    created.text,
    /^<CreateTopicResponse xmlns="http:\/\/sns\.amazonaws\.com\/doc\/2010-03-31\/"><CreateTopicResult><TopicArn>arn:aws:sns:us-east-1:000000000000:raw<\/TopicArn><\/CreateTopicResult><ResponseMetadata><RequestId>[0-9a-f-]{36}<\/RequestId><\/ResponseMetadata><\/CreateTopicResponse>$/,
  );
  const TopicArn = 'arn:aws:sns:us-east-1:000000000000:none';
  const missing = await bed.query({ Action: 'Publish', TopicArn, Message: 'x', Version });
  assert.equal(missing.status, 404);
  assert.match(missing.text, /<Type>Sender<\/Type><Code>NotFound<\/Code><Message>Topic does not/);
  const unknown = await bed.query({ Action: 'Dance', Version });
  assert.equal(unknown.status, 400);
  assert.match(unknown.text, /<Code>InvalidAction<\/Code>/);
  for (const parameters of [
    { Action: 'Publish', TopicArn: 'nonsense', Message: 'x' },
    { Action: 'Subscribe', TopicArn: TopicArn.replace('none', 'raw'), Protocol: 'email' },
    { Action: 'ListTopics', NextToken: '!' },
    { Action: 'ConfirmSubscription', TopicArn: TopicArn.replace('none', 'raw'), Token: 'x' },
    { Action: 'Unsubscribe', SubscriptionArn: 'x' },
  ]) {
    const refused = await bed.query({ Version, ...parameters });
    assert.equal(refused.status, 400, parameters.Action);
    assert.match(refused.text, /<Code>InvalidParameter<\/Code>/, parameters.Action);
  }
  assert.deepEqual(bed.complaints, []);
});

test("what a topic's filters and permissions may be is said in the service's words", async (t) => {
  const bed = await open(t);
  const TopicArn = await createTopic(bed, 'strict');
  await bed.client.send(new CreateQueueCommand({ QueueName: 'q' }));
  const refusals: ReadonlyArray<readonly [policy: unknown, said: string]> = [
    [{ key: [] }, 'Empty arrays are not allowed'],
    [{ key: [['a']] }, 'Match value must be String, number, true, false, or null'],
    [{ key: { suffix: 'a' } }, '"suffix" must be an object or an array'],
    [{ key: [{ wrong: true }] }, 'Unrecognized match type wrong'],
    [{ key: [{ suffix: 'a', prefix: 'b' }] }, 'Only one key allowed in match expression'],
    [{ key: [{ suffix: 100 }] }, 'suffix match pattern must be a string'],
    [{ key: [{ exists: 'no' }] }, 'exists match pattern must be either true or false.'],
    [{ key: [{ cidr: 'x' }] }, "Malformed CIDR, one '/' required"],
    [{ key: [{ cidr: '1.x/8' }] }, 'Nonstandard IP address: 1.x'],
    [{ key: [{ numeric: [] }] }, 'Invalid member in numeric match: ]'],
    [{ key: [{ numeric: ['=', '0'] }] }, 'Value of equals must be numeric'],
    [{ key: [{ numeric: ['>', 3, '<', 1] }] }, 'Bottom must be less than top'],
    [{ key: [{ 'anything-but': { suffix: 'a' } }] }, 'Unsupported anything-but pattern: suffix'],
    [
      { a: [1], b: [1], c: [1], d: [1], e: [1], f: [1] },
      'Filter policy can not have more than 5 keys',
    ],
  ];
  for (const [policy, said] of refusals) {
    const request = new SubscribeCommand({
      TopicArn,
      Protocol: 'sqs',
      Endpoint: arnOfQueue('q'),
      Attributes: { FilterPolicy: JSON.stringify(policy) },
    });
    await assert.rejects(bed.topics.send(request), {
      message: `Invalid parameter: Attributes Reason: FilterPolicy: ${said}`,
    });
  }
  const permission = { TopicArn, Label: 'them', AWSAccountId: ['123456789012'] };
  await bed.topics.send(new AddPermissionCommand({ ...permission, ActionName: ['Publish'] }));
  await assert.rejects(
    bed.topics.send(new AddPermissionCommand({ ...permission, ActionName: ['Publish'] })),
    { message: 'Invalid parameter: Statement already exists' },
  );
  const policyOf = async (): Promise<Array<{ Sid: string }>> => {
    const { Attributes } = await bed.topics.send(new GetTopicAttributesCommand({ TopicArn }));
    // A cast: the form of a policy.
    return (JSON.parse(Attributes!.Policy!) as { Statement: Array<{ Sid: string }> }).Statement;
  };
  assert.deepEqual(
    (await policyOf()).map(({ Sid }) => Sid),
    ['__default_statement_ID', 'them'],
  );
  await bed.topics.send(new RemovePermissionCommand({ TopicArn, Label: 'them' }));
  assert.equal((await policyOf()).length, 1);
});
