import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SeededRandom } from '../../src/testing/index.ts';
import { patienceMs } from '../support/patience.ts';
import { BrokerProcess } from './broker-process.ts';

const groupCount = 5;
const senderCount = 3;
const receiverCount = 3;
const visibilityS = 1;
/** Within the five minutes in which an id counts, and far enough from their end. */
const repeatedMs = 240_000;
/** A deletion that was answered so soon after its receive was asked for came before anybody else could have the message. */
const timelyMs = 900;

/** What is known of a message. */
interface Sent {
  group: string | undefined;
  number: number;
  /** When it was sent first. */
  sentMs: number;
  /** As answered; undefined while no answer has come. */
  id: string | undefined;
  isReceived: boolean;
  /** Its deletion was answered. */
  isDeleted: boolean;
  /** Its deletion was asked for: it may be gone. */
  mayBeDeleted: boolean;
}

interface Received {
  MessageId: string;
  ReceiptHandle: string;
  Body: string;
}

/** A server whose queues are used over HTTP, killed again and again, against what was promised with status 200. */
export class SqsCrashRun {
  readonly #random: SeededRandom;
  readonly #sent = new Map<string, Sent>();
  /** Numbers that were given out of each group; the next message has to be answered before the one behind it is sent. */
  readonly #numbers = new Map<string, number>();
  #directory = '';
  #server: BrokerProcess | undefined;
  #nextNumber = 0;
  confirmedCount = 0;
  deletedCount = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  async open(): Promise<void> {
    this.#directory = await mkdtemp(path.join(tmpdir(), 'pabal-sqs-kill-'));
    await this.#start();
    await this.#call('CreateQueue', { QueueName: 'work', Attributes: {} });
    const Attributes = { FifoQueue: 'true' };
    await this.#call('CreateQueue', { QueueName: 'work.fifo', Attributes });
  }

  async close(): Promise<void> {
    await this.#server?.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** One life: it is used until enough was answered, killed in the midst of it, and started again. */
  async live(messages: number): Promise<void> {
    const enough = this.confirmedCount + messages;
    const life = { isOver: false };
    const workers = [
      ...Array.from({ length: senderCount }, (_, at) => use(life, () => this.#send(at))),
      ...Array.from({ length: receiverCount }, () => use(life, () => this.#receive())),
    ];
    const deadline = performance.now() + patienceMs;
    while (this.confirmedCount < enough && performance.now() < deadline) await pause(10);
    await pause(this.#random.nextInt(30));
    await this.#server?.kill();
    life.isOver = true;
    await Promise.all(workers);
    assert.ok(this.confirmedCount >= enough, 'too little was answered');
    await this.#start();
  }

  /** Everything that was answered and not deleted comes, and nothing else. */
  async drain(): Promise<void> {
    const deadline = performance.now() + patienceMs;
    const isThere = (): boolean =>
      [...this.#sent.values()].every(
        ({ id, isReceived, mayBeDeleted }) => id === undefined || isReceived || mayBeDeleted,
      );
    // Lost: sent and answered, never received, though nobody asked for its end.
    while (!isThere()) {
      assert.ok(performance.now() < deadline, 'a message that was answered never came');
      await this.#receive();
    }
    for (const QueueUrl of [this.#urlOf('work'), this.#urlOf('work.fifo')]) {
      for (let isEmpty = false; !isEmpty; ) {
        assert.ok(performance.now() < deadline, 'it goes on for ever');
        await this.#receiveFrom(QueueUrl, () => true);
        const { Attributes } = await this.#call('GetQueueAttributes', {
          QueueUrl,
          AttributeNames: ['All'],
        });
        const counts = Object(Attributes);
        isEmpty =
          Reflect.get(counts, 'ApproximateNumberOfMessages') === '0' &&
          Reflect.get(counts, 'ApproximateNumberOfMessagesNotVisible') === '0';
      }
    }
  }

  /** Sends again with the same ids, within their five minutes: nothing is stored, and the answers are those from before. */
  async checkDuplicates(): Promise<number> {
    let count = 0;
    for (const [body, { group, id, sentMs }] of this.#sent) {
      if (group === undefined || id === undefined) continue;
      if (performance.now() > sentMs + repeatedMs) continue;
      const again = await this.#sendOne('work.fifo', body, group);
      if (performance.now() > sentMs + repeatedMs) continue;
      assert.equal(again, id);
      count++;
    }
    await this.#receiveFrom(this.#urlOf('work.fifo'), () => true);
    return count;
  }

  async #start(): Promise<void> {
    const dataPath = path.join(this.#directory, 'data');
    this.#server = await BrokerProcess.start({ dataPath, doors: ['sqs'] });
  }

  #urlOf(name: string): string {
    return `http://127.0.0.1:${this.#server?.sqsPort}/000000000000/${name}`;
  }

  async #call(action: string, input: object): Promise<Record<string, unknown>> {
    const response = await fetch(`http://127.0.0.1:${this.#server?.sqsPort}/`, {
      method: 'POST',
      headers: {
        'x-amz-target': `AmazonSQS.${action}`,
        'content-type': 'application/x-amz-json-1.0',
      },
      body: JSON.stringify(input),
    });
    const text = await response.text();
    if (response.status === 503) throw new Error(text);
    assert.equal(response.status, 200, text);
    const answer: unknown = JSON.parse(text);
    return Object(answer);
  }

  /** Each sender has groups of its own, and repeats what was not answered. */
  async #send(sender: number): Promise<void> {
    const isFifo = this.#random.nextInt(2) === 0;
    const group = isFifo ? `${sender}-${this.#random.nextInt(groupCount)}` : undefined;
    const number = isFifo ? (this.#numbers.get(group ?? '') ?? 0) : this.#nextNumber++;
    const body = `${group ?? 's'}/${number}`;
    if (!this.#sent.has(body)) {
      this.#sent.set(body, {
        group,
        number,
        sentMs: performance.now(),
        id: undefined,
        isReceived: false,
        isDeleted: false,
        mayBeDeleted: false,
      });
    }
    const id = await this.#sendOne(isFifo ? 'work.fifo' : 'work', body, group);
    const sent = this.#sent.get(body);
    assert.ok(sent !== undefined && (sent.id === undefined || sent.id === id));
    sent.id = id;
    if (group !== undefined) this.#numbers.set(group, number + 1);
    this.confirmedCount++;
  }

  async #sendOne(queue: string, body: string, group: string | undefined): Promise<string> {
    const { MessageId } = await this.#call('SendMessage', {
      QueueUrl: this.#urlOf(queue),
      MessageBody: body,
      ...(group === undefined ? {} : { MessageGroupId: group, MessageDeduplicationId: body }),
    });
    return String(MessageId);
  }

  async #receive(): Promise<void> {
    const name = this.#random.nextInt(2) === 0 ? 'work' : 'work.fifo';
    await this.#receiveFrom(this.#urlOf(name), () => this.#random.nextInt(3) > 0);
  }

  async #receiveFrom(QueueUrl: string, isDeleted: () => boolean): Promise<void> {
    const askedMs = performance.now();
    const { Messages = [] } = await this.#call('ReceiveMessage', {
      QueueUrl,
      MaxNumberOfMessages: 10,
      VisibilityTimeout: visibilityS,
      WaitTimeSeconds: 0,
    });
    assert.ok(Array.isArray(Messages));
    if (Messages.length === 0) await pause(10);
    const given: Received[] = Messages;
    for (const message of given) this.#check(message);
    const chosen = given.filter(() => isDeleted());
    for (const { Body } of chosen) this.#get(Body).mayBeDeleted = true;
    if (chosen.length === 0) return;
    const answer = await this.#call('DeleteMessageBatch', {
      QueueUrl,
      Entries: chosen.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle })),
    });
    assert.ok(Array.isArray(answer['Successful']));
    if (performance.now() > askedMs + timelyMs) return;
    for (const entry of answer['Successful']) {
      const message = chosen[Number(Reflect.get(entry, 'Id'))];
      this.#get(message?.Body ?? '').isDeleted = true;
      this.deletedCount++;
    }
  }

  #check({ Body, MessageId }: Received): void {
    const sent = this.#get(Body);
    assert.ok(!sent.isDeleted, `${Body} came after its deletion was answered`);
    assert.ok(sent.id === undefined || sent.id === MessageId, `${Body} is there twice`);
    sent.id ??= MessageId;
    if (sent.group !== undefined && sent.number > 0 && !sent.isReceived) {
      const before = this.#get(`${sent.group}/${sent.number - 1}`);
      assert.ok(before.isReceived || before.mayBeDeleted, `${Body} came before the one before it`);
    }
    sent.isReceived = true;
  }

  #get(body: string): Sent {
    const sent = this.#sent.get(body);
    assert.ok(sent !== undefined, `${body} was never sent`);
    return sent;
  }
}

/** Does it again and again; when the connection breaks, or is refused, the process is gone. */
async function use(life: { readonly isOver: boolean }, turn: () => Promise<void>): Promise<void> {
  while (!life.isOver) {
    try {
      await turn();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      if (!life.isOver) await pause(5);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
