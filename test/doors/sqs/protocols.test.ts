import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { until } from '../../support/until.ts';
import { openBed } from './sqs-bed.ts';

const queueUrl = (name: string): string => `http://localhost/000000000000/${name}`;
const ask = (parameters: string): string => `GET /?${parameters} HTTP/1.1\r\nhost: a\r\n\r\n`;

test('the Query protocol sends, receives and deletes', async (t) => {
  const bed = await openBed(t);
  const created = await bed.query({
    Action: 'CreateQueue',
    QueueName: 'forms',
    'Attribute.1.Name': 'VisibilityTimeout',
    'Attribute.1.Value': '45',
    'Tag.1.Key': 'team',
    'Tag.1.Value': 'a&b',
    Version: '2012-11-05',
  });
  assert.equal(created.status, 200);
  assert.match(created.headers.get('content-type') ?? '', /^text\/xml/);
  assert.match(
    created.text,
    /<CreateQueueResponse xmlns="http:\/\/queue\.amazonaws\.com\/doc\/2012-11-05\/"><CreateQueueResult><QueueUrl>http:\/\/127\.0\.0\.1:\d+\/000000000000\/forms<\/QueueUrl><\/CreateQueueResult><ResponseMetadata><RequestId>[0-9a-f-]{36}<\/RequestId>/,
  );
  // By the path alone, as a GET.
  const sent = await fetch(
    `${bed.url}/000000000000/forms?Action=SendMessage&MessageBody=a%3Cb%26%0D&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=Number&MessageAttribute.1.Value.StringValue=5`,
  );
  const text = await sent.text();
  assert.equal(sent.status, 200, text);
  assert.match(text, /<MD5OfMessageAttributes>[0-9a-f]{32}<\/MD5OfMessageAttributes>/);
  const received = await bed.query({
    Action: 'ReceiveMessage',
    QueueUrl: queueUrl('forms'),
    'AttributeName.1': 'All',
    'MessageAttributeName.1': 'All',
  });
  assert.match(received.text, /<Body>a&lt;b&amp;&#xD;<\/Body>/);
  assert.match(
    received.text,
    /<Attribute><Name>ApproximateReceiveCount<\/Name><Value>1<\/Value><\/Attribute>/,
  );
  assert.match(
    received.text,
    /<MessageAttribute><Name>n<\/Name><Value><StringValue>5<\/StringValue><DataType>Number<\/DataType><\/Value><\/MessageAttribute>/,
  );
  const handle = /<ReceiptHandle>([^<]+)</.exec(received.text)?.[1] ?? '';
  const deleted = await bed.query({
    Action: 'DeleteMessageBatch',
    QueueUrl: queueUrl('forms'),
    'DeleteMessageBatchRequestEntry.1.Id': 'x',
    'DeleteMessageBatchRequestEntry.1.ReceiptHandle': handle,
    'DeleteMessageBatchRequestEntry.2.Id': 'y',
    'DeleteMessageBatchRequestEntry.2.ReceiptHandle': 'garbage',
  });
  assert.match(
    deleted.text,
    /<DeleteMessageBatchResultEntry><Id>x<\/Id><\/DeleteMessageBatchResultEntry><BatchResultErrorEntry><Id>y<\/Id><SenderFault>true<\/SenderFault><Code>ReceiptHandleIsInvalid<\/Code>/,
  );
  const tags = await bed.query({ Action: 'ListQueueTags', QueueUrl: queueUrl('forms') });
  assert.match(tags.text, /<Tag><Key>team<\/Key><Value>a&amp;b<\/Value><\/Tag>/);
  assert.deepEqual(bed.complaints, []);
});

test('the only item of a list, or of a map, may come without its number', async (t) => {
  const bed = await openBed(t);
  const path = '/000000000000/old';
  const Version = '2009-02-01';
  const asked = [
    {
      Action: 'CreateQueue',
      QueueName: 'old',
      'Attribute.Name': 'DelaySeconds',
      'Attribute.Value': '1',
    },
    { Action: 'TagQueue', 'Tag.Key': 'a', 'Tag.Value': 'b' },
    { Action: 'GetQueueAttributes', AttributeName: 'DelaySeconds' },
    { Action: 'UntagQueue', TagKey: 'a' },
    { Action: 'ListQueueTags' },
  ];
  const texts: string[] = [];
  for (const parameters of asked) {
    const at = 'QueueName' in parameters ? '/' : path;
    const { status, text } = await bed.query({ ...parameters, Version }, at);
    assert.equal(status, 200, text);
    texts.push(text);
  }
  assert.match(texts[2]!, /<Attribute><Name>DelaySeconds<\/Name><Value>1<\/Value><\/Attribute>/);
  assert.doesNotMatch(texts[4]!, /<Tag>/);
});

test('a form is of the Query protocol, whatever target it names, unless that is one of this API', async (t) => {
  const bed = await openBed(t);
  const form = 'application/x-www-form-urlencoded;charset=utf-8';
  for (const [type, target, body, expected] of [
    [form, 'AmazonSQSv20121105.ListQueues', 'Action=ListQueues', /^<\?xml.*<ListQueuesResult\/>/],
    [form, 'AmazonSQS.ListQueues', '{}', /^\{\}$/],
    ['text/plain', 'AmazonSQS.ListQueues', '{}', /^\{\}$/],
    ['text/plain', 'AmazonSQSv20121105.ListQueues', '{}', /UnknownOperationException/],
  ] as const) {
    const headers = { 'content-type': type, 'x-amz-target': target };
    const answer = await fetch(bed.url, { method: 'POST', headers, body });
    assert.match(await answer.text(), expected, `${type} ${target}`);
  }
});

test('refusals have the words of both protocols', async (t) => {
  const bed = await openBed(t);
  await bed.json('CreateQueue', { QueueName: 'q' });
  const q = { QueueUrl: queueUrl('q') };
  const table: Array<[string, unknown, string, string, number]> = [
    [
      'SendMessage',
      { QueueUrl: queueUrl('none'), MessageBody: 'm' },
      'com.amazonaws.sqs#QueueDoesNotExist',
      'AWS.SimpleQueueService.NonExistentQueue;Sender',
      400,
    ],
    [
      'Dance',
      {},
      'com.amazon.coral.service#UnknownOperationException',
      'InvalidAction;Sender',
      400,
    ],
    [
      'SendMessage',
      '{',
      'com.amazon.coral.service#SerializationException',
      'MalformedInput;Sender',
      400,
    ],
    [
      'SendMessage',
      { ...q, MessageBody: 5 },
      'com.amazon.coral.service#SerializationException',
      'MalformedInput;Sender',
      400,
    ],
    [
      'SendMessage',
      q,
      'com.amazon.coral.service#MissingRequiredParameterException',
      'MissingParameter;Sender',
      400,
    ],
    [
      'SendMessage',
      { ...q, MessageBody: 'm', DelaySeconds: 901 },
      'com.amazon.coral.service#InvalidParameterValueException',
      'InvalidParameterValue;Sender',
      400,
    ],
    [
      'SendMessage',
      { ...q, MessageBody: 'a\uffff' },
      'com.amazonaws.sqs#InvalidMessageContents',
      'InvalidMessageContents;Sender',
      400,
    ],
    [
      'ReceiveMessage',
      { ...q, MaxNumberOfMessages: 11 },
      'com.amazon.coral.service#InvalidParameterValueException',
      'InvalidParameterValue;Sender',
      400,
    ],
    [
      'SendMessageBatch',
      { ...q, Entries: [] },
      'com.amazonaws.sqs#EmptyBatchRequest',
      'AWS.SimpleQueueService.EmptyBatchRequest;Sender',
      400,
    ],
    [
      'DeleteMessage',
      { ...q, ReceiptHandle: 'x' },
      'com.amazonaws.sqs#ReceiptHandleIsInvalid',
      'ReceiptHandleIsInvalid;Sender',
      404,
    ],
    [
      'SetQueueAttributes',
      { ...q, Attributes: { Colour: 'red' } },
      'com.amazonaws.sqs#InvalidAttributeName',
      'InvalidAttributeName;Sender',
      400,
    ],
    [
      'SetQueueAttributes',
      { ...q, Attributes: { VisibilityTimeout: '43201' } },
      'com.amazonaws.sqs#InvalidAttributeValue',
      'InvalidAttributeValue;Sender',
      400,
    ],
    [
      'CreateQueue',
      { QueueName: 'a.b' },
      'com.amazon.coral.service#InvalidParameterValueException',
      'InvalidParameterValue;Sender',
      400,
    ],
    [
      'ListMessageMoveTasks',
      { SourceArn: 'arn:aws:sqs:us-east-1:000000000000:none' },
      'com.amazonaws.sqs#ResourceNotFoundException',
      'ResourceNotFoundException;Sender',
      404,
    ],
  ];
  for (const [action, input, type, queryError, status] of table) {
    const answer = await bed.json(action, input);
    const at = `${action} ${JSON.stringify(input)}: ${answer.text}`;
    assert.equal(answer.status, status, at);
    assert.equal(answer.json['__type'], type, at);
    assert.equal(answer.headers.get('x-amzn-query-error'), queryError, at);
    assert.match(answer.headers.get('x-amzn-requestid') ?? '', /^[0-9a-f-]{36}$/);
  }
  const xml = await bed.query({ Action: 'PurgeQueue', QueueUrl: queueUrl('none') });
  assert.equal(xml.status, 400);
  assert.match(
    xml.text,
    /<ErrorResponse xmlns="[^"]+"><Error><Type>Sender<\/Type><Code>AWS\.SimpleQueueService\.NonExistentQueue<\/Code><Message>The specified queue does not exist for this wsdl version\.<\/Message>/,
  );
  const unnamed = await bed.query({ QueueName: 'x' });
  assert.equal(unnamed.status, 404);
  assert.match(unnamed.text, /^<UnknownOperationException\/>/);
  assert.deepEqual(bed.complaints, []);
});

test('permissions are kept in the policy', async (t) => {
  const bed = await openBed(t);
  await bed.json('CreateQueue', { QueueName: 'q' });
  const q = { QueueUrl: queueUrl('q') };
  const permission = {
    ...q,
    Label: 'l',
    AWSAccountIds: ['123456789012'],
    Actions: ['SendMessage'],
  };
  assert.equal((await bed.json('AddPermission', permission)).status, 200);
  assert.equal((await bed.json('AddPermission', permission)).status, 400);
  const { json } = await bed.json('GetQueueAttributes', { ...q, AttributeNames: ['Policy'] });
  assert.match(JSON.stringify(json), /arn:aws:iam::123456789012:root/);
  assert.equal((await bed.json('RemovePermission', { ...q, Label: 'l' })).status, 200);
  assert.equal((await bed.json('RemovePermission', { ...q, Label: 'l' })).status, 400);
});

test('a body that is too large is refused before it is read', async (t) => {
  const bed = await openBed(t);
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(bed.port, '127.0.0.1', () => {
      socket.write(
        'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: 99999999\r\n\r\n',
      );
    });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text.includes('\r\n\r\n')) {
        socket.destroy();
        resolve(text);
      }
    });
    socket.on('error', reject);
  });
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.match(answer, /connection: close/i);
});

test('pages of this machine may ask', async (t) => {
  const bed = await openBed(t);
  const answer = await fetch(bed.url, {
    method: 'OPTIONS',
    headers: { origin: 'http://localhost:3000', 'access-control-request-headers': 'x-amz-target' },
  });
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.equal(answer.headers.get('access-control-allow-headers'), 'x-amz-target');
});

test('a poll that nobody waits for any more takes no message', async (t) => {
  const bed = await openBed(t);
  // The only connection there is: that nobody waits is seen when it has gone.
  const caller = connect(bed.port, '127.0.0.1');
  let answers = '';
  caller.setEncoding('latin1').on('data', (text: string) => {
    answers += text;
  });
  caller.write(ask('Action=CreateQueue&QueueName=q'));
  await until(() => answers.includes('</CreateQueueResponse>'));
  // The answer to the first tells that the poll behind it has been read, too.
  caller.write(
    ask('Action=ListQueues') + ask('Action=ReceiveMessage&QueueUrl=q&WaitTimeSeconds=20'),
  );
  await until(() => answers.includes('</ListQueuesResponse>'));
  caller.destroy();
  await until(() => bed.metrics.connectionsOpen === 0);
  await bed.json('SendMessage', { QueueUrl: 'q', MessageBody: 'm' });
  const { json } = await bed.json('ReceiveMessage', { QueueUrl: 'q', WaitTimeSeconds: 20 });
  assert.match(JSON.stringify(json), /"Body":"m"/);
});

test('a queue of another door is one here, and bodies that are no text are base64', async (t) => {
  const bed = await openBed(t);
  const { queue } = await bed.broker.queues.declare({ namespace: '', name: 'other' });
  const { publisher } = bed.broker;
  await new Promise<void>((resolve) => {
    const group = publisher.open(() => resolve());
    publisher.add(group, queue.topic, {
      key: null,
      body: [Buffer.from([0xff, 0])],
      bodyBytes: 2,
      headers: Buffer.alloc(0),
      headerCount: 0,
      timestampMs: Date.now(),
      priority: undefined,
      expiresAtMs: undefined,
      deliverAtMs: undefined,
      groupId: undefined,
      dedupId: undefined,
    });
    publisher.close(group);
  });
  const { json } = await bed.json('ReceiveMessage', { QueueUrl: queueUrl('other') });
  const text = JSON.stringify(json);
  assert.match(text, /"Body":"\/wA="/);
  assert.match(text, /"pabal\.body-encoding":\{"DataType":"String","StringValue":"base64"\}/);
});
