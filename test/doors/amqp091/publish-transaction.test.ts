import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { OutgoingMessage, Topic, TransactionPort } from '../../../src/broker/index.ts';
import type { EncodedProperties } from '../../../src/doors/amqp091/message/index.ts';
import { ChannelTransaction } from '../../../src/doors/amqp091/publish-transaction.ts';

const publishedMs = 1_700_000_000_000;
const committedMs = 1_700_000_005_000;

function properties(): EncodedProperties {
  return {
    headers: Buffer.from(`<${publishedMs + 100}|${publishedMs + 2000}>`),
    headerCount: 2,
    key: null,
    priority: undefined,
    groupId: undefined,
    dedupId: undefined,
    deliverAtMs: publishedMs + 2000,
    ttlMs: 100,
    expiresAtAt: 1,
    expiresAtMs: publishedMs + 100,
    expiration: '100',
    userId: undefined,
    replyTo: undefined,
    messageId: undefined,
    correlationId: undefined,
    timestamp: undefined,
    copies: [],
    delayMs: 2000,
    deliverAtAt: 15,
  };
}

function message({ headers, headerCount, expiresAtMs, deliverAtMs }: EncodedProperties) {
  return {
    key: null,
    body: [Buffer.from('body')],
    bodyBytes: 4,
    headers,
    headerCount,
    timestampMs: publishedMs,
    priority: undefined,
    expiresAtMs,
    deliverAtMs,
    groupId: undefined,
    dedupId: undefined,
  } satisfies OutgoingMessage;
}

class KeepingPort implements TransactionPort {
  readonly kept: OutgoingMessage[] = [];

  publish(_target: Topic, given: OutgoingMessage): OutgoingMessage {
    // As a part of larger memory, like what a pool gives.
    const headers = Buffer.concat([Buffer.from('###'), given.headers]).subarray(3);
    const copy = { ...given, headers };
    this.kept.push(copy);
    return copy;
  }

  accept(): void {}
  release(): void {}
  reject(): void {}

  commit(): Promise<void> {
    return Promise.resolve();
  }

  rollback(): void {
    this.kept.length = 0;
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nobody looks at it
const target = {} as Topic;

it('the times of a message count from the commit of its transaction', async () => {
  const port = new KeepingPort();
  const transaction = new ChannelTransaction(port);
  const given = properties();
  transaction.publish([target, target], message(given), given);
  await transaction.commit(
    committedMs,
    () => undefined,
    () => undefined,
  );
  for (const { headers, timestampMs, expiresAtMs, deliverAtMs } of port.kept) {
    assert.equal(timestampMs, committedMs);
    assert.equal(expiresAtMs, committedMs + 100);
    assert.equal(deliverAtMs, committedMs + 2000);
    assert.equal(Buffer.from(headers).toString(), `<${committedMs + 100}|${committedMs + 2000}>`);
  }
  assert.equal(port.kept.length, 2);
  // What the channel goes on with is as it was.
  assert.equal(given.headers.toString(), `<${publishedMs + 100}|${publishedMs + 2000}>`);
});

it('a message without times of its own has that of the commit', async () => {
  const port = new KeepingPort();
  const transaction = new ChannelTransaction(port);
  const given = { ...properties(), ttlMs: undefined, expiresAtMs: undefined, delayMs: undefined };
  transaction.publish([target], { ...message(given), deliverAtMs: undefined }, given);
  await transaction.commit(
    committedMs,
    () => undefined,
    () => undefined,
  );
  assert.equal(port.kept[0]?.timestampMs, committedMs);
  assert.equal(port.kept[0]?.expiresAtMs, undefined);
});

it('what no queue takes is sent with the commit, and not after a rollback', async () => {
  const transaction = new ChannelTransaction(new KeepingPort());
  const sent: string[] = [];
  transaction.publishNowhere({ bytes: 1, send: () => sent.push('forgotten') });
  transaction.rollback();
  transaction.publishNowhere({ bytes: 1, send: () => sent.push('first') });
  transaction.publishNowhere({ bytes: 1, send: () => sent.push('second') });
  assert.equal(transaction.messageCount, 2);
  assert.deepEqual(sent, []);
  await transaction.commit(
    committedMs,
    () => undefined,
    () => undefined,
  );
  assert.deepEqual(sent, ['first', 'second']);
  await transaction.commit(
    committedMs,
    () => undefined,
    () => undefined,
  );
  assert.deepEqual(sent, ['first', 'second']);
});

it('what no queue takes counts as what the transaction gathers', () => {
  const transaction = new ChannelTransaction(new KeepingPort());
  const unrouted = { bytes: 1024 ** 3, send: assert.fail };
  assert.throws(() => transaction.publishNowhere(unrouted), /a transaction may gather at most/);
});
