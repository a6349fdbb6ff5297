import type { Channel, ConfirmChannel, ConsumeMessage, Options } from 'amqplib';
import {
  await1,
  dead,
  deadLettering,
  declare,
  drain,
  type MessageScenario,
  reached,
  send,
  target,
  told,
} from './message-tools.ts';
import { until } from '../../../support/until.ts';

const first = 'conformance.first';
const quorum = { exclusive: false, durable: true };

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** A consumer that notes `tag body` of what it gets, and what of it was delivered before. */
async function listen(
  channel: Channel,
  notes: string[],
  tag: string,
  options: Options.Consume = {},
  queue = target,
): Promise<ConsumeMessage[]> {
  const messages: ConsumeMessage[] = [];
  await channel.consume(
    queue,
    (message) => {
      if (message === null) {
        notes.push(`${tag} cancelled`);
        return;
      }
      messages.push(message);
      const again = message.fields.redelivered ? ' again' : '';
      notes.push(`${tag} ${message.content.toString()}${again}`);
    },
    { consumerTag: tag, ...options },
  );
  return messages;
}

/** Queues that do not go with the connection are deleted whatever happens. */
async function cleaning<Result>(
  open: () => Promise<Channel>,
  queues: readonly string[],
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } finally {
    const other = await open();
    for (const queue of queues) await other.deleteQueue(queue);
  }
}

/** Takes a message and lets it die. */
async function reject(channel: Channel, queue: string): Promise<void> {
  await until(async () => {
    const message = await channel.get(queue);
    if (message !== false) channel.reject(message, false);
    return message !== false;
  });
}

const deaths: readonly MessageScenario[] = [
  {
    name: 'a message that dies twice in one queue by rejection: its deaths are counted',
    run: async (channel) => {
      await declare(channel, { deadLetterExchange: '', deadLetterRoutingKey: first });
      await declare(
        channel,
        { deadLetterExchange: '', deadLetterRoutingKey: target, messageTtl: 20 },
        first,
      );
      await send(channel, target, ['x']);
      for (let times = 0; times < 3; times += 1) await reject(channel, target);
      return told(await await1(channel, target));
    },
  },
  {
    name: 'CC and BCC of a dead letter with a key of its own',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering());
      await send(channel, target, ['x'], { CC: ['conformance.cc'], BCC: ['conformance.bcc'] });
      await reject(channel, target);
      return told(await await1(channel, dead));
    },
  },
  {
    name: 'CC of a dead letter without a key of its own: it goes there, too',
    run: async (channel) => {
      await channel.assertExchange('conformance.dlx', 'direct', { autoDelete: true });
      await declare(channel, {}, dead);
      await declare(channel, {}, first);
      await channel.bindQueue(dead, 'conformance.dlx', target);
      await channel.bindQueue(first, 'conformance.dlx', 'conformance.cc');
      await declare(channel, { deadLetterExchange: 'conformance.dlx' });
      await send(channel, target, ['x'], { CC: ['conformance.cc'] });
      await reject(channel, target);
      return [told(await await1(channel, dead)), told(await await1(channel, first))];
    },
  },
  {
    name: 'a dead letter exchange that is not there, and comes later',
    run: async (channel) => {
      await declare(channel, { deadLetterExchange: 'conformance.late', deadLetterRoutingKey: 'k' });
      await send(channel, target, ['lost', 'kept']);
      await reject(channel, target);
      await channel.assertExchange('conformance.late', 'fanout', { autoDelete: true });
      await declare(channel, {}, dead);
      await channel.bindQueue(dead, 'conformance.late', '');
      await reject(channel, target);
      return [told(await await1(channel, dead)), await drain(channel, dead)];
    },
  },
  {
    name: 'properties and headers of a dead letter that died by its own time',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering());
      await send(channel, target, ['x'], {
        expiration: '10',
        messageId: 'm',
        correlationId: 'c',
        replyTo: 'r',
        type: 't',
        appId: 'a',
        priority: 3,
        timestamp: 1_700_000_000,
        contentType: 'text/plain',
        contentEncoding: 'none',
        persistent: true,
        headers: { a: 1, b: [1, 'x', { c: true }], d: 1.5 },
      });
      const message = await await1(channel, dead);
      const { headers: _, ...properties } = message.properties;
      return [told(message), properties];
    },
  },
  {
    name: 'reject-publish-dlx',
    run: async (channel) => {
      await declare(channel, {}, dead);
      const overflow = { 'x-overflow': 'reject-publish-dlx' };
      await declare(channel, deadLettering({ maxLength: 1, arguments: overflow }));
      const outcomes = [await send(channel, target, ['a']), await send(channel, target, ['b'])];
      return [outcomes, told(await await1(channel, dead)), await drain(channel, target)];
    },
  },
  {
    name: 'no room at all (x-max-length 0), without a consumer and with one',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering({ maxLength: 0 }));
      const outcomes = await send(channel, target, ['a']);
      const letter = told(await await1(channel, dead));
      const notes: string[] = [];
      await listen(channel, notes, 'tag', { noAck: true });
      await send(channel, target, ['b']);
      await until(() => notes.length > 0);
      return [outcomes, letter, notes, await drain(channel, dead)];
    },
  },
  {
    name: 'beyond the length of a queue with priorities the least urgent goes first',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering({ maxLength: 2, maxPriority: 5 }));
      for (const priority of [5, 1, 3, 2]) {
        await send(channel, target, [String(priority)], { priority });
      }
      const letters = [await await1(channel, dead), await await1(channel, dead)];
      return [letters.map(({ content }) => content.toString()), await drain(channel, target)];
    },
  },
  {
    name: 'what is taken does not count for the length, and comes back beyond it',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering({ maxLength: 1 }));
      await send(channel, target, ['a']);
      const message = await channel.get(target);
      await send(channel, target, ['b']);
      if (message !== false) channel.nack(message);
      const letter = await await1(channel, dead);
      return [letter.content.toString(), await drain(channel, target)];
    },
  },
  {
    name: 'a queue that is deleted or purged sends no dead letters',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering());
      await send(channel, target, ['a', 'b']);
      const { messageCount } = await channel.purgeQueue(target);
      await send(channel, target, ['c']);
      const deleted = await channel.deleteQueue(target);
      await pause(100);
      return [messageCount, deleted.messageCount, await drain(channel, dead)];
    },
  },
  {
    name: 'a queue that expires sends no dead letters',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering({ expires: 100 }));
      await send(channel, target, ['a']);
      await pause(1500);
      await declare(channel, {});
      return [await drain(channel, target), await drain(channel, dead)];
    },
  },
  {
    name: 'a nack of many lets all of them die, in their order',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering());
      await send(channel, target, ['a', 'b', 'c', 'd']);
      let last: Awaited<ReturnType<Channel['get']>> = false;
      for (let count = 0; count < 3; count += 1) last = await channel.get(target);
      if (last !== false) channel.nack(last, true, false);
      const letters = [];
      for (let count = 0; count < 3; count += 1) letters.push(told(await await1(channel, dead)));
      return [letters, await drain(channel, target)];
    },
  },
  {
    name: 'a quorum queue: a rejected message, and what is told of it',
    run: (channel, open) =>
      cleaning(open, [target], async () => {
        await declare(channel, {}, dead);
        const type = { 'x-queue-type': 'quorum' };
        await declare(channel, deadLettering({ ...quorum, arguments: type }));
        await send(channel, target, ['x'], { headers: { mine: 1 } });
        await reject(channel, target);
        return told(await await1(channel, dead));
      }),
  },
  {
    name: 'a quorum queue: rejected again and again, its count, and its end',
    run: (channel, open) =>
      cleaning(open, [target], async () => {
        await declare(channel, {}, dead);
        const type = { 'x-queue-type': 'quorum', 'x-delivery-limit': 2 };
        await declare(channel, deadLettering({ ...quorum, arguments: type }));
        await send(channel, target, ['x']);
        const counts: unknown[] = [];
        await channel.consume(target, (message) => {
          if (message === null) return;
          counts.push(message.properties.headers?.['x-delivery-count'] ?? 'none');
          channel.reject(message, true);
        });
        const letter = await await1(channel, dead);
        return [counts, letter.properties.headers?.['x-first-death-reason']];
      }),
  },
  {
    name: 'a quorum queue beyond its length, refusing',
    run: (channel, open) =>
      cleaning(open, [target], async () => {
        const type = {
          'x-queue-type': 'quorum',
          'x-max-length': 1,
          'x-overflow': 'reject-publish',
        };
        await declare(channel, { ...quorum, arguments: type });
        const outcomes: string[] = [];
        for (const body of ['a', 'b', 'c', 'd'])
          outcomes.push(...(await send(channel, target, [body])));
        return { outcomes, count: (await channel.checkQueue(target)).messageCount };
      }),
    differs: 'the limit of a quorum queue is exact here; RabbitMQ takes one or two more',
  },
];

const consuming: readonly MessageScenario[] = [
  {
    name: 'priorities of consumers: the greater one while it has room',
    run: async (channel) => {
      await declare(channel);
      const notes: string[] = [];
      await channel.prefetch(2);
      await listen(channel, notes, 'low', { priority: 1 });
      await listen(channel, notes, 'high', { priority: 5 });
      await listen(channel, notes, 'none');
      await send(channel, target, ['a', 'b', 'c', 'd', 'e']);
      await until(() => notes.length === 5);
      return notes.toSorted();
    },
  },
  {
    name: 'a single active consumer: the next one takes over in the order of coming',
    run: async (channel) => {
      await declare(channel, { arguments: { 'x-single-active-consumer': true } });
      const notes: string[] = [];
      for (const tag of ['one', 'two', 'three']) await listen(channel, notes, tag, { noAck: true });
      await send(channel, target, ['a', 'b']);
      await until(() => notes.length === 2);
      await channel.cancel('one');
      await send(channel, target, ['c']);
      await until(() => notes.length === 3);
      await channel.cancel('two');
      await send(channel, target, ['d']);
      await until(() => notes.length === 4);
      return notes;
    },
  },
  {
    name: 'a single active consumer: what it had is given to the next one when it goes',
    run: async (channel, open) => {
      await declare(channel, { arguments: { 'x-single-active-consumer': true } });
      const notes: string[] = [];
      const other = await open();
      await listen(other, notes, 'one');
      await listen(channel, notes, 'two');
      await send(channel, target, ['a', 'b']);
      await until(() => notes.length === 2);
      await other.close();
      await until(() => notes.length === 4);
      return notes;
    },
  },
  {
    name: 'consumers take turns',
    run: async (channel) => {
      await declare(channel);
      const notes: string[] = [];
      await listen(channel, notes, 'one');
      await listen(channel, notes, 'two');
      for (const body of ['a', 'b', 'c', 'd']) await send(channel, target, [body]);
      await until(() => notes.length === 4);
      return notes;
    },
  },
  {
    name: 'a queue that is looked at does not expire',
    run: async (channel, open) => {
      const other = await open();
      other.on('error', () => undefined);
      await declare(channel, { expires: 600 });
      for (let times = 0; times < 6; times += 1) {
        await pause(200);
        await channel.get(target);
      }
      await declare(channel, { expires: 600 });
      await pause(2500);
      return other.checkQueue(target).then(
        () => 'there',
        (error: unknown) => String(error),
      );
    },
  },
  {
    name: 'a queue with a consumer does not expire',
    run: async (channel) => {
      await declare(channel, { expires: 200 });
      await listen(channel, [], 'tag');
      await pause(1000);
      return (await channel.checkQueue(target)).consumerCount;
    },
  },
  {
    name: 'a request and its answer by direct reply-to',
    run: async (channel) => {
      await declare(channel);
      const notes: string[] = [];
      const replies = await listen(channel, notes, 'r', { noAck: true }, 'amq.rabbitmq.reply-to');
      await send(channel, target, ['question'], {
        replyTo: 'amq.rabbitmq.reply-to',
        correlationId: 'c',
      });
      const request = await await1(channel, target);
      const replyTo: unknown = request.properties.replyTo;
      const place = String(replyTo);
      await send(channel, place, ['answer'], { correlationId: 'c', mandatory: true });
      await until(() => replies.length === 1);
      const { fields, properties } = replies[0]!;
      return {
        hasPrefix: place.startsWith('amq.rabbitmq.reply-to.'),
        isItsKey: fields.routingKey === place,
        exchange: fields.exchange,
        redelivered: fields.redelivered,
        tag: fields.deliveryTag,
        correlation: properties.correlationId,
        notes,
      };
    },
  },
  {
    name: 'redelivered after the channel closed, and the order',
    run: async (channel, open) => {
      await declare(channel);
      const other = await open();
      await send(channel, target, ['a', 'b', 'c']);
      const notes: string[] = [];
      await other.prefetch(2);
      await listen(other, notes, 'one');
      await until(() => notes.length === 2);
      await other.close();
      await until(async () => (await channel.checkQueue(target)).messageCount === 3);
      await listen(channel, notes, 'two');
      await until(() => notes.length === 5);
      return notes;
    },
  },
  {
    name: 'what is nacked while others wait goes to the front',
    run: async (channel) => {
      await declare(channel);
      await channel.prefetch(1);
      await send(channel, target, ['a', 'b', 'c']);
      const notes: string[] = [];
      const messages = await listen(channel, notes, 'tag');
      await until(() => notes.length === 1);
      channel.nack(messages[0]!);
      await until(() => notes.length === 2);
      channel.ack(messages[1]!);
      await until(() => notes.length === 3);
      return notes;
    },
  },
  {
    name: 'counts of messages beside what is fetched and purged',
    run: async (channel) => {
      await declare(channel);
      await send(channel, target, ['a', 'b', 'c']);
      const one = await channel.get(target);
      const two = await channel.get(target, { noAck: true });
      const purged = await channel.purgeQueue(target);
      if (one !== false) channel.nack(one);
      const again = await await1(channel, target);
      return [
        one === false ? one : one.fields,
        two === false ? two : two.fields,
        purged,
        again.fields.redelivered,
      ];
    },
  },
];

/** What a message of these headers does on bindings of these arguments. */
async function matching(
  channel: ConfirmChannel,
  cases: Readonly<Record<string, Record<string, unknown>>>,
  messages: ReadonlyArray<Record<string, unknown>>,
): Promise<string[][]> {
  const exchange = 'conformance.matching';
  await channel.assertExchange(exchange, 'headers', { autoDelete: true });
  for (const [name, args] of Object.entries(cases)) {
    await declare(channel, {}, `conformance.${name}`);
    await channel.bindQueue(`conformance.${name}`, exchange, '', args);
  }
  const queues = Object.keys(cases).map((name) => `conformance.${name}`);
  return reached(
    channel,
    exchange,
    queues,
    messages.map((headers) => ['', headers] as const),
  );
}

const routes: readonly MessageScenario[] = [
  {
    name: 'headers exchange: numbers of other widths, texts, truths, tables and lists',
    run: (channel) =>
      matching(
        channel,
        {
          one: { v: 1 },
          long: { v: { '!': 'long', value: 1 } },
          double: { v: { '!': 'double', value: 1 } },
          text: { v: '1' },
          truth: { v: true },
          table: { v: { a: 1 } },
          list: { v: [1, 2] },
          nothing: { v: null },
        },
        [
          { v: 1 },
          { v: { '!': 'long', value: 1 } },
          { v: { '!': 'short', value: 1 } },
          { v: { '!': 'double', value: 1 } },
          { v: { '!': 'float', value: 1 } },
          { v: '1' },
          { v: true },
          { v: false },
          { v: { a: 1 } },
          { v: { a: 2 } },
          { v: [1, 2] },
          { v: [2, 1] },
          { v: null },
          { w: 1 },
        ],
      ),
  },
  {
    name: 'headers exchange: a binding of nothing but x-match',
    run: (channel) =>
      matching(
        channel,
        {
          all: { 'x-match': 'all' },
          any: { 'x-match': 'any' },
          allX: { 'x-match': 'all-with-x' },
          anyX: { 'x-match': 'any-with-x' },
          none: {},
        },
        [{}, { a: 1 }, { 'x-match': 'all' }],
      ),
  },
  {
    name: 'headers exchange: names that begin with x-, of all kinds',
    run: (channel) =>
      matching(
        channel,
        {
          all: { 'x-match': 'all', 'x-a': 1, b: 2 },
          any: { 'x-match': 'any', 'x-a': 1, b: 2 },
          allX: { 'x-match': 'all-with-x', 'x-a': 1, b: 2 },
          anyX: { 'x-match': 'any-with-x', 'x-a': 1, b: 2 },
        },
        [{ 'x-a': 1 }, { b: 2 }, { 'x-a': 1, b: 2 }, { 'x-a': 2, b: 2 }, { 'x-a': 1, b: 3 }],
      ),
  },
  {
    name: 'alternate exchanges: one after the other, and what is returned at their end',
    run: async (channel) => {
      const returned: string[] = [];
      channel.on('return', ({ fields }: ConsumeMessage) =>
        returned.push(`${fields.exchange} ${fields.routingKey}`),
      );
      await channel.assertExchange('conformance.one', 'direct', {
        alternateExchange: 'conformance.two',
      });
      await channel.assertExchange('conformance.two', 'direct', {
        alternateExchange: 'conformance.one',
      });
      await declare(channel);
      await channel.bindQueue(target, 'conformance.two', 'k');
      channel.publish('conformance.one', 'k', Buffer.from('a'), { mandatory: true });
      channel.publish('conformance.one', 'other', Buffer.from('b'), { mandatory: true });
      await channel.waitForConfirms();
      const message = await channel.get(target, { noAck: true });
      for (const name of ['one', 'two']) await channel.deleteExchange(`conformance.${name}`);
      return [message === false ? message : message.fields, returned];
    },
  },
  {
    name: 'a queue bound twice by other keys of one message gets it once; unbound, by the other still',
    run: async (channel) => {
      await declare(channel);
      await channel.bindQueue(target, 'amq.topic', 'conformance.*');
      await channel.bindQueue(target, 'amq.topic', '*.x');
      const hits = await reached(channel, 'amq.topic', [target], [['conformance.x'], ['other.x']]);
      await channel.unbindQueue(target, 'amq.topic', '*.x');
      return [
        hits,
        await reached(channel, 'amq.topic', [target], [['conformance.x'], ['other.x']]),
      ];
    },
  },
  {
    name: 'one binding with other arguments is another binding',
    run: async (channel) => {
      await declare(channel);
      await channel.bindQueue(target, 'amq.direct', 'k', { a: 1 });
      await channel.bindQueue(target, 'amq.direct', 'k', { a: 2 });
      await channel.unbindQueue(target, 'amq.direct', 'k', { a: 1 });
      await channel.unbindQueue(target, 'amq.direct', 'k');
      return reached(channel, 'amq.direct', [target], [['k']]);
    },
  },
  {
    name: 'CC to the queue itself, twice',
    run: async (channel) => {
      await declare(channel);
      await send(channel, target, ['x'], { CC: [target, target], BCC: [target] });
      return drain(channel, target);
    },
  },
  {
    name: 'mandatory with CC: returned where no key leads anywhere',
    run: async (channel) => {
      const returned: string[] = [];
      channel.on('return', ({ fields }: ConsumeMessage) => returned.push(fields.routingKey));
      await declare(channel);
      await send(channel, 'nowhere', ['a'], { mandatory: true, CC: [target] });
      await send(channel, 'nowhere', ['b'], { mandatory: true, CC: ['elsewhere'] });
      return [returned, await drain(channel, target)];
    },
  },
  {
    name: 'a binding of exchanges that goes with its destination',
    run: async (channel) => {
      await channel.assertExchange('conformance.from', 'fanout');
      await channel.assertExchange('conformance.to', 'fanout');
      await channel.bindExchange('conformance.to', 'conformance.from', '');
      await channel.deleteExchange('conformance.to');
      await channel.deleteExchange('conformance.from', { ifUnused: true });
      return 'not used any more';
    },
  },
];

export const messageEdges: readonly MessageScenario[] = [...deaths, ...consuming, ...routes];
