import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from 'amqplib';
import {
  emptyTable,
  type FieldTable,
  type MethodArguments,
} from '../../../src/doors/amqp091/wire/index.ts';
import { answerOf, exchange, int, locked, queue, RawBed, table, text } from './raw-bed.ts';
import { RawClient } from './raw-client.ts';

let bed: RawBed;
/** Somebody who makes and deletes things beside the channel that is looked at. */
let helper: RawClient;

before(async () => {
  bed = await RawBed.open();
  helper = await RawClient.open(bed.door.port);
  await helper.openChannel(1);
});

after(async () => {
  helper.destroy();
  await bed.close();
});

describe('queues', { concurrency: 4 }, () => {
  const bind = { ticket: 0, nowait: false, arguments: emptyTable };
  const refusals: ReadonlyArray<readonly [string, (client: RawClient) => void, string]> = [
    [
      'a reserved name',
      (client) => client.send(1, 'queueDeclare', queue({ queue: 'amq.foo' })),
      "ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'",
    ],
    [
      'looking at what is not there',
      (client) => client.send(1, 'queueDeclare', queue({ queue: 'nope', passive: true })),
      "NOT_FOUND - no queue 'nope' in vhost '/'",
    ],
    [
      'the last queue of a channel that has declared none',
      (client) => client.send(1, 'queuePurge', { ticket: 0, queue: '', nowait: false }),
      'NOT_FOUND - no previously declared queue',
    ],
    [
      'purging what is not there',
      (client) => client.send(1, 'queuePurge', { ticket: 0, queue: 'nope', nowait: false }),
      "NOT_FOUND - no queue 'nope' in vhost '/'",
    ],
    [
      'deleting what is not there, which succeeds',
      (client) =>
        client.send(1, 'queueDelete', {
          ticket: 0,
          queue: 'nope',
          ifUnused: true,
          ifEmpty: true,
          nowait: false,
        }),
      'queueDeleteOk',
    ],
    [
      'binding what is not there',
      (client) =>
        client.send(1, 'queueBind', {
          ...bind,
          queue: 'nope',
          exchange: 'amq.direct',
          routingKey: 'a',
        }),
      "NOT_FOUND - no queue 'nope' in vhost '/'",
    ],
    [
      'unbinding what is not there, which succeeds',
      (client) =>
        client.send(1, 'queueUnbind', {
          ticket: 0,
          queue: 'nope',
          exchange: 'nope',
          routingKey: 'a',
          arguments: emptyTable,
        }),
      'queueUnbindOk',
    ],
  ];
  for (const [name, act, answer] of refusals) {
    test(name, async () => assert.equal(await bed.answerTo(act), answer));
  }

  const bindings: ReadonlyArray<readonly [string, string, FieldTable, string]> = [
    [
      'to an exchange that is not there',
      'nope',
      emptyTable,
      "NOT_FOUND - no exchange 'nope' in vhost '/'",
    ],
    [
      'to the default exchange',
      '',
      emptyTable,
      'ACCESS_REFUSED - operation not permitted on the default exchange',
    ],
    [
      'with an x-match that is none',
      'amq.headers',
      table({ 'x-match': text('foo') }),
      'PRECONDITION_FAILED - Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x',
    ],
    [
      'with an x-match of another type',
      'amq.headers',
      table({ 'x-match': int(1) }),
      'PRECONDITION_FAILED - Invalid x-match field type signedint (value 1); expected longstr',
    ],
    ['with an empty name and key', 'amq.direct', emptyTable, 'queueBindOk'],
  ];
  for (const [name, source, fields, answer] of bindings) {
    test(`are bound ${name}`, () =>
      bed.withChannel(async (client) => {
        client.send(1, 'queueDeclare', queue({ exclusive: true }));
        const declared = await client.next('queueDeclareOk');
        const values = { ...bind, queue: '', exchange: source, routingKey: '', arguments: fields };
        client.send(1, 'queueBind', values);
        assert.equal(await answerOf(client), answer);
        if (answer !== 'queueBindOk') return;
        const [binding] = bed.broker.exchanges.listBindings({
          namespace: '',
          source,
          destination: { kind: 'queue', name: declared.queue },
        });
        assert.equal(binding?.key, declared.queue);
      }));
  }

  test('are not deleted while they hold messages, or are consumed from', () =>
    bed.withChannel(async (client) => {
      const named = bed.freshName();
      client.send(1, 'queueDeclare', queue({ queue: named }));
      await client.next('queueDeclareOk');
      client.send(1, 'basicPublish', {
        ticket: 0,
        exchange: '',
        routingKey: named,
        mandatory: false,
        immediate: false,
      });
      client.header(1, 1);
      client.frame(3, 1, Buffer.from('x'));
      client.send(1, 'confirmSelect', { nowait: false });
      await client.next('confirmSelectOk');
      const remove = { ticket: 0, queue: named, ifUnused: false, ifEmpty: true, nowait: false };
      client.send(1, 'queueDelete', remove);
      assert.equal(
        await answerOf(client),
        `PRECONDITION_FAILED - queue '${named}' in vhost '/' not empty`,
      );
      client.send(1, 'channelCloseOk', {});
      await client.openChannel(1);
      client.send(1, 'basicConsume', {
        ticket: 0,
        queue: named,
        consumerTag: 'c',
        noLocal: false,
        noAck: true,
        exclusive: false,
        nowait: false,
        arguments: emptyTable,
      });
      await client.next('basicConsumeOk');
      helper.send(1, 'queueDelete', { ...remove, ifUnused: true, ifEmpty: false });
      assert.equal(
        await answerOf(helper),
        `PRECONDITION_FAILED - queue '${named}' in vhost '/' in use`,
      );
      helper.send(1, 'channelCloseOk', {});
      await helper.openChannel(1);
    }));

  test('that are exclusive are locked for others, whatever they want', () =>
    bed.withChannel(async (owner) => {
      const named = bed.freshName();
      owner.send(1, 'queueDeclare', queue({ queue: named, exclusive: true }));
      await owner.next('queueDeclareOk');
      const tries: ReadonlyArray<(client: RawClient) => void> = [
        (client) => client.send(1, 'queueDeclare', queue({ queue: named, exclusive: true })),
        (client) => client.send(1, 'queueDeclare', queue({ queue: named, passive: true })),
        (client) => client.send(1, 'queuePurge', { ticket: 0, queue: named, nowait: false }),
        (client) =>
          client.send(1, 'queueDelete', {
            ticket: 0,
            queue: named,
            ifUnused: false,
            ifEmpty: false,
            nowait: false,
          }),
        (client) =>
          client.send(1, 'queueBind', {
            ...bind,
            queue: named,
            exchange: 'amq.direct',
            routingKey: 'a',
          }),
      ];
      for (const act of tries) {
        assert.equal(await bed.answerTo(act), locked.replace("'Q'", `'${named}'`));
      }
    }));

  test('say nothing when they are asked not to', () =>
    bed.withChannel(async (client) => {
      const named = bed.freshName();
      client.send(1, 'queueDeclare', queue({ queue: named, nowait: true }));
      client.send(1, 'queueBind', {
        ...bind,
        queue: named,
        exchange: 'amq.direct',
        routingKey: 'a',
        nowait: true,
      });
      client.send(1, 'queuePurge', { ticket: 0, queue: named, nowait: true });
      client.send(1, 'queueDelete', {
        ticket: 0,
        queue: named,
        ifUnused: false,
        ifEmpty: false,
        nowait: true,
      });
      client.send(1, 'exchangeDeclare', exchange({ exchange: 'amq.direct', passive: true }));
      assert.equal(await answerOf(client), 'exchangeDeclareOk');
      assert.equal(bed.broker.queues.find('', named), undefined);
    }));
});

describe('exchanges', { concurrency: 4 }, () => {
  const cases: ReadonlyArray<
    readonly [string, Partial<MethodArguments<'exchangeDeclare'>>, string]
  > = [
    ['of an unknown type', { type: 'foo' }, "PRECONDITION_FAILED - unknown exchange type 'foo'"],
    [
      'with a reserved name',
      { exchange: 'amq.foo' },
      "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'",
    ],
    [
      'that are there from the beginning',
      { exchange: 'amq.topic', type: 'topic', durable: true },
      'exchangeDeclareOk',
    ],
    [
      'that are there and otherwise',
      { exchange: 'amq.direct' },
      "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'amq.direct' in vhost '/': received 'false' but current is 'true'",
    ],
    [
      'that are not there, passively',
      { exchange: 'nope', passive: true },
      "NOT_FOUND - no exchange 'nope' in vhost '/'",
    ],
    [
      'without a name',
      { exchange: '' },
      'ACCESS_REFUSED - operation not permitted on the default exchange',
    ],
    [
      'that are delayed, of no type',
      { type: 'x-delayed-message' },
      "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type",
    ],
    [
      'that are delayed',
      { type: 'x-delayed-message', arguments: table({ 'x-delayed-type': text('topic') }) },
      'exchangeDeclareOk',
    ],
    ['that hash', { type: 'x-consistent-hash' }, 'exchangeDeclareOk'],
    ['that choose by chance', { type: 'x-random' }, 'exchangeDeclareOk'],
    [
      'with an alternate exchange of another type',
      { arguments: table({ 'alternate-exchange': int(1) }) },
      "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'X' in vhost '/'",
    ],
    [
      'with an alternate exchange that is not there',
      { arguments: table({ 'alternate-exchange': text('nope') }) },
      'exchangeDeclareOk',
    ],
  ];
  for (const [name, values, answer] of cases) {
    test(`are declared ${name}`, async () => {
      const named = bed.freshName();
      const given = exchange({ exchange: named, ...values });
      assert.equal(
        await bed.answerTo((client) => client.send(1, 'exchangeDeclare', given)),
        answer.replace("'X'", `'${named}'`),
      );
    });
  }

  const again: ReadonlyArray<readonly [Partial<MethodArguments<'exchangeDeclare'>>, string]> = [
    [
      { type: 'fanout' },
      "'type' for exchange 'X' in vhost '/': received 'fanout' but current is 'direct'",
    ],
    [
      { autoDelete: true },
      "'auto_delete' for exchange 'X' in vhost '/': received 'true' but current is 'false'",
    ],
    [
      { internal: true },
      "'internal' for exchange 'X' in vhost '/': received 'true' but current is 'false'",
    ],
    [
      { arguments: table({ 'alternate-exchange': text('b') }) },
      "'alternate-exchange' for exchange 'X' in vhost '/': received the value 'b' of type 'longstr' but current is none",
    ],
  ];
  for (const [values, difference] of again) {
    test(`that differ are refused: ${difference}`, () =>
      bed.withChannel(async (client) => {
        const named = bed.freshName();
        client.send(1, 'exchangeDeclare', exchange({ exchange: named }));
        await client.next('exchangeDeclareOk');
        client.send(1, 'exchangeDeclare', exchange({ exchange: named, ...values }));
        assert.equal(
          await answerOf(client),
          `PRECONDITION_FAILED - inequivalent arg ${difference.replace("'X'", `'${named}'`)}`,
        );
      }));
  }

  const deletions: ReadonlyArray<readonly [string, string]> = [
    ['nope', 'exchangeDeleteOk'],
    ['', 'ACCESS_REFUSED - operation not permitted on the default exchange'],
    [
      'amq.direct',
      "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
    ],
  ];
  for (const [named, answer] of deletions) {
    test(`deleting '${named}'`, async () =>
      assert.equal(
        await bed.answerTo((client) =>
          client.send(1, 'exchangeDelete', {
            ticket: 0,
            exchange: named,
            ifUnused: false,
            nowait: false,
          }),
        ),
        answer,
      ));
  }

  const link = { ticket: 0, routingKey: 'k', nowait: false, arguments: emptyTable };
  const links: ReadonlyArray<readonly [string, string, string]> = [
    ['amq.fanout', 'amq.direct', 'exchangeBindOk'],
    ['amq.fanout', 'nope', "NOT_FOUND - no exchange 'nope' in vhost '/'"],
    ['nope', 'amq.direct', "NOT_FOUND - no exchange 'nope' in vhost '/'"],
    ['', 'amq.direct', 'ACCESS_REFUSED - operation not permitted on the default exchange'],
  ];
  for (const [destination, source, answer] of links) {
    test(`'${destination}' bound to '${source}'`, async () =>
      assert.equal(
        await bed.answerTo((client) =>
          client.send(1, 'exchangeBind', { ...link, destination, source }),
        ),
        answer,
      ));
  }

  test('go with their last binding when they delete themselves', () =>
    bed.withChannel(async (client) => {
      const named = bed.freshName();
      client.send(1, 'exchangeDeclare', exchange({ exchange: named, autoDelete: true }));
      await client.next('exchangeDeclareOk');
      client.send(1, 'queueDeclare', queue({ exclusive: true }));
      await client.next('queueDeclareOk');
      const binding = {
        ticket: 0,
        queue: '',
        exchange: named,
        routingKey: 'a',
        arguments: emptyTable,
      };
      client.send(1, 'queueBind', { ...binding, nowait: false });
      await client.next('queueBindOk');
      client.send(1, 'queueUnbind', binding);
      await client.next('queueUnbindOk');
      client.send(1, 'exchangeDeclare', exchange({ exchange: named, passive: true }));
      assert.equal(await answerOf(client), `NOT_FOUND - no exchange '${named}' in vhost '/'`);
    }));
});

describe('permissions', () => {
  before(async () => {
    await bed.broker.access.putUser({ name: 'narrow', tags: [], password: 'pw' });
    await bed.broker.access.putPermission({
      user: 'narrow',
      namespace: '',
      configure: '^mine',
      write: '^mine',
      read: '^mine',
    });
  });

  const bind = { ticket: 0, nowait: false, arguments: emptyTable, routingKey: '' };
  const cases: ReadonlyArray<readonly [string, (client: RawClient) => void, string]> = [
    [
      'declaring',
      (client) => client.send(1, 'queueDeclare', queue({ queue: 'yours' })),
      "configure access to queue 'yours' in vhost '/' refused for user 'narrow'",
    ],
    [
      'binding',
      (client) => client.send(1, 'queueBind', { ...bind, queue: 'yours', exchange: 'amq.direct' }),
      "write access to queue 'yours' in vhost '/' refused for user 'narrow'",
    ],
    [
      'binding to a foreign exchange',
      (client) => client.send(1, 'queueBind', { ...bind, queue: 'mine', exchange: 'amq.direct' }),
      "read access to exchange 'amq.direct' in vhost '/' refused for user 'narrow'",
    ],
    [
      'dead letters to a foreign exchange',
      (client) =>
        client.send(
          1,
          'queueDeclare',
          queue({
            queue: 'mine',
            arguments: table({ 'x-dead-letter-exchange': text('amq.direct') }),
          }),
        ),
      "write access to exchange 'amq.direct' in vhost '/' refused for user 'narrow'",
    ],
  ];
  for (const [name, act, refusal] of cases) {
    test(`${name} is refused`, async () => {
      const client = await RawClient.open(bed.door.port, { user: 'narrow', password: 'pw' });
      await client.openChannel(1);
      act(client);
      assert.equal(await answerOf(client), `ACCESS_REFUSED - ${refusal}`);
      client.destroy();
    });
  }
});

describe('vhosts', () => {
  test('keep names apart', async () => {
    await bed.broker.access.putNamespace({
      name: 'other',
      description: '',
      tags: [],
      attributes: {},
      limits: {},
    });
    await bed.broker.access.putPermission({
      user: 'guest',
      namespace: 'other',
      configure: '.*',
      write: '.*',
      read: '.*',
    });
    await bed.withChannel(async (client) => {
      client.send(1, 'queueDeclare', queue({ queue: 'apart', durable: true }));
      await client.next('queueDeclareOk');
    }, 'other');
    assert.ok(bed.broker.queues.find('other', 'apart') !== undefined);
    assert.equal(
      await bed.answerTo((client) =>
        client.send(1, 'queueDeclare', queue({ queue: 'apart', passive: true })),
      ),
      "NOT_FOUND - no queue 'apart' in vhost '/'",
    );
  });
});

describe('amqplib', () => {
  test('declares, binds, unbinds and deletes', async () => {
    const client = await connect(`amqp://guest:guest@127.0.0.1:${bed.door.port}`);
    const channel = await client.createChannel();
    await channel.assertExchange('lib.x', 'topic', { durable: true, alternateExchange: 'lib.ae' });
    await channel.assertExchange('lib.y', 'fanout', { durable: false });
    const named = await channel.assertQueue('lib.q', {
      maxLength: 5,
      messageTtl: 60_000,
      maxPriority: 3,
    });
    assert.deepEqual({ ...named }, { queue: 'lib.q', messageCount: 0, consumerCount: 0 });
    const server = await channel.assertQueue('', { exclusive: true });
    assert.match(server.queue, /^amq\.gen-/);
    await channel.bindQueue('lib.q', 'lib.x', 'a.#');
    await channel.bindExchange('lib.y', 'lib.x', '#');
    assert.equal(bed.broker.exchanges.listBindings({ namespace: '', source: 'lib.x' }).length, 2);
    await channel.unbindExchange('lib.y', 'lib.x', '#');
    await channel.unbindQueue('lib.q', 'lib.x', 'a.#');
    assert.deepEqual({ ...(await channel.purgeQueue('lib.q')) }, { messageCount: 0 });
    assert.deepEqual({ ...(await channel.deleteQueue('lib.q')) }, { messageCount: 0 });
    await channel.deleteExchange('lib.x');
    await channel.deleteExchange('lib.y');
    await client.close();
    assert.equal(bed.broker.queues.find('', server.queue), undefined);
  });
});
