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

const deaths: readonly MessageScenario[] = [
  {
    name: 'a rejected message',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering());
      await send(channel, target, ['x'], { headers: { mine: 1 } });
      const message = await channel.get(target);
      if (message !== false) channel.reject(message, false);
      return told(await await1(channel, dead));
    },
  },
  {
    name: 'the headers of a death',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering({ messageTtl: 0 }));
      await send(channel, target, ['x']);
      return Object.keys((await await1(channel, dead)).properties.headers ?? {}).toSorted();
    },
    differs: 'x-last-death-* came with RabbitMQ 3.13',
  },
  {
    name: 'a message whose own time is over',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering());
      await send(channel, target, ['x'], { expiration: '20' });
      return told(await await1(channel, dead));
    },
  },
  {
    name: 'a message whose queue has a time to live, the lower of two',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering({ messageTtl: 20 }));
      await send(channel, target, ['x'], { expiration: '60000' });
      return told(await await1(channel, dead));
    },
  },
  {
    name: 'messages beyond the length, the oldest first',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering({ maxLength: 2 }));
      const outcomes = await send(channel, target, ['a', 'b', 'c', 'd']);
      const letters = [told(await await1(channel, dead)), told(await await1(channel, dead))];
      return { outcomes, letters, left: await drain(channel, target) };
    },
  },
  {
    name: 'messages beyond the length in bytes',
    run: async (channel) => {
      await declare(channel, { arguments: { 'x-max-length-bytes': 10 } });
      await send(channel, target, ['aaaaa', 'bbbbb', 'ccccc']);
      return drain(channel, target);
    },
  },
  {
    name: 'reject-publish',
    run: async (channel) => {
      await declare(channel, { maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } });
      const outcomes = await send(channel, target, ['a']);
      return [outcomes, await send(channel, target, ['b']), await drain(channel, target)];
    },
  },
  {
    name: 'two deaths of one message',
    run: async (channel) => {
      await declare(channel, {}, dead);
      await declare(channel, deadLettering({ messageTtl: 20 }));
      await declare(
        channel,
        { deadLetterExchange: '', deadLetterRoutingKey: target, messageTtl: 20 },
        'conformance.first',
      );
      await send(channel, 'conformance.first', ['x']);
      return told(await await1(channel, dead));
    },
  },
  {
    name: 'a cycle without a rejection ends',
    run: async (channel) => {
      const again = { deadLetterExchange: '', deadLetterRoutingKey: target, messageTtl: 20 };
      await declare(channel, again);
      await send(channel, target, ['x']);
      await new Promise((resolve) => {
        setTimeout(resolve, 300);
      });
      return (await channel.checkQueue(target)).messageCount;
    },
  },
];

const orders: readonly MessageScenario[] = [
  {
    name: 'priorities',
    run: async (channel) => {
      await declare(channel, { maxPriority: 3 });
      for (const [index, priority] of [0, 3, 1, 9, 3, 2].entries()) {
        await send(channel, target, [`${priority}-${index}`], { priority });
      }
      await send(channel, target, ['none']);
      return drain(channel, target);
    },
  },
  {
    name: 'what is given back comes at its old place',
    run: async (channel) => {
      await declare(channel);
      await send(channel, target, ['a', 'b', 'c', 'd']);
      const [a, b] = [await channel.get(target), await channel.get(target)];
      if (a !== false && b !== false) {
        channel.nack(b);
        channel.nack(a);
      }
      const first = await await1(channel, target);
      return [first.fields, ...(await drain(channel, target))];
    },
  },
  {
    name: 'an expired message is not got',
    run: async (channel) => {
      await declare(channel);
      await send(channel, target, ['a'], { expiration: '10' });
      await send(channel, target, ['b']);
      await new Promise((resolve) => {
        setTimeout(resolve, 100);
      });
      return drain(channel, target);
    },
  },
  {
    name: 'expiration of 0 without a consumer',
    run: async (channel) => {
      await declare(channel);
      await send(channel, target, ['a'], { expiration: '0' });
      return drain(channel, target);
    },
  },
];

const routes: readonly MessageScenario[] = [
  {
    name: 'headers exchange: all, any, with and without x- headers',
    run: async (channel) => {
      const exchange = 'conformance.headers';
      await channel.assertExchange(exchange, 'headers', { autoDelete: true });
      const cases = {
        all: { 'x-match': 'all', a: 1, b: 'two' },
        any: { 'x-match': 'any', a: 1, b: 'two' },
        allX: { 'x-match': 'all-with-x', 'x-a': 1 },
        anyX: { 'x-match': 'any-with-x', 'x-a': 1, b: 'two' },
        nothing: { 'x-match': 'all' },
        ignored: { 'x-match': 'any', 'x-a': 1 },
        default: { a: 1 },
      };
      for (const [name, args] of Object.entries(cases)) {
        await declare(channel, {}, `conformance.${name}`);
        await channel.bindQueue(`conformance.${name}`, exchange, '', args);
      }
      const queues = Object.keys(cases).map((name) => `conformance.${name}`);
      return reached(channel, exchange, queues, [
        ['', { a: 1, b: 'two' }],
        ['', { a: 1 }],
        ['', { a: '1' }],
        ['', { 'x-a': 1 }],
        ['', { b: 'two', c: true }],
        ['', {}],
        [''],
      ]);
    },
  },
  {
    name: 'topic exchange: words, rests, empty words',
    run: async (channel) => {
      const exchange = 'conformance.topic';
      await channel.assertExchange(exchange, 'topic', { autoDelete: true });
      const keys = ['a.*', 'a.#', '#', '*', '#.b', 'a.#.b', '*.*', '', 'a..b', '#.#'];
      for (const key of keys) {
        await declare(channel, {}, `conformance.${key}`);
        await channel.bindQueue(`conformance.${key}`, exchange, key);
      }
      const queues = keys.map((key) => `conformance.${key}`);
      const sent = ['a', 'a.b', 'a.b.c', 'a..b', '', '.', 'b', 'a.x.y.b'];
      return reached(
        channel,
        exchange,
        queues,
        sent.map((key) => [key] as const),
      );
    },
  },
  {
    name: 'two bindings to one queue give one message; CC and BCC give more',
    run: async (channel) => {
      await declare(channel, {}, 'conformance.a');
      await declare(channel, {}, 'conformance.b');
      await channel.bindQueue('conformance.a', 'amq.topic', 'conformance.#');
      await channel.bindQueue('conformance.a', 'amq.topic', '#.one');
      channel.publish('amq.topic', 'conformance.one', Buffer.from('x'), {
        CC: ['conformance.two'],
        BCC: ['elsewhere'],
      });
      channel.publish('', 'conformance.a', Buffer.from('y'), {
        CC: ['conformance.b'],
        BCC: 'conformance.b',
      });
      await channel.waitForConfirms();
      const results = [];
      for (const queue of ['conformance.a', 'conformance.b']) {
        for (;;) {
          const message = await channel.get(queue, { noAck: true });
          if (message === false) break;
          results.push([queue, message.content.toString(), message.properties.headers]);
        }
      }
      return results;
    },
  },
  {
    name: 'alternate exchanges and bindings between exchanges, in a ring',
    run: async (channel) => {
      const options = { autoDelete: false };
      await channel.assertExchange('conformance.rest', 'fanout', options);
      await channel.assertExchange('conformance.one', 'direct', {
        ...options,
        alternateExchange: 'conformance.rest',
      });
      await channel.assertExchange('conformance.two', 'fanout', options);
      await channel.bindExchange('conformance.two', 'conformance.one', 'k');
      await channel.bindExchange('conformance.one', 'conformance.two', '');
      await declare(channel);
      await declare(channel, {}, dead);
      await channel.bindQueue(target, 'conformance.two', '');
      await channel.bindQueue(dead, 'conformance.rest', '');
      const results = await reached(channel, 'conformance.one', [target, dead], [['k'], ['other']]);
      for (const name of ['one', 'two', 'rest'])
        await channel.deleteExchange(`conformance.${name}`);
      return results;
    },
  },
  {
    name: 'an exchange that deletes itself goes with its last binding',
    run: async (channel) => {
      await channel.assertExchange('conformance.auto', 'fanout', { autoDelete: true });
      await declare(channel);
      await channel.bindQueue(target, 'conformance.auto', '');
      await channel.deleteQueue(target);
      await channel.assertExchange('conformance.auto', 'direct', { autoDelete: false });
      await channel.deleteExchange('conformance.auto');
      return 'declared anew as another type';
    },
  },
  {
    name: 'consistent hash: every message to one queue, by weight, one key always to the same',
    run: async (channel) => {
      const exchange = 'conformance.hash';
      await channel.assertExchange(exchange, 'x-consistent-hash', { autoDelete: true });
      const queues = ['conformance.light', 'conformance.heavy'];
      for (const [index, queue] of queues.entries()) {
        await declare(channel, {}, queue);
        await channel.bindQueue(queue, exchange, index === 0 ? '1' : '9');
      }
      for (let index = 0; index < 1000; index += 1) {
        channel.publish(exchange, `key ${index % 500}`, Buffer.from(String(index % 500)));
      }
      await channel.waitForConfirms();
      const [light, heavy] = [await drain(channel, queues[0]!), await drain(channel, queues[1]!)];
      const shared = new Set(light);
      return {
        all: light.length + heavy.length,
        isByWeight: light.length * 3 < heavy.length,
        isEachInOnePlace: !heavy.some((body) => shared.has(body)),
      };
    },
  },
];

export const messageScenarios: readonly MessageScenario[] = [...deaths, ...orders, ...routes];
