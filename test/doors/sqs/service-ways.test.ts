import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { SystemClock } from '../../../src/base/index.ts';
import { openBed, type SqsBed } from './sqs-bed.ts';

/** What the service does although its documentation does not say so, or says it by the way. */

async function createFifo({ client }: SqsBed, Attributes: Record<string, string> = {}) {
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({
      QueueName: 'orders.fifo',
      Attributes: { FifoQueue: 'true', ...Attributes },
    }),
  );
  return QueueUrl ?? '';
}

async function receive({ client }: SqsBed, QueueUrl: string): Promise<Message[]> {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
  );
  return Messages;
}

function bodies(messages: readonly Message[]): Array<string | undefined> {
  return messages.map(({ Body }) => Body);
}

test('one answer has all messages of a group that are visible again before the one that is not', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await createFifo(bed);
  for (const MessageBody of ['1', '2', '3', '4', '5']) {
    await bed.client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody,
        MessageGroupId: 'a',
        MessageDeduplicationId: MessageBody,
      }),
    );
  }
  const first = await receive(bed, QueueUrl);
  for (const index of [1, 0, 2, 4]) {
    await bed.client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl,
        ReceiptHandle: first[index]?.ReceiptHandle,
        VisibilityTimeout: 0,
      }),
    );
  }
  assert.deepEqual(bodies(await receive(bed, QueueUrl)), ['1', '2', '3']);
  assert.deepEqual(await receive(bed, QueueUrl), []);
});

test('sequence numbers have no run of zeros that could be taken for an account', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await createFifo(bed);
  const { SequenceNumber } = await bed.client.send(
    new SendMessageCommand({
      QueueUrl,
      MessageBody: 'x',
      MessageGroupId: 'a',
      MessageDeduplicationId: 'x',
    }),
  );
  assert.match(SequenceNumber ?? '', /^\d{20}$/);
  assert.doesNotMatch(SequenceNumber ?? '', /0{6}/);
});

test('* names all attributes of messages, as All and .* do', async (t) => {
  const bed = await openBed(t);
  const { QueueUrl } = await bed.client.send(
    new CreateQueueCommand({ QueueName: 'orders', Attributes: { VisibilityTimeout: '0' } }),
  );
  const attribute = { DataType: 'String', StringValue: 'v' };
  await bed.client.send(
    new SendMessageCommand({
      QueueUrl,
      MessageBody: 'x',
      MessageAttributes: { 'Help.Me': attribute, Hello: attribute, General: attribute },
    }),
  );
  const cases: Array<[string, string[]]> = [
    ['All', ['General', 'Hello', 'Help.Me']],
    ['.*', ['General', 'Hello', 'Help.Me']],
    ['*', ['General', 'Hello', 'Help.Me']],
    ['Hel.*', ['Hello', 'Help.Me']],
    ['He*', []],
  ];
  for (const [name, expected] of cases) {
    const { Messages } = await bed.client.send(
      new ReceiveMessageCommand({ QueueUrl, MessageAttributeNames: [name] }),
    );
    const names = Object.keys(Messages?.[0]?.MessageAttributes ?? {});
    assert.deepEqual(names.toSorted(), expected, name);
  }
});

/** A clock that can be put forward. */
class ShiftedClock extends SystemClock {
  shiftMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.shiftMs;
  }
}

test('another scope of deduplication counts after a minute, and is told at once', async (t) => {
  const clock = new ShiftedClock();
  const bed = await openBed(t, { clock });
  const QueueUrl = await createFifo(bed);
  let sent = 0;
  /** Whether a message with that id and group is taken. */
  const isTaken = async (group: string, id: string): Promise<boolean> => {
    await bed.client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: String(sent++),
        MessageGroupId: group,
        MessageDeduplicationId: id,
      }),
    );
    const [message] = await receive(bed, QueueUrl);
    if (message === undefined) return false;
    const { ReceiptHandle } = message;
    await bed.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    return true;
  };
  const setScope = (DeduplicationScope: string) =>
    bed.client.send(
      new SetQueueAttributesCommand({ QueueUrl, Attributes: { DeduplicationScope } }),
    );
  assert.equal(await isTaken('1', 'x'), true);
  await setScope('messageGroup');
  const { Attributes } = await bed.client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['DeduplicationScope'] }),
  );
  assert.deepEqual(Attributes, { DeduplicationScope: 'messageGroup' });
  assert.equal(await isTaken('2', 'x'), false);
  // Saying it again does not prolong the wait.
  clock.shiftMs += 50_000;
  await setScope('messageGroup');
  clock.shiftMs += 10_001;
  assert.equal(await isTaken('2', 'x'), true);
  assert.equal(await isTaken('2', 'x'), false);
  // What is taken back never was.
  await setScope('queue');
  await setScope('messageGroup');
  assert.equal(await isTaken('3', 'x'), true);
});

test('refusals have the words of the service', async (t) => {
  const bed = await openBed(t);
  const { QueueUrl = '' } = await bed.client.send(new CreateQueueCommand({ QueueName: 'orders' }));
  const permission = { QueueUrl, Label: 'a', AWSAccountIds: ['123456789012'], Actions: ['*'] };
  const many = ['ReceiveMessage', 'SendMessage', 'DeleteMessage', 'PurgeQueue', 'GetQueueUrl'];
  const cases: Array<[string, Record<string, unknown>, number, string, string]> = [
    // Without a slash it is no address; a host without a path is one, of nothing.
    [
      'PurgeQueue',
      { QueueUrl: 'nowhere' },
      404,
      'InvalidAddress',
      'The address nowhere is not valid for this endpoint.',
    ],
    [
      'PurgeQueue',
      { QueueUrl: 'http://nowhere' },
      400,
      'AWS.SimpleQueueService.NonExistentQueue',
      'The specified queue does not exist.',
    ],
    [
      'AddPermission',
      { ...permission, AWSAccountIds: [] },
      400,
      'InvalidParameterValue',
      'Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.',
    ],
    [
      'AddPermission',
      { ...permission, AWSAccountIds: ['123456789012', 'me'] },
      400,
      'InvalidParameterValue',
      'Value [123456789012, me] for parameter PrincipalId is invalid. Reason: Unable to verify.',
    ],
    [
      'AddPermission',
      { ...permission, Actions: [] },
      400,
      'MissingParameter',
      'The request must contain the parameter Actions.',
    ],
    [
      'AddPermission',
      { ...permission, Actions: [...many, 'ChangeMessageVisibility', 'GetQueueAttributes', '*'] },
      403,
      'OverLimit',
      '8 Actions were found, maximum allowed is 7.',
    ],
    [
      'TagQueue',
      {
        QueueUrl,
        Tags: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`key${n}`, 'v'])),
      },
      400,
      'InvalidParameterValue',
      'Too many tags added for queue orders.',
    ],
    [
      'UntagQueue',
      { QueueUrl, TagKeys: [] },
      400,
      'InvalidParameterValue',
      'Tag keys must be between 1 and 128 characters in length.',
    ],
  ];
  for (const [action, input, status, code, message] of cases) {
    const { status: told, headers, json } = await bed.json(action, input);
    assert.deepEqual([told, json['message']], [status, message], action);
    assert.equal(headers.get('x-amzn-query-error'), `${code};Sender`);
  }
});

test('names of messages’ attributes are of letters of any script, digits, _, - and .', async (t) => {
  const bed = await openBed(t);
  const { QueueUrl } = await bed.client.send(new CreateQueueCommand({ QueueName: 'orders' }));
  const attribute = { DataType: 'String', StringValue: 'v' };
  for (const name of ['a b', 'a§', 'a/b', '', '.a', 'a.', 'a..b', 'AWS.a', 'amazon.b']) {
    const { status, json } = await bed.json('SendMessage', {
      QueueUrl,
      MessageBody: 'x',
      MessageAttributes: { [name]: attribute },
    });
    assert.equal(status, 400, name);
    assert.match(String(json['__type']), /InvalidParameterValueException$/, name);
  }
  const { status } = await bed.json('SendMessage', {
    QueueUrl,
    MessageBody: 'x',
    MessageAttributes: { 'A-b_c.9': attribute, 'attr.1øßä': attribute },
  });
  assert.equal(status, 200);
});

test('a type of an attribute comes back as it was sent, or is refused', async (t) => {
  const bed = await openBed(t);
  const { QueueUrl } = await bed.client.send(new CreateQueueCommand({ QueueName: 'orders' }));
  for (const [DataType, isTaken] of [
    ['String.a', true],
    ['Number.a.b', true],
    ['String.', false],
    ['Number.', false],
    ['Binary.', false],
    ['String.\u0001', false],
    ['Strings', false],
  ] as const) {
    const value = DataType.startsWith('Binary') ? { BinaryValue: 'AQ==' } : { StringValue: '1' };
    const { status, json } = await bed.json('SendMessage', {
      QueueUrl,
      MessageBody: 'x',
      MessageAttributes: { one: { DataType, ...value } },
    });
    assert.equal(status, isTaken ? 200 : 400, DataType);
    if (!isTaken) {
      assert.match(String(json['message']), /has an invalid message attribute type/);
      continue;
    }
    const received = await bed.json('ReceiveMessage', { QueueUrl, MessageAttributeNames: ['All'] });
    const [message] = received.json['Messages'] as Array<Record<string, unknown>>;
    assert.deepEqual(message?.['MessageAttributes'], { one: { DataType, ...value } });
    assert.equal(message?.['MD5OfMessageAttributes'], json['MD5OfMessageAttributes']);
  }
});

test('a binary value of which no byte can be read is no value', async (t) => {
  const bed = await openBed(t);
  const { QueueUrl } = await bed.client.send(new CreateQueueCommand({ QueueName: 'orders' }));
  for (const BinaryValue of ['', 'a', '***', '====']) {
    const { status, json } = await bed.json('SendMessage', {
      QueueUrl,
      MessageBody: 'x',
      MessageAttributes: { one: { DataType: 'Binary', BinaryValue } },
    });
    assert.equal(status, 400, BinaryValue);
    assert.equal(
      json['message'],
      "Message (user) attribute 'one' must contain a non-empty value of type 'Binary'.",
    );
  }
});

test('who asks who it is, is told the account', async (t) => {
  const bed = await openBed(t);
  const { status, text } = await bed.query({ Action: 'GetCallerIdentity', Version: '2011-06-15' });
  assert.equal(status, 200);
  assert.match(text, /<Arn>arn:aws:iam::000000000000:root<\/Arn>/);
  assert.match(text, /<UserId>000000000000<\/UserId><Account>000000000000<\/Account>/);
  assert.match(text, /<ResponseMetadata><RequestId>[0-9a-f-]{36}<\/RequestId>/);
});

test('of a key and the service’s own encryption a queue has the one that was set last', async (t) => {
  const bed = await openBed(t);
  const { QueueUrl } = await bed.client.send(
    new CreateQueueCommand({ QueueName: 'orders', Attributes: { SqsManagedSseEnabled: 'true' } }),
  );
  const names = ['KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds', 'SqsManagedSseEnabled'] as const;
  const steps: Array<[Record<string, string>, Array<string | undefined>]> = [
    [{}, [undefined, undefined, 'true']],
    [{ KmsMasterKeyId: 'key', KmsDataKeyReusePeriodSeconds: '600' }, ['key', '600', 'false']],
    [{ KmsMasterKeyId: '' }, [undefined, undefined, 'false']],
    [{ KmsMasterKeyId: 'key' }, ['key', '600', 'false']],
    [{ SqsManagedSseEnabled: 'true' }, [undefined, undefined, 'true']],
    [{ SqsManagedSseEnabled: 'false' }, [undefined, undefined, 'false']],
  ];
  for (const [given, expected] of steps) {
    const Attributes = { VisibilityTimeout: '30', ...given };
    await bed.client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes }));
    const { Attributes: told } = await bed.client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...names] }),
    );
    assert.deepEqual(
      names.map((name) => told?.[name]),
      expected,
    );
  }
  const { status, json } = await bed.json('SetQueueAttributes', {
    QueueUrl,
    Attributes: { KmsMasterKeyId: 'key', SqsManagedSseEnabled: 'true' },
  });
  assert.deepEqual(
    [status, json['__type'], json['message']],
    [
      400,
      'com.amazonaws.sqs#InvalidAttributeName',
      'You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.',
    ],
  );
});

test('callers of the Query protocol who accept JSON get it, with names and nulls of its own', async (t) => {
  const bed = await openBed(t);
  const ask = async (parameters: Record<string, string>) => {
    const response = await fetch(bed.url, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams(parameters),
    });
    assert.equal(response.headers.get('content-type'), 'application/json');
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const QueueUrl = `${bed.url}/000000000000/orders`;
  const { json: made } = await ask({ Action: 'CreateQueue', QueueName: 'orders' });
  const { ResponseMetadata } = made['CreateQueueResponse'] as { ResponseMetadata: object };
  assert.deepEqual(Object.keys(ResponseMetadata), ['RequestId']);
  assert.deepEqual(made, {
    CreateQueueResponse: { CreateQueueResult: { QueueUrl }, ResponseMetadata },
  });
  const resultOf = async (Action: string, more: Record<string, string> = {}) => {
    const { json } = await ask({ Action, QueueUrl, ...more });
    return (json[`${Action}Response`] as Record<string, unknown>)[`${Action}Result`];
  };
  assert.deepEqual(await resultOf('ListQueues'), { queueUrls: [QueueUrl], NextToken: null });
  assert.deepEqual(await resultOf('ReceiveMessage'), { messages: null });
  assert.deepEqual(await resultOf('GetQueueAttributes', { 'AttributeName.1': 'DelaySeconds' }), {
    Attributes: [{ Name: 'DelaySeconds', Value: '0' }],
  });
  await resultOf('SendMessage', { MessageBody: 'x' });
  const { messages } = (await resultOf('ReceiveMessage')) as { messages: object[] };
  assert.deepEqual(
    { ...messages[0], MessageId: '', ReceiptHandle: '' },
    {
      MessageId: '',
      ReceiptHandle: '',
      MD5OfBody: '9dd4e461268c8034f5c8564e155c67a6',
      Body: 'x',
      Attributes: null,
      MD5OfMessageAttributes: null,
      MessageAttributes: null,
    },
  );
  assert.equal(await resultOf('PurgeQueue'), undefined);
  const { status, json } = await ask({ Action: 'PurgeQueue', QueueUrl: `${QueueUrl}s` });
  assert.equal(status, 400);
  assert.deepEqual(json['Error'], {
    Code: 'AWS.SimpleQueueService.NonExistentQueue',
    Message: 'The specified queue does not exist for this wsdl version.',
    Type: 'Sender',
  });
});

test('names that every object has are no names of attributes', async (t) => {
  const bed = await openBed(t);
  const { QueueUrl } = await bed.client.send(new CreateQueueCommand({ QueueName: 'orders' }));
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const { status, json } = await bed.json(
      'SetQueueAttributes',
      `{"QueueUrl":${JSON.stringify(QueueUrl)},"Attributes":{"${name}":"x"}}`,
    );
    assert.equal(status, 400, name);
    assert.match(String(json['__type']), /#InvalidAttributeName$/, name);
    const Version = '2010-03-31';
    await bed.query({ Action: 'CreateTopic', Version, Name: 'events' });
    const TopicArn = 'arn:aws:sns:us-east-1:000000000000:events';
    const set = { Action: 'SetTopicAttributes', Version, TopicArn, AttributeName: name };
    const answer = await bed.query({ ...set, AttributeValue: 'x' });
    assert.equal(answer.status, 400, name);
    assert.match(answer.text, /<Code>InvalidParameter<.*AttributeName/);
  }
});

test('JSON answers of actions that tell nothing have no body; lists and messages that are not there leave an object', async (t) => {
  const bed = await openBed(t);
  const { json } = await bed.json('CreateQueue', { QueueName: 'q' });
  const QueueUrl = String(json['QueueUrl']);
  await bed.json('SendMessage', { QueueUrl, MessageBody: 'm' });
  const { json: received } = await bed.json('ReceiveMessage', { QueueUrl });
  const [message] = received['Messages'] as Array<{ ReceiptHandle: string }>;
  const { ReceiptHandle } = message!;
  const silent: ReadonlyArray<readonly [string, object]> = [
    ['ChangeMessageVisibility', { ReceiptHandle, VisibilityTimeout: 9 }],
    ['DeleteMessage', { ReceiptHandle }],
    ['SetQueueAttributes', { Attributes: { VisibilityTimeout: '9' } }],
    ['TagQueue', { Tags: { a: 'b' } }],
    ['UntagQueue', { TagKeys: ['a'] }],
    ['AddPermission', { Label: 'l', AWSAccountIds: ['111111111111'], Actions: ['*'] }],
    ['RemovePermission', { Label: 'l' }],
    ['PurgeQueue', {}],
  ];
  const told = async (action: string, input: object) => {
    const answer = await bed.json(action, { QueueUrl, ...input });
    assert.equal(answer.headers.get('content-type'), 'application/x-amz-json-1.0');
    assert.equal(answer.headers.get('content-length'), String(answer.text.length));
    return [action, answer.status, answer.text];
  };
  for (const [action, input] of silent) {
    assert.deepEqual(await told(action, input), [action, 200, '']);
  }
  assert.deepEqual(await told('ListQueueTags', {}), ['ListQueueTags', 200, '{}']);
  assert.deepEqual(await told('ReceiveMessage', {}), ['ReceiveMessage', 200, '{}']);
  assert.deepEqual(await told('DeleteQueue', {}), ['DeleteQueue', 200, '']);
});

test('a message that is too long is told so in other words as an entry of a batch', async (t) => {
  const bed = await openBed(t);
  const { QueueUrl = '' } = await bed.client.send(
    new CreateQueueCommand({ QueueName: 'short', Attributes: { MaximumMessageSize: '1024' } }),
  );
  const MessageBody = 'a'.repeat(1025);
  const { json: request } = await bed.json('SendMessage', { QueueUrl, MessageBody });
  assert.equal(
    request['message'],
    'One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.',
  );
  const Entries = [
    { Id: 'long', MessageBody },
    { Id: 'short', MessageBody: 'a' },
  ];
  const { json: batch } = await bed.json('SendMessageBatch', { QueueUrl, Entries });
  assert.deepEqual(batch['Failed'], [
    {
      Id: 'long',
      SenderFault: true,
      Code: 'InvalidParameterValue',
      Message:
        'One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.',
    },
  ]);
  assert.equal((batch['Successful'] as unknown[]).length, 1);
});
