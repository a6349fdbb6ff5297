import assert from 'node:assert/strict';
import test from 'node:test';
import type { ReceivedMessage } from '../../src/broker/index.ts';
import { BrokerBed } from './broker-bed.ts';

test('a worker gets each message once, in order, and what it throws at comes again', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(
    bed.broker.createQueue('q', { settings: { failuresMax: 2, retryDelayMs: 100 } }),
  );
  const seen: string[] = [];
  const errors: unknown[] = [];
  const worker = queue.consume(
    (message) => {
      seen.push(`${message.text}/${message.deliveries}`);
      if (message.text === 'bad') throw new Error('cannot');
    },
    { onError: (error) => errors.push(error) },
  );
  await bed.run(Promise.all(['one', 'bad', 'two'].map((text) => queue.send(text))));
  await bed.clock.runFor(1000);
  assert.deepEqual(seen, ['one/1', 'bad/1', 'two/1', 'bad/2', 'bad/3']);
  assert.equal(errors.length, 3);
  const { ready, leased, dead } = queue.counts();
  assert.deepEqual([ready, leased, dead], [0, 0, 1]);
  await bed.run(worker.close());
  assert.equal(queue.counts().consumers, 0);
});

test('a worker handles as many messages at a time as it is told, and finishes them when it closes', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q'));
  let running = 0;
  let runningMost = 0;
  let handled = 0;
  const worker = queue.consume(
    async () => {
      running++;
      runningMost = Math.max(runningMost, running);
      await new Promise<void>((resolve) => bed.clock.setTimer(10, resolve));
      running--;
      handled++;
    },
    { concurrency: 3, prefetch: 10 },
  );
  await bed.run(Promise.all(Array.from({ length: 20 }, (_, index) => queue.send(`${index}`))));
  await bed.clock.runFor(15);
  await bed.run(worker.close());
  assert.equal(runningMost, 3);
  assert.ok(handled >= 3 && handled <= 6, `${handled}`);
  assert.equal(running, 0);
  assert.equal(queue.counts().ready, 20 - handled);
});

test('a loop accepts a message when it asks for the next, unless it was settled otherwise', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q'));
  await bed.run(Promise.all(['a', 'b', 'c', 'd'].map((text) => queue.send(text))));
  const seen: string[] = [];
  const loop = async (): Promise<void> => {
    for await (const message of queue.consume()) {
      seen.push(message.text);
      if (message.text === 'b' && message.deliveries === 1) message.release({ delayMs: 0 });
      if (message.deliveries === 2) break;
    }
  };
  await bed.run(loop());
  assert.deepEqual(seen, ['a', 'b', 'c', 'd', 'b']);
  // The last one was not settled when the loop ended.
  assert.deepEqual(await bed.drain(queue), ['b']);
  assert.equal(queue.counts().consumers, 0);
});

test('a reader holds no more than it was told to', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q'));
  const reader = queue.consume({ prefetch: 2 });
  await bed.run(Promise.all(['a', 'b', 'c', 'd'].map((text) => queue.send(text))));
  await bed.clock.runFor(20);
  assert.equal(queue.counts().leased, 2);
  const first = await bed.run(reader.receive());
  await bed.clock.runFor(20);
  assert.equal(queue.counts().leased, 2);
  first?.accept();
  await bed.clock.runFor(20);
  assert.equal(queue.counts().leased, 2);
  assert.equal(queue.counts().accepted, 1);
  await bed.run(reader.close());
  assert.equal(queue.counts().ready, 3);
});

test('a message whose time ran out is not given to the program, and cannot be settled', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q'));
  await bed.run(queue.send('m'));
  const [held] = await bed.run(queue.receive({ leaseMs: 50 }));
  await bed.clock.runFor(100);
  assert.equal(held?.accept(), false);
  const [again] = await bed.run(queue.receive({ leaseMs: 50 }));
  assert.equal(again?.deliveries, 2);
  assert.equal(again?.extend(10_000), true);
  await bed.clock.runFor(100);
  assert.equal(again?.accept(), true);
  assert.equal(again?.accept(), false);
});

test('sending to a queue that is not there makes it, or not', async () => {
  const bed = await BrokerBed.open();
  const queue = bed.broker.queue('new');
  assert.throws(() => queue.counts(), { code: 'queue-not-found' });
  await bed.run(Promise.all([queue.send('a'), queue.send('b'), bed.broker.queue('new').send('c')]));
  assert.deepEqual((await bed.drain(queue)).toSorted(), ['a', 'b', 'c']);
  const strict = await BrokerBed.open({ createTopicsOnUse: false });
  await assert.rejects(strict.run(strict.broker.queue('new').send('a')), {
    code: 'queue-not-found',
  });
});

test('messages carry what was said of them', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q', { form: { priorityMax: 9 } }));
  await bed.run(queue.send('low', { priority: 1 }));
  await bed.run(
    queue.send(new Uint8Array([0, 255]), {
      key: 'k',
      priority: 5,
      headers: { count: 1, flag: true, name: 'x', bytes: new Uint8Array([7]) },
      contentType: 'application/octet-stream',
      correlationId: 'c',
      replyTo: 'r',
      messageId: 'm',
      type: 't',
    }),
  );
  const [seen] = await bed.run(queue.peek());
  assert.equal(seen?.isSettled, true);
  const [first, second] = await bed.run(queue.receive({ max: 2 }));
  assert.equal(second?.text, 'low');
  assert.deepEqual([...(first?.body ?? [])], [0, 255]);
  assert.equal(first?.key?.toString(), 'k');
  assert.deepEqual(
    { ...first?.headers, bytes: undefined },
    {
      count: 1,
      flag: true,
      name: 'x',
      bytes: undefined,
    },
  );
  assert.deepEqual(
    { ...first?.properties },
    {
      'content-type': 'application/octet-stream',
      'correlation-id': 'c',
      'reply-to': 'r',
      'message-id': 'm',
      type: 't',
      priority: '5',
    },
  );
});

test('a delayed message comes when it is due', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q'));
  await bed.run(queue.send('later', { delayMs: 1000 }));
  await bed.run(queue.send('at', { deliverAt: new Date(bed.clock.nowMs() + 2000) }));
  assert.deepEqual(await bed.drain(queue), []);
  assert.equal(queue.counts().delayed, 2);
  await bed.clock.runFor(1000);
  assert.deepEqual(await bed.drain(queue), ['later']);
  await bed.clock.runFor(1000);
  assert.deepEqual(await bed.drain(queue), ['at']);
});

test('who waits on a queue that is deleted, or whose storage fails, is told', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q'));
  const told = assert.rejects(queue.consume().next(), { code: 'queue-not-found' });
  await bed.run(queue.delete());
  await bed.run(told);
  const worker = (await bed.run(bed.broker.createQueue('q'))).consume(() => undefined);
  bed.disk.capacityBytes = bed.disk.usedBytes;
  await assert.rejects(bed.run(bed.broker.queue('q').send('x'.repeat(10_000))));
  bed.disk.capacityBytes = Number.POSITIVE_INFINITY;
  const ended = worker.ended.then(
    () => undefined,
    (error: unknown) => error,
  );
  const error = await bed.run(ended);
  assert.ok(error instanceof Error && 'code' in error && error.code === 'storage-failed');
  await bed.clock.runFor(5000);
});

test('closing the broker ends loops and workers', async () => {
  const bed = await BrokerBed.open();
  const queue = await bed.run(bed.broker.createQueue('q'));
  const messages: ReceivedMessage[] = [];
  const loop = async (): Promise<void> => {
    for await (const message of queue.consume()) messages.push(message);
  };
  const ended = loop();
  queue.consume(() => undefined);
  await bed.run(queue.send('m'));
  await bed.run(bed.broker.close());
  await bed.run(ended);
});
