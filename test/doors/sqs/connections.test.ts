import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../support/until.ts';
import { openBed, type SqsBed } from './sqs-bed.ts';

/** A connection whose answers are taken one by one. */
class Caller {
  readonly socket: Socket;
  #text = '';
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(t: TestContext, port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('end', () => {
      this.#isClosed = true;
      this.#wake();
    });
    this.socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
    t.after(() => this.socket.destroy());
  }

  write(...pieces: readonly string[]): this {
    for (const piece of pieces) this.socket.write(piece, 'latin1');
    return this;
  }

  /** The next answer: its head, and as much behind it as the head says. */
  async answer(): Promise<{ head: string; body: string }> {
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      const bytes = Number(/content-length: (\d+)/i.exec(this.#text.slice(0, end))?.[1] ?? 0);
      if (end >= 0 && this.#text.length >= end + 4 + bytes) {
        const head = this.#text.slice(0, end);
        const body = this.#text.slice(end + 4, end + 4 + bytes);
        this.#text = this.#text.slice(end + 4 + bytes);
        return { head, body };
      }
      assert.ok(!this.#isClosed, `closed after ${this.#text}`);
      await this.#more();
    }
  }

  /** What came before the end that was not taken. */
  async rest(): Promise<string> {
    while (!this.#isClosed) await this.#more();
    return this.#text;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function json(action: string, input: unknown, headers = ''): string {
  const body = Buffer.from(typeof input === 'string' ? input : JSON.stringify(input)).toString(
    'latin1',
  );
  return `POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.${action}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

async function openQueue(t: TestContext, options = {}): Promise<{ bed: SqsBed; QueueUrl: string }> {
  const bed = await openBed(t, options);
  await bed.json('CreateQueue', { QueueName: 'work' });
  return { bed, QueueUrl: `${bed.url}/000000000000/work` };
}

test('a connection goes on after plain requests and others, in any order', async (t) => {
  const { bed, QueueUrl } = await openQueue(t);
  const caller = new Caller(t, bed.port);
  const chunked = json('ListQueues', {}).replace(
    'Content-Length: 2\r\n\r\n{}',
    'Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  );
  const table: Array<[text: string, status: string, body: RegExp]> = [
    [json('SendMessage', { QueueUrl, MessageBody: 'a' }), '200 OK', /"MessageId"/],
    [json('SendMessage', { QueueUrl }), '400 Bad Request', /MissingRequiredParameter/],
    [json('ReceiveMessage', { QueueUrl }), '200 OK', /"Body":"a"/],
    // From here on it is in the hands of the general server.
    [chunked, '200 OK', /"QueueUrls"/],
    [json('SendMessage', { QueueUrl, MessageBody: 'b' }), '200 OK', /"MessageId"/],
    ['GET /?Action=ListQueues HTTP/1.1\r\nHost: x\r\n\r\n', '200 OK', /<QueueUrl>/],
    [json('ReceiveMessage', { QueueUrl }), '200 OK', /"Body":"b"/],
  ];
  for (const [text, status, body] of table) {
    const answer = await caller.write(text).answer();
    assert.ok(answer.head.startsWith(`HTTP/1.1 ${status}\r\n`), answer.head);
    assert.match(answer.head, /\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    assert.match(answer.head, /\r\nConnection: keep-alive\r\nKeep-Alive: timeout=65/);
    assert.match(answer.head, /\r\nx-amzn-RequestId: [0-9a-f-]{36}\r\n/);
    assert.match(answer.body, body);
  }
});

test('who begins with something else is served as well', async (t) => {
  const { bed } = await openQueue(t);
  for (const first of [
    'OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n\r\n',
    'GET /?Action=ListQueues HTTP/1.1\r\nHost: x\r\n\r\n',
  ]) {
    const caller = new Caller(t, bed.port);
    for (const text of [first, json('ListQueues', {})]) {
      // In two pieces, the first of which may come alone.
      const { head } = await caller.write(text.slice(0, 3), text.slice(3)).answer();
      assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
    }
  }
  const ending = new Caller(t, bed.port);
  const { head } = await ending.write(json('ListQueues', {}, 'Connection: close\r\n')).answer();
  assert.match(head, /\r\nConnection: close/i);
  assert.equal(await ending.rest(), '');
  const bad = new Caller(t, bed.port);
  assert.match(await bad.write('nonsense\r\n\r\n').rest(), /^HTTP\/1\.1 400 Bad Request\r\n/);
});

test('requests that are sent at once are answered one after the other', async (t) => {
  const { bed, QueueUrl } = await openQueue(t);
  const caller = new Caller(t, bed.port);
  const count = 50;
  const bodies = Array.from({ length: count }, (_, at) => `${at}-${'x'.repeat(at * 40)}`);
  caller.write(
    bodies.map((MessageBody) => json('SendMessage', { QueueUrl, MessageBody })).join(''),
  );
  const digests: string[] = [];
  for (let at = 0; at < count; at++) {
    const { body } = await caller.answer();
    digests.push(String(JSON.parse(body).MD5OfMessageBody));
  }
  assert.equal(new Set(digests).size, count);
  // The same in pieces that end anywhere, between them one that only the general server takes.
  const text = [
    ...bodies.map(() => json('ReceiveMessage', { QueueUrl })),
    'GET /?Action=ListQueues HTTP/1.1\r\nHost: x\r\n\r\n',
    json('ReceiveMessage', { QueueUrl }),
  ].join('');
  for (let at = 0; at < text.length; at += 1777) {
    caller.write(text.slice(at, at + 1777));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const received: string[] = [];
  const seen: string[] = [];
  for (let at = 0; at < count; at++) {
    const [message] = JSON.parse((await caller.answer()).body).Messages;
    received.push(String(message.Body));
    seen.push(String(message.MD5OfBody));
  }
  assert.deepEqual(received, bodies);
  assert.deepEqual(seen, digests);
  assert.match((await caller.answer()).body, /<QueueUrl>/);
  assert.equal((await caller.answer()).body, '{}');
});

test('a body may come in many pieces', async (t) => {
  const { bed, QueueUrl } = await openQueue(t);
  const caller = new Caller(t, bed.port);
  const MessageBody = 'y'.repeat(300_000);
  const text = json('SendMessage', { QueueUrl, MessageBody });
  for (let at = 0; at < text.length; at += 10_007) {
    caller.write(text.slice(at, at + 10_007));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.match((await caller.answer()).head, /^HTTP\/1\.1 200 OK/);
  const { body } = await caller.write(json('ReceiveMessage', { QueueUrl })).answer();
  assert.equal(JSON.parse(body).Messages[0].Body, MessageBody);
});

test('texts of every kind come back as they were sent, with their digests', async (t) => {
  const { bed, QueueUrl } = await openQueue(t);
  for (const MessageBody of ['plain', 'quote " and \\', 'lines\r\n\t', 'äöü €', '😀', '</a>&']) {
    const MD5 = createHash('md5').update(MessageBody, 'utf8').digest('hex');
    const sent = await bed.json('SendMessage', { QueueUrl, MessageBody });
    assert.equal(sent.json['MD5OfMessageBody'], MD5, MessageBody);
    const { json: received } = await bed.json('ReceiveMessage', { QueueUrl });
    const [message] = received['Messages'] as Array<Record<string, unknown>>;
    assert.equal(message?.['Body'], MessageBody);
    assert.equal(message?.['MD5OfBody'], MD5);
    assert.equal(message?.['MessageId'], sent.json['MessageId']);
  }
});

test('a message that died keeps its id and digest in its second queue', async (t) => {
  const { bed, QueueUrl } = await openQueue(t);
  await bed.json('CreateQueue', { QueueName: 'dead' });
  const deadLetterTargetArn = 'arn:aws:sqs:us-east-1:000000000000:dead';
  await bed.json('SetQueueAttributes', {
    QueueUrl,
    Attributes: { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 }) },
  });
  const { json: sent } = await bed.json('SendMessage', { QueueUrl, MessageBody: 'one' });
  // Its offset in the second queue is that of the first message there, too.
  await bed.json('ReceiveMessage', { QueueUrl, VisibilityTimeout: 0 });
  await bed.json('ReceiveMessage', { QueueUrl, VisibilityTimeout: 0 });
  const { json: received } = await bed.json('ReceiveMessage', {
    QueueUrl: `${bed.url}/000000000000/dead`,
    WaitTimeSeconds: 20,
  });
  const [message] = received['Messages'] as Array<Record<string, unknown>>;
  assert.equal(message?.['MessageId'], sent['MessageId']);
  assert.equal(message?.['MD5OfBody'], sent['MD5OfMessageBody']);
  assert.equal(message?.['Body'], 'one');
});

for (const [what, method, close] of [
  ['plain requests', 'POST', ''],
  ['requests that say that they are the last', 'POST', 'Connection: close\r\n'],
  ['requests of the server', 'GET', ''],
] as const) {
  test(`who closes its own half only is answered (${what})`, async (t) => {
    // An answer from the disk comes after the end of the request has been seen.
    const data = await mkdtemp(path.join(tmpdir(), 'pabal-sqs-'));
    const { bed, QueueUrl } = await openQueue(t, { data });
    t.after(() => rm(data, { recursive: true, force: true }));
    const send = `Action=SendMessage&Version=2012-11-05&QueueUrl=${encodeURIComponent(QueueUrl)}&MessageBody=half`;
    const request =
      method === 'GET'
        ? `GET /?${send} HTTP/1.1\r\nHost: x\r\n\r\n`
        : `POST / HTTP/1.1\r\nHost: x\r\n${close}Content-Length: ${send.length}\r\n\r\n${send}`;
    const times = close === '' ? 5 : 1;
    const caller = new Caller(t, bed.port).write(request.repeat(times));
    caller.socket.end();
    for (let at = 0; at < times; at++) {
      assert.match((await caller.answer()).body, /<MessageId>/);
    }
    assert.equal(await caller.rest(), '');
  });
}

test('who closes its own half does not wait for messages, and gets those that are there', async (t) => {
  const { bed, QueueUrl } = await openQueue(t);
  const ask = { QueueUrl, WaitTimeSeconds: 20 };
  for (const lane of ['', 'Connection: close\r\n']) {
    const patient = new Caller(t, bed.port).write(json('ReceiveMessage', ask, lane));
    patient.socket.end();
    assert.equal((await patient.answer()).body, '{}');
    assert.equal(await patient.rest(), '');
    await bed.json('SendMessage', { QueueUrl, MessageBody: 'there' });
    const caller = new Caller(t, bed.port).write(json('ReceiveMessage', ask, lane));
    caller.socket.end();
    assert.match((await caller.answer()).body, /"Body":"there"/);
  }
});

for (const [what, lines, status] of [
  ['a second host', 'Host: y\r\nContent-Length: 2', 400],
  ['a length beside chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked', 400],
  ['a folded line', 'X-Other: one\r\n two\r\nContent-Length: 2', 400],
  ['a coding that nobody here takes off', 'Transfer-Encoding: gzip, chunked', 501],
] as const) {
  test(`${what} in a request ends its connection`, async (t) => {
    const bed = await openBed(t);
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n';
    const body = status === 501 ? '2\r\n{}\r\n0\r\n\r\n' : '{}';
    const caller = new Caller(t, bed.port).write(`${head}${lines}\r\n\r\n${body}`);
    assert.match((await caller.answer()).head, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.equal(await caller.rest(), '');
  });
}

test('a target may be a whole URL, as a proxy sends it', async (t) => {
  const { bed } = await openQueue(t);
  const form = 'Action=SendMessage&MessageBody=by+proxy';
  const caller = new Caller(t, bed.port).write(
    `POST http://x/000000000000/work HTTP/1.1\r\nHost: x\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
    'GET HTTP://x?Action=ListQueues HTTP/1.1\r\nHost: x\r\n\r\n',
  );
  assert.match((await caller.answer()).body, /<MessageId>/);
  assert.match((await caller.answer()).body, /<QueueUrl>http:\/\/x\/000000000000\/work</);
});

test('nothing is given to a caller that left while it waited', async (t) => {
  const { bed, QueueUrl } = await openQueue(t);
  for (const leave of ['end', 'destroy'] as const) {
    const { connectionsOpen } = bed.metrics;
    const caller = new Caller(t, bed.port);
    // A request whose answer tells that the one behind it has been read, too.
    caller.write(
      json('ListQueues', {}) + json('ReceiveMessage', { QueueUrl, WaitTimeSeconds: 20 }),
    );
    await caller.answer();
    caller.socket[leave]();
    await until(() => bed.metrics.connectionsOpen <= connectionsOpen);
    await bed.json('SendMessage', { QueueUrl, MessageBody: leave });
    const { json: received } = await bed.json('ReceiveMessage', { QueueUrl });
    const [message] = received['Messages'] as Array<Record<string, unknown>>;
    assert.equal(message?.['Body'], leave);
  }
});

test('a door that closes answers those who wait and ends idle connections', async (t) => {
  const { bed, QueueUrl } = await openQueue(t);
  const idle = new Caller(t, bed.port);
  await idle.write(json('ListQueues', {})).answer();
  const fresh = new Caller(t, bed.port);
  const waiting = new Caller(t, bed.port);
  waiting.write(json('ListQueues', {}) + json('ReceiveMessage', { QueueUrl, WaitTimeSeconds: 20 }));
  await waiting.answer();
  await bed.close();
  const { head, body } = await waiting.answer();
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(head, /\r\nconnection: close/i);
  assert.equal(body, '{}');
  for (const caller of [idle, fresh, waiting]) assert.equal(await caller.rest(), '');
});

test('a peer that takes no answers gets no more of them, and is cut off', async (t) => {
  const { bed, QueueUrl } = await openQueue(t, { peerStallMs: 500 });
  // Where the machine stands still for so long, the test itself is a peer that stalls: it asks again.
  const insist = async (action: string, input: object): Promise<void> => {
    const answer = await bed.json(action, input).catch(() => undefined);
    if (answer?.status !== 200) await insist(action, input);
  };
  await insist('SendMessage', { QueueUrl, MessageBody: 'z'.repeat(1_000_000) });
  const caller = new Caller(t, bed.port);
  caller.socket.pause();
  const text = json('ReceiveMessage', { QueueUrl, VisibilityTimeout: 0 });
  caller.write(text.repeat(40));
  const closed = new Promise((resolve) => caller.socket.once('close', resolve));
  caller.socket.on('error', () => undefined);
  // It hears of the end when it writes.
  const beat = setInterval(() => caller.socket.write(text), 50);
  t.after(() => clearInterval(beat));
  await closed;
  assert.ok(bed.metrics.bytesSent < 40_000_000);
  await insist('ListQueues', {});
});

for (const framing of ['Content-Length: 9000', 'Transfer-Encoding: chunked']) {
  test(`a body that comes byte by byte is put together (${framing})`, async (t) => {
    const bed = await openBed(t);
    const caller = new Caller(t, bed.port);
    const head = `POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\n${framing}\r\n\r\n`;
    const body = '{"QueueName":"bytes"}'.padEnd(9000);
    const isChunked = framing.includes('chunked');
    const pieces = Array.from(body).map((one) => (isChunked ? `1\r\n${one}\r\n` : one));
    caller.socket.setNoDelay(true);
    caller.write(head, ...pieces, isChunked ? '0\r\n\r\n' : '');
    assert.match((await caller.answer()).body, /"QueueUrl":"[^"]*\/bytes"/);
  });
}

test('a body of a great many tiny chunks is refused before it is whole', async (t) => {
  const bed = await openBed(t);
  const caller = new Caller(t, bed.port);
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
  // No more than it reads: what is left unread would end the connection before the answer is taken.
  caller.write(head, '1\r\n \r\n'.repeat(20_001));
  assert.match((await caller.answer()).head, /^HTTP\/1\.1 400 /);
});
