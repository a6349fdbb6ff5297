import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { MemoryBudget } from '../../../src/net/index.ts';
import { openBed, type SqsBed } from './sqs-bed.ts';
import { until } from '../../support/until.ts';

/** What comes back on a connection that writes these, until it is closed. */
async function exchange(port: number, pieces: readonly string[]): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let text = '';
  const closed = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    // A peer that is cut off may still be writing.
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
  for (const piece of pieces) socket.write(piece);
  await closed;
  socket.destroy();
  return text;
}

const head = 'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n';

test('who sends a request drop by drop is cut off', async (t) => {
  const bed = await openBed(t, { peerStallMs: 200 });
  const [header, body] = await Promise.all([
    exchange(bed.port, ['POST / HTTP/1.1\r\nHost']),
    exchange(bed.port, [`${head}Content-Length: 100\r\n\r\n{`]),
  ]);
  assert.match(header, /^HTTP\/1\.1 408 /);
  assert.match(body, /^HTTP\/1\.1 408 /);
});

test('headers and bodies that are too large are refused', async (t) => {
  const bed = await openBed(t);
  const header = await exchange(bed.port, [`${head}X-Long: ${'x'.repeat(70_000)}\r\n\r\n`]);
  assert.match(header, /^HTTP\/1\.1 431 /);
  const block = 'x'.repeat(1024 * 1024);
  const chunk = `${block.length.toString(16)}\r\n${block}\r\n`;
  const chunked = await exchange(bed.port, [
    `${head}Transfer-Encoding: chunked\r\n\r\n`,
    ...Array.from({ length: 9 }, () => chunk),
  ]);
  // It may have been cut off before it read the answer.
  assert.match(chunked, /^(HTTP\/1\.1 413 |$)/);
  const { status } = await bed.json('ListQueues', {});
  assert.equal(status, 200);
});

/** Sends the beginning of a body; `end` sends the rest and resolves with the answer. */
function beginBody(port: number, body: string, bytes: number): { end: () => Promise<string> } {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`${head}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body.slice(0, bytes));
  return {
    end: () =>
      new Promise((resolve) => {
        let text = '';
        socket.on('data', (chunk) => {
          text += chunk.toString();
        });
        socket.on('close', () => resolve(text));
        socket.write(body.slice(bytes));
      }),
  };
}

test('bodies of all requests take so much memory and no more; the others are read when there is room', async (t) => {
  const budget = new MemoryBudget(256 * 1024);
  const bed = await openBed(t, { budget });
  const body = `{"Padding":"${'x'.repeat(3 * 1024 * 1024)}"}`;
  const half = body.length / 2;
  const requests = [1, 2, 3, 4].map(() => beginBody(bed.port, body, half));
  // One of them may be read to its end; of each of the others no more than a piece was taken before they had to wait.
  await until(() => budget.usedBytes > half);
  const small = bed.json('ListQueues', {});
  await until(() => budget.usedBytes > half && budget.isExhausted);
  assert.ok(budget.usedBytes < half + 1024 * 1024, `${budget.usedBytes} bytes`);
  const answers = await Promise.all(requests.map((request) => request.end()));
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.equal((await small).status, 200);
  await until(() => budget.usedBytes === 0);
});

test('a caller that goes in the midst of its body gives its memory back', async (t) => {
  const budget = new MemoryBudget(256 * 1024);
  const bed = await openBed(t, { budget });
  const socket = connect(bed.port, '127.0.0.1');
  socket.write(`${head}Content-Length: 100000\r\n\r\n${'x'.repeat(1000)}`);
  await until(() => budget.usedBytes >= 1000);
  socket.destroy();
  await until(() => budget.usedBytes === 0);
});

function attributes(count: number): object {
  const attribute = { DataType: 'String', StringValue: 'x' };
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, attribute]));
}

function tags(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, 'v']));
}

function entries(count: number, size = 1): object[] {
  return Array.from({ length: count }, (_, at) => ({
    Id: `${at}`,
    MessageBody: 'x'.repeat(size),
  }));
}

test('what is beyond the limits of the API is refused in its words', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = `${bed.url}/000000000000/work`;
  await bed.json('CreateQueue', { QueueName: 'work' });
  const table: Array<[action: string, input: object | string, type: string, status?: number]> = [
    ['CreateQueue', { QueueName: 'a b' }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'x'.repeat(81) }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'a.fifo' }, 'InvalidParameterValueException'],
    ['CreateQueue', { QueueName: 'q', Attributes: { Bad: '1' } }, 'InvalidAttributeName'],
    ['CreateQueue', { QueueName: 'q', Attributes: { FifoQueue: 'false' } }, 'InvalidAttributeName'],
    ['CreateQueue', { QueueName: 'q', tags: tags(51) }, 'InvalidParameterValueException'],
    [
      'SetQueueAttributes',
      { QueueUrl, Attributes: { VisibilityTimeout: '43201' } },
      'InvalidAttributeValue',
    ],
    [
      'SetQueueAttributes',
      { QueueUrl, Attributes: { Policy: JSON.stringify({ Id: 'x'.repeat(8192) }) } },
      'InvalidAttributeValue',
    ],
    [
      'SetQueueAttributes',
      { QueueUrl, Attributes: { KmsMasterKeyId: 'x'.repeat(2049) } },
      'InvalidAttributeValue',
    ],
    ['SendMessage', { QueueUrl, MessageBody: '' }, 'MissingRequiredParameterException'],
    ['SendMessage', { QueueUrl, MessageBody: '\u0000' }, 'InvalidMessageContents'],
    ['SendMessage', { QueueUrl, MessageBody: '\ud800' }, 'InvalidMessageContents'],
    [
      'SendMessage',
      { QueueUrl, MessageBody: 'x'.repeat(1_048_577) },
      'InvalidParameterValueException',
    ],
    [
      'SendMessage',
      { QueueUrl, MessageBody: 'x', DelaySeconds: 901 },
      'InvalidParameterValueException',
    ],
    [
      'SendMessage',
      { QueueUrl, MessageBody: 'x', MessageAttributes: attributes(11) },
      'InvalidParameterValueException',
    ],
    ['SendMessageBatch', { QueueUrl, Entries: [] }, 'EmptyBatchRequest'],
    ['SendMessageBatch', { QueueUrl, Entries: entries(11) }, 'TooManyEntriesInBatchRequest'],
    ['SendMessageBatch', { QueueUrl, Entries: entries(2, 600_000) }, 'BatchRequestTooLong'],
    [
      'SendMessageBatch',
      { QueueUrl, Entries: [...entries(1), ...entries(1)] },
      'BatchEntryIdsNotDistinct',
    ],
    ['ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 11 }, 'InvalidParameterValueException'],
    ['ReceiveMessage', { QueueUrl, WaitTimeSeconds: 21 }, 'InvalidParameterValueException'],
    ['ReceiveMessage', { QueueUrl, VisibilityTimeout: -1 }, 'InvalidParameterValueException'],
    ['DeleteMessage', { QueueUrl, ReceiptHandle: 'x' }, 'ReceiptHandleIsInvalid', 404],
    ['TagQueue', { QueueUrl, Tags: { 'aws:x': '1' } }, 'InvalidParameterValueException'],
    ['ListQueues', { MaxResults: 1001 }, 'InvalidParameterValueException'],
    ['GetQueueUrl', { QueueName: 'nothing' }, 'QueueDoesNotExist'],
    ['ListQueues', '{', 'SerializationException'],
    ['NoAction', {}, 'UnknownOperationException'],
  ];
  for (const [action, input, type, expected] of table) {
    const { status, json } = await bed.json(action, input);
    assert.equal(String(json['__type']).split('#')[1], type, JSON.stringify(input).slice(0, 200));
    assert.ok(status === (expected ?? 400) || status === 404, `${action}: ${status}`);
  }
  assert.deepEqual(bed.complaints, []);
});

test('a policy takes no more statements than AWS lets it', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = `${bed.url}/000000000000/work`;
  await bed.json('CreateQueue', { QueueName: 'work' });
  const add = (at: number) =>
    bed.json('AddPermission', {
      QueueUrl,
      Label: `l${at}`,
      AWSAccountIds: ['123456789012'],
      Actions: ['SendMessage'],
    });
  for (let at = 0; at < 20; at++) assert.equal((await add(at)).status, 200);
  const { status, json } = await add(20);
  assert.equal(status, 403);
  assert.match(String(json['__type']), /#OverLimit$/);
});

/** How many messages an answer has that has some; where a wait ends without, it waits again. */
async function receive(bed: SqsBed, input: object): Promise<number> {
  const { json } = await bed.json('ReceiveMessage', input);
  const messages = json['Messages'];
  return Array.isArray(messages) ? messages.length : receive(bed, input);
}

test('many polls wait at once, and each message wakes one', async (t) => {
  const bed = await openBed(t, { connectionsMax: 1000 });
  const QueueUrl = `${bed.url}/000000000000/work`;
  await bed.json('CreateQueue', { QueueName: 'work' });
  const polls = Array.from({ length: 200 }, () => receive(bed, { QueueUrl, WaitTimeSeconds: 20 }));
  for (let at = 0; at < 20; at++)
    await bed.json('SendMessageBatch', {
      QueueUrl,
      Entries: Array.from({ length: 10 }, (_, id) => ({ Id: `${id}`, MessageBody: 'x' })),
    });
  const counts = await Promise.all(polls);
  assert.equal(counts.filter((count) => count === 1).length, 200);
});

test('long texts in requests are judged at once', async (t) => {
  const bed = await openBed(t);
  const QueueUrl = await bed
    .json('CreateQueue', { QueueName: 'q' })
    .then(() => `${bed.url}/000000000000/q`);
  const n = { DataType: 'Number', StringValue: `${'1'.repeat(500_000)}x` };
  const sent = await bed.json('SendMessage', {
    QueueUrl,
    MessageBody: 'x',
    MessageAttributes: { n },
  });
  assert.equal(sent.status, 400);
  const answers = await exchange(bed.port, [
    `${head}Authorization: ${'Credential='.repeat(5000)}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`,
  ]);
  assert.match(answers, /^HTTP\/1\.1 200 /);
});
