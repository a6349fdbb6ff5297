import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { AMQPClient } from '@cloudamqp/amqp-client';
import { closeReason, consume, openBed, settle } from './messages-bed.ts';

describe('basic.publish', () => {
  it('confirms what is stored, and returns first what nobody takes', async (t) => {
    const bed = await openBed(t);
    const client = await bed.connect();
    const channel = await client.createConfirmChannel();
    await channel.assertQueue('q');
    const events: string[] = [];
    channel.on('return', (message) => events.push(`return ${message.fields.routingKey}`));
    const publish = (queue: string, mandatory = true): void => {
      channel.sendToQueue(queue, Buffer.from('a'), { mandatory, headers: { n: 1 } }, (error) =>
        events.push(`${error === null ? 'ack' : 'nack'} ${queue}`),
      );
    };
    publish('q');
    publish('none');
    publish('nobody', false);
    publish('q');
    await channel.waitForConfirms();
    assert.deepEqual(events.toSorted(), [
      'ack nobody',
      'ack none',
      'ack q',
      'ack q',
      'return none',
    ]);
    assert.ok(events.indexOf('return none') < events.indexOf('ack none'));
    assert.equal((await channel.checkQueue('q')).messageCount, 2);
  });

  it('returns a message as it came', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    const returned = once(channel, 'return');
    const body = Buffer.alloc(200_000, 'x');
    channel.publish('amq.direct', 'nowhere', body, {
      mandatory: true,
      messageId: 'm',
      headers: { a: 'b' },
    });
    const [message] = await returned;
    assert.deepEqual(message.content, body);
    assert.deepEqual(
      [message.fields.replyCode, message.fields.replyText, message.fields.exchange],
      [312, 'NO_ROUTE', 'amq.direct'],
    );
    assert.deepEqual([message.properties.messageId, message.properties.headers], ['m', { a: 'b' }]);
  });

  it('refuses what a full queue refuses', async (t) => {
    const bed = await openBed(t);
    const client = await bed.connect();
    const channel = await client.createConfirmChannel();
    await channel.assertQueue('q', { maxLength: 2, arguments: { 'x-overflow': 'reject-publish' } });
    const outcomes: string[] = [];
    for (let body = 0; body < 4; body += 1) {
      await new Promise<void>((resolve) => {
        channel.sendToQueue('q', Buffer.from(String(body)), {}, (error) => {
          outcomes.push(error === null ? 'ack' : 'nack');
          resolve();
        });
      });
    }
    assert.deepEqual(outcomes, ['ack', 'ack', 'nack', 'nack']);
  });

  for (const [what, publish, reason] of [
    [
      'an exchange that is not there',
      ['none', 'k', {}],
      /404.*NOT_FOUND - no exchange 'none' in vhost '\/'/,
    ],
    [
      'an internal exchange',
      ['inside', 'k', {}],
      /403.*ACCESS_REFUSED - cannot publish to internal exchange 'inside' in vhost '\/'/,
    ],
    [
      'an expiration that is no number',
      ['', 'k', { expiration: 'soon' }],
      /406.*PRECONDITION_FAILED - invalid expiration 'soon': no_integer/,
    ],
    [
      'another user’s name',
      ['', 'k', { userId: 'someone' }],
      /406.*user_id property set to 'someone' but authenticated user was 'guest'/,
    ],
    [
      'copies that are no list',
      ['', 'k', { headers: { CC: 'x' } }],
      /406.*PRECONDITION_FAILED - invalid message/,
    ],
    [
      'a reply address without its consumer',
      ['', 'k', { replyTo: 'amq.rabbitmq.reply-to' }],
      /406.*fast reply consumer does not exist/,
    ],
  ] as const) {
    it(`closes the channel for ${what}`, async (t) => {
      const bed = await openBed(t);
      const channel = await bed.channel();
      await channel.assertExchange('inside', 'direct', { internal: true });
      const closed = closeReason(channel);
      channel.publish(publish[0], publish[1], Buffer.from('a'), publish[2]);
      assert.match(await closed, reason);
    });
  }

  it('takes the publisher’s own name', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    channel.sendToQueue('q', Buffer.from('a'), { userId: 'guest' });
    const [message] = await (await consume(channel, 'q')).until(1);
    assert.equal(message?.properties.userId, 'guest');
  });

  it('sends copies to the keys of CC and BCC, each queue once', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    for (const queue of ['a', 'b', 'c']) await channel.assertQueue(queue);
    channel.sendToQueue('a', Buffer.from('m'), { CC: ['b', 'a'], BCC: 'c' });
    for (const queue of ['a', 'b', 'c']) {
      const inbox = await consume(channel, queue);
      const [message] = await inbox.until(1);
      await settle(channel);
      assert.equal(inbox.messages.length, 1);
      assert.equal(message?.fields.routingKey, 'a');
      assert.deepEqual(message?.properties.headers, { CC: ['b', 'a'] });
    }
  });

  it('carries every property and type of header', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    const properties = {
      contentType: 'application/json',
      contentEncoding: 'gzip',
      headers: {
        text: 'ü',
        integer: 7,
        long: 2 ** 40,
        double: 0.5,
        yes: true,
        nothing: null,
        bytes: Buffer.from([0xff, 0]),
        list: ['a', 1, { b: false }],
        table: { nested: { deep: 'x' } },
      },
      deliveryMode: 2,
      priority: 4,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '600000',
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      userId: 'guest',
      appId: 'app',
    };
    channel.sendToQueue('q', Buffer.from('a'), properties);
    const [message] = await (await consume(channel, 'q')).until(1);
    const { clusterId: _clusterId, ...received } = message!.properties;
    assert.deepEqual(received, properties);
  });

  it('takes bodies of any size, over as many frames as it takes', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await channel.assertQueue('q');
    const inbox = await consume(channel, 'q');
    const sizes = [0, 1, 4095, 4096, 4097, 131_064, 131_065, 1_000_000];
    for (const size of sizes) channel.sendToQueue('q', Buffer.alloc(size, `${size}`));
    const messages = await inbox.until(sizes.length);
    for (const [index, size] of sizes.entries()) {
      assert.ok(messages[index]!.content.equals(Buffer.alloc(size, `${size}`)), `size ${size}`);
    }
  });

  it('confirms and delivers to amqp-client.js in order', async (t) => {
    const bed = await openBed(t);
    const client = await new AMQPClient(bed.url).connect();
    const channel = await client.channel();
    await channel.confirmSelect();
    await channel.queueDeclare('q', { durable: true });
    await channel.basicQos(10);
    for (let body = 0; body < 50; body += 1) {
      const properties = { deliveryMode: 2, headers: { body } };
      assert.equal(await channel.basicPublish('', 'q', `${body}`, properties), body + 1);
    }
    const bodies: string[] = [];
    await new Promise<void>((resolve) => {
      void channel.basicConsume('q', { noAck: false }, (message) => {
        bodies.push(message.bodyString() ?? '');
        void message.ack();
        if (bodies.length === 50) resolve();
      });
    });
    assert.deepEqual(
      bodies,
      Array.from({ length: 50 }, (_unused, body) => String(body)),
    );
    await client.close();
  });
});

describe('direct reply-to', () => {
  it('answers on the channel that asked', async (t) => {
    const bed = await openBed(t);
    const server = await bed.channel();
    await server.assertQueue('rpc');
    await server.consume('rpc', (message) => {
      if (message === null) return;
      server.sendToQueue(
        message.properties.replyTo,
        Buffer.from(`re: ${message.content.toString()}`),
        {
          correlationId: message.properties.correlationId,
        },
      );
      server.ack(message);
    });
    const client = await bed.channel();
    const inbox = await consume(client, 'amq.rabbitmq.reply-to', { noAck: true });
    for (const id of ['1', '2']) {
      client.sendToQueue('rpc', Buffer.from(id), {
        correlationId: id,
        replyTo: 'amq.rabbitmq.reply-to',
      });
    }
    const replies = await inbox.until(2);
    assert.deepEqual(
      replies.map(({ content, properties }) => [content.toString(), properties.correlationId]),
      [
        ['re: 1', '1'],
        ['re: 2', '2'],
      ],
    );
    assert.match(replies[0]!.fields.routingKey, /^amq\.rabbitmq\.reply-to\./);
  });

  it('takes no acks, and one consumer', async (t) => {
    const bed = await openBed(t);
    const channel = await bed.channel();
    await assert.rejects(
      consume(channel, 'amq.rabbitmq.reply-to'),
      /406.*reply consumer cannot acknowledge/,
    );
    const other = await bed.channel();
    await consume(other, 'amq.rabbitmq.reply-to', { noAck: true });
    await assert.rejects(
      consume(other, 'amq.rabbitmq.reply-to', { noAck: true }),
      /406.*reply consumer already set/,
    );
  });

  it('ends with the channel', async (t) => {
    const bed = await openBed(t);
    const asker = await bed.channel();
    await asker.assertQueue('rpc');
    await consume(asker, 'amq.rabbitmq.reply-to', { noAck: true });
    asker.sendToQueue('rpc', Buffer.from('a'), { replyTo: 'amq.rabbitmq.reply-to' });
    const channel = await bed.channel();
    const [message] = await (await consume(channel, 'rpc')).until(1);
    await asker.close();
    const returned = once(channel, 'return');
    channel.sendToQueue(message!.properties.replyTo, Buffer.from('b'), { mandatory: true });
    const [lost] = await returned;
    assert.equal(lost.content.toString(), 'b');
  });
});
