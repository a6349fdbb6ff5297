import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { ConfirmChannel } from 'amqplib';
import { appendAborted } from '../../support/aborted-record.ts';
import { consume, type MessagesBed, openBed, settle } from './messages-bed.ts';

async function fill(bed: MessagesBed, count: number): Promise<ConfirmChannel> {
  const channel = await (await bed.connect()).createConfirmChannel();
  await channel.assertQueue('s', { durable: true, arguments: { 'x-queue-type': 'stream' } });
  for (let body = 0; body < count; body += 1) {
    channel.sendToQueue('s', Buffer.from(String(body)), { persistent: true });
    // Each in a batch of its own.
    await channel.waitForConfirms();
  }
  return channel;
}

describe('streams', () => {
  for (const [from, bodies] of [
    ['first', ['0', '1', '2', '3', '4']],
    [2, ['2', '3', '4']],
    ['last', ['4']],
    ['next', []],
    ['1h', ['0', '1', '2', '3', '4']],
    [{ '!': 'timestamp', value: 1_000_000_000 }, ['0', '1', '2', '3', '4']],
    [{ '!': 'timestamp', value: 4_000_000_000 }, []],
  ] as const) {
    it(`are read from ${JSON.stringify(from)}, and then what comes`, async (t) => {
      const bed = await openBed(t);
      const publisher = await fill(bed, 5);
      const channel = await bed.channel(100);
      const inbox = await consume(channel, 's', { arguments: { 'x-stream-offset': from } });
      publisher.sendToQueue('s', Buffer.from('new'));
      await inbox.until(bodies.length + 1);
      assert.deepEqual(inbox.bodies, [...bodies, 'new']);
      assert.deepEqual(
        inbox.messages.map(({ properties }) => Number(properties.headers?.['x-stream-offset'])),
        [...bodies.map(Number), 5],
      );
    });
  }

  it('are read by everybody, with acks as credit', async (t) => {
    const bed = await openBed(t);
    await fill(bed, 6);
    const start = { arguments: { 'x-stream-offset': 'first' } };
    const channel = await bed.channel(2);
    const inbox = await consume(channel, 's', start);
    await inbox.until(2);
    await settle(channel);
    assert.deepEqual(inbox.bodies, ['0', '1']);
    channel.ack(inbox.messages[1]!, true);
    await inbox.until(4);
    channel.nack(inbox.messages[2]!);
    channel.reject(inbox.messages[3]!, true);
    await inbox.until(6);
    assert.deepEqual(inbox.bodies, ['0', '1', '2', '3', '4', '5']);
    const other = await bed.channel(10);
    const second = await consume(other, 's', start);
    await second.until(6);
  });

  it('never show what was aborted, also when the log has forgotten that since it was read', async (t) => {
    const bed = await openBed(t);
    await fill(bed, 2);
    const { broker } = bed;
    const log = broker.findTopic('s')?.partitions[0];
    assert.ok(log !== undefined);
    await appendAborted(broker, log);
    const publisher = await (await bed.connect()).createConfirmChannel();
    publisher.sendToQueue('s', Buffer.from('last'));
    await publisher.waitForConfirms();
    const channel = await bed.channel(1);
    const inbox = await consume(channel, 's', { arguments: { 'x-stream-offset': 'first' } });
    await inbox.until(1);
    // All is read, and waits for credit.
    await log.deleteBefore(4);
    channel.ack(inbox.messages[0]!);
    await inbox.until(2);
    channel.ack(inbox.messages[1]!);
    await inbox.until(3);
    assert.deepEqual(inbox.bodies, ['0', '1', 'last']);
  });

  for (const [name, wanted, bodies] of [
    ['one value', { 'x-stream-filter': 'eu' }, ['eu 1', 'eu 2']],
    ['some of several', { 'x-stream-filter': ['eu', 'us'] }, ['eu 1', 'us', 'eu 2']],
    [
      'one value, or none',
      { 'x-stream-filter': 'us', 'x-stream-match-unfiltered': true },
      ['plain', 'us', 'other'],
    ],
    ['any', {}, ['plain', 'eu 1', 'us', 'eu 2', 'other']],
  ] as const) {
    it(`give a consumer only what its filter wants: ${name}`, async (t) => {
      const bed = await openBed(t);
      const publisher = await fill(bed, 0);
      const send = (body: string, value?: string): void => {
        const headers = value === undefined ? { other: 'eu' } : { 'x-stream-filter-value': value };
        publisher.sendToQueue('s', Buffer.from(body), { headers });
      };
      send('plain');
      send('eu 1', 'eu');
      send('us', 'us');
      await publisher.waitForConfirms();
      // With little credit: what is passed by takes none.
      const channel = await bed.channel(1);
      const inbox = await consume(channel, 's', {
        arguments: { 'x-stream-offset': 'first', ...wanted },
      });
      send('eu 2', 'eu');
      send('other');
      for (const [index, body] of bodies.entries()) {
        await inbox.until(index + 1);
        assert.equal(inbox.bodies[index], body);
        channel.ack(inbox.messages[index]!);
      }
      await settle(channel);
      assert.deepEqual(inbox.bodies, bodies);
    });
  }

  for (const [name, fields, text] of [
    ['a number', { 'x-stream-filter': 5 }, /406.*invalid arg 'x-stream-filter'/],
    ['numbers in a list', { 'x-stream-filter': ['a', 5] }, /406.*invalid arg 'x-stream-filter'/],
    [
      'a word for yes',
      { 'x-stream-filter': 'a', 'x-stream-match-unfiltered': 'yes' },
      /406.*invalid arg 'x-stream-match-unfiltered'/,
    ],
  ] as const) {
    it(`refuse a filter that is ${name}`, async (t) => {
      const bed = await openBed(t);
      await fill(bed, 0);
      const channel = await bed.channel(1);
      await assert.rejects(consume(channel, 's', { arguments: fields }), text);
    });
  }

  it('want a prefetch and acks, and are not fetched from', async (t) => {
    const bed = await openBed(t);
    await fill(bed, 1);
    await assert.rejects(
      consume(await bed.channel(), 's'),
      /406.*consumer prefetch count is not set for stream queue 's' in vhost '\/'/,
    );
    const client = await bed.connect();
    const failed = once(client, 'error');
    (await client.createChannel()).get('s').catch(() => undefined);
    const [error] = await failed;
    assert.match(String(error), /540.*NOT_IMPLEMENTED - basic\.get not supported by stream queues/);
  });

  it('end with the log', async (t) => {
    const bed = await openBed(t);
    const publisher = await fill(bed, 1);
    const channel = await bed.channel(5);
    const inbox = await consume(channel, 's', { arguments: { 'x-stream-offset': 'first' } });
    await inbox.until(1);
    await publisher.deleteQueue('s');
    await inbox.waitFor(() => inbox.isCancelled);
  });
});
