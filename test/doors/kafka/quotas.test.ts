import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { type Clock, SystemClock, SystemRandom, type Timer } from '../../../src/base/index.ts';
import { Broker, type QuotaName, type QuotaSubject } from '../../../src/broker/index.ts';
import { RecordBatchBuilder } from '../../../src/bytes/index.ts';
import { errorCodes } from '../../../src/doors/kafka/error-codes.ts';
import { KafkaDoor } from '../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { WireClient } from './wire-client.ts';

/** Its time stands still until it is moved; long timers wait for that, short ones are real. */
class HeldClock extends SystemClock implements Clock {
  #nowMs = 1000;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  override monotonicMs(): number {
    return this.#nowMs;
  }

  override setTimer(ms: number, callback: () => void): Timer {
    if (ms < 400) return super.setTimer(ms, callback);
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  move(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers) {
      if (timer.atMs > this.#nowMs) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
  }
}

async function open(t: TestContext) {
  const clock = new HeldClock();
  const broker = await Broker.open({ store: 'memory', clock });
  const door = await KafkaDoor.open({
    broker,
    clock,
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
  });
  const clients: WireClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await door.close(0);
    await broker.close();
  });
  const connect = async (): Promise<WireClient> => {
    const client = await WireClient.connect(door.port);
    clients.push(client);
    return client;
  };
  const client = await connect();
  const set = (subject: QuotaSubject, name: QuotaName, value: number): Promise<void> =>
    broker.quotas.change([{ subject, bounds: { [name]: value } }]);
  // The time of what is produced is long ago.
  await broker.createTopic('orders', { options: { retentionMs: -1 } });
  return { clock, broker, client, connect, set };
}

function produce(client: WireClient, valueBytes: number, acks = -1) {
  const builder = new RecordBatchBuilder();
  builder.add({ key: null, value: Buffer.alloc(valueBytes), headers: [], timestampMs: 1 });
  const request = {
    acks,
    timeoutMs: 1000,
    topicData: [{ name: 'orders', partitionData: [{ index: 0, records: builder.build() }] }],
  };
  if (acks !== 0) return client.ask('Produce', 9, request);
  client.socket.write(client.encode('Produce', 9, request).bytes);
  return undefined;
}

function fetchAll(client: WireClient) {
  return client.ask('Fetch', 11, {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1 << 20,
    sessionEpoch: -1,
    topics: [
      {
        topic: 'orders',
        partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }],
      },
    ],
    forgottenTopicsData: [],
  });
}

/** Whether the promise is still open when everything that was on its way has arrived. */
async function isWaiting(promise: Promise<unknown>, other: WireClient): Promise<boolean> {
  let isOpen = true;
  void promise.finally(() => (isOpen = false)).catch(() => undefined);
  // Others are served meanwhile, and that takes as long as it does.
  for (let turn = 0; turn < 3; turn++) await other.ask('Metadata', 5, { topics: [] });
  return isOpen;
}

describe('quotas of clients', () => {
  test('let a producer that sent too much pause, and nobody else', async (t) => {
    const { clock, client, connect, set } = await open(t);
    const other = await connect();
    await set({ client: 'wire-client' }, 'publishedBytes', 1000);
    assert.equal((await produce(client, 9000))?.throttleTimeMs, 0);
    const excess = await produce(client, 2000);
    assert.ok(excess !== undefined && excess.throttleTimeMs > 1000 && excess.throttleTimeMs < 1500);
    assert.equal(excess.responses[0]?.partitionResponses[0]?.errorCode, errorCodes.NONE);
    const next = client.ask('Metadata', 5, { topics: [] });
    assert.ok(await isWaiting(next, other), 'the client is not read');
    clock.move(excess.throttleTimeMs);
    assert.equal((await next).throttleTimeMs, 0);
  });

  test('let producers pause that want no answer', async (t) => {
    const { clock, client, connect, set } = await open(t);
    const other = await connect();
    await set({ user: 'ANONYMOUS' }, 'publishedBytes', 1000);
    void produce(client, 11_000, 0);
    const next = client.ask('Metadata', 5, { topics: [] });
    assert.ok(await isWaiting(next, other));
    clock.move(60_000);
    await next;
  });

  test('count what consumers are sent', async (t) => {
    const { clock, client, set } = await open(t);
    await produce(client, 20_000);
    assert.equal((await fetchAll(client)).throttleTimeMs, 0);
    await set({ user: null }, 'readBytes', 10_000);
    // About five of them are what may be had at once.
    for (let count = 0; count < 4; count++)
      assert.equal((await fetchAll(client)).throttleTimeMs, 0);
    const { throttleTimeMs, responses } = await fetchAll(client);
    assert.ok(throttleTimeMs > 0 && throttleTimeMs < 500);
    assert.ok((responses[0]?.partitions[0]?.records?.length ?? 0) > 20_000);
    clock.move(60_000);
    assert.equal((await fetchAll(client)).throttleTimeMs, 0, 'what was owed is paid');
  });

  test('refuse changes of too many partitions to clients that know it, and let older ones pause', async (t) => {
    const { clock, client, connect, set } = await open(t);
    await set({ client: null }, 'partitionChanges', 1);
    const make = (name: string, version: number, of = client) =>
      of.ask('CreateTopics', version, {
        topics: [{ name, numPartitions: 12, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs: 1000,
      });
    assert.equal((await make('a', 6)).topics[0]?.errorCode, errorCodes.NONE);
    const refused = await make('b', 6);
    assert.equal(refused.topics[0]?.errorCode, errorCodes.THROTTLING_QUOTA_EXCEEDED);
    assert.equal(refused.throttleTimeMs, 2000);
    const older = await connect();
    const permitted = await make('b', 5, older);
    assert.equal(permitted.topics[0]?.errorCode, errorCodes.NONE);
    assert.equal(permitted.throttleTimeMs, 14_000);
    const third = await connect();
    const kept = await third.ask('DeleteTopics', 5, { topicNames: ['a'], timeoutMs: 1000 });
    assert.equal(kept.responses[0]?.errorCode, errorCodes.THROTTLING_QUOTA_EXCEEDED);
    const fourth = await connect();
    const grown = await fourth.ask('CreatePartitions', 3, {
      topics: [{ name: 'orders', count: 5, assignments: null }],
      timeoutMs: 1000,
      validateOnly: false,
    });
    assert.equal(grown.results[0]?.errorCode, errorCodes.THROTTLING_QUOTA_EXCEEDED);
    clock.move(60_000);
    assert.equal((await make('c', 6)).topics[0]?.errorCode, errorCodes.NONE);
  });

  test('let an address that connects too often wait', async (t) => {
    const { clock, client, connect, set } = await open(t);
    await set({ address: '127.0.0.1' }, 'connections', 1);
    for (let count = 0; count < 10; count++) await connect();
    const late = await connect();
    const answer = late.ask('Metadata', 5, { topics: [] });
    assert.ok(await isWaiting(answer, client));
    clock.move(1000);
    await answer;
  });

  test('are set, described and taken away by administrators', async (t) => {
    const { broker, client } = await open(t);
    const alter = (
      entity: Array<[string, string | null]>,
      ops: Array<[key: string, value: number | null]>,
      validateOnly = false,
    ) =>
      client.ask('AlterClientQuotas', 1, {
        entries: [
          {
            entity: entity.map(([entityType, entityName]) => ({ entityType, entityName })),
            ops: ops.map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
          },
        ],
        validateOnly,
      });
    const describeAll = async (
      components: Array<[string, number, string | null]>,
      strict = false,
    ) => {
      const { errorCode, entries } = await client.ask('DescribeClientQuotas', 1, {
        components: components.map(([entityType, matchType, match]) => ({
          entityType,
          matchType,
          match,
        })),
        strict,
      });
      assert.equal(errorCode, errorCodes.NONE);
      return (entries ?? []).map(({ entity, values }) => [
        entity.map(({ entityType, entityName }) => `${entityType}=${entityName ?? '*'}`).join(),
        Object.fromEntries(values.map(({ key, value }) => [key, value])),
      ]);
    };
    await alter(
      [['user', 'ann']],
      [
        ['producer_byte_rate', 1024],
        ['request_percentage', 12.5],
      ],
    );
    await alter(
      [
        ['client-id', 'c'],
        ['user', 'ann'],
      ],
      [['consumer_byte_rate', 2048]],
    );
    await alter([['user', null]], [['controller_mutation_rate', 0.5]]);
    await alter([['ip', '10.0.0.1']], [['connection_creation_rate', 3]]);
    await alter([['user', 'bob']], [['producer_byte_rate', 1]], true);
    const all = [
      ['user=ann', { producer_byte_rate: 1024, request_percentage: 12.5 }],
      ['client-id=c,user=ann', { consumer_byte_rate: 2048 }],
      ['user=*', { controller_mutation_rate: 0.5 }],
      ['ip=10.0.0.1', { connection_creation_rate: 3 }],
    ];
    assert.deepEqual(await describeAll([]), all);
    const [told] = (
      await alter(
        [
          ['user', 'a'],
          ['client-id', 'b'],
        ],
        [],
        true,
      )
    ).entries;
    assert.deepEqual(
      told?.entity.map(({ entityType }) => entityType),
      ['client-id', 'user'],
    );
    assert.deepEqual(await describeAll([['user', 2, null]]), all.slice(0, 3));
    assert.deepEqual(await describeAll([['user', 0, 'ann']], true), all.slice(0, 1));
    assert.deepEqual(await describeAll([['user', 1, null]]), all.slice(2, 3));
    assert.deepEqual(await describeAll([['ip', 2, null]]), all.slice(3));
    await alter(
      [['user', 'ann']],
      [
        ['producer_byte_rate', null],
        ['request_percentage', null],
      ],
    );
    assert.deepEqual(await describeAll([['user', 0, 'ann']]), all.slice(1, 2));
    assert.equal(broker.quotas.list().length, 3);

    for (const [entity, ops, problem] of [
      [[], [['producer_byte_rate', 1]], /empty/],
      [[['group', 'g']], [['producer_byte_rate', 1]], /entity type/],
      [
        [
          ['user', 'a'],
          ['user', 'b'],
        ],
        [['producer_byte_rate', 1]],
        /Duplicate/,
      ],
      [
        [
          ['ip', '10.0.0.1'],
          ['user', 'b'],
        ],
        [['connection_creation_rate', 1]],
        /combination/,
      ],
      [[['user', 'a']], [['connection_creation_rate', 1]], /Invalid configuration key/],
      [[['user', 'a']], [['no_rate', 1]], /Invalid configuration key/],
      [[['user', 'a']], [['producer_byte_rate', 0]], /greater than 0/],
      [[['user', 'a']], [['producer_byte_rate', 0.5]], /Long/],
    ] as Array<[Array<[string, string]>, Array<[string, number]>, RegExp]>) {
      const { entries } = await alter(entity, ops);
      assert.equal(entries[0]?.errorCode, errorCodes.INVALID_REQUEST);
      assert.match(entries[0]?.errorMessage ?? '', problem);
    }
    assert.equal(broker.quotas.list().length, 3);
  });

  test('measure work on requests', async (t) => {
    const { broker, clock, client, set } = await open(t);
    await set({ client: 'wire-client' }, 'requestMs', 1);
    // Time passes while the broker lists its topics.
    const list = broker.topics.list.bind(broker.topics);
    broker.topics.list = (namespace) => {
      clock.move(30);
      return list(namespace);
    };
    const { throttleTimeMs } = await client.ask('Metadata', 5, { topics: null });
    assert.equal(throttleTimeMs, 1000, 'never longer at once');
    const next = client.ask('ApiVersions', 0, {});
    clock.move(1000);
    await next;
  });
});
