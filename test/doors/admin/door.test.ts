import assert from 'node:assert/strict';
import { request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { AdminDoor } from '../../../src/doors/admin/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { until } from '../../support/until.ts';

let broker: Broker;
let problems: string[] = [];
let door: AdminDoor;
const metricsText = 'pabal_up 1\n';

before(async () => {
  door = await AdminDoor.open({
    host: '127.0.0.1',
    port: 0,
    hostNames: [],
    connectionsMax: 10,
    peerStallMs: 60_000,
    context: {
      get broker() {
        return broker;
      },
      clock: new SystemClock(),
      random: new SystemRandom(),
      version: '9.9.9',
      listDoors: () => [{ name: 'kafka', host: '127.0.0.1', port: 9092 }],
      findProblems: () => problems,
      renderMetrics: async () => metricsText,
    },
    log: silentLog,
  });
});
after(() => door.close(0));
beforeEach(async () => {
  broker = await Broker.open({ store: 'memory' });
  problems = [];
});
afterEach(() => broker.close());

interface Answer {
  status: number;
  type: string;
  headers: Headers;
  text: string;
  /** Reads a member by its path: `messages.0.key`. */
  at(path: string): unknown;
}

async function call(method: string, target: string, body?: unknown, headers = {}): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${door.port}${target}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  const json: unknown = type.includes('json') && text !== '' ? JSON.parse(text) : undefined;
  return {
    status: response.status,
    type,
    headers: response.headers,
    text,
    at: (path) => path.split('.').reduce(readMember, json),
  };
}

function readMember(value: unknown, key: string): unknown {
  assert.ok(typeof value === 'object' && value !== null, `nothing has the member ${key}`);
  return Object.entries(value).find(([name]) => name === key)?.[1];
}

async function publish(topic: string, messages: object[]): Promise<Answer> {
  return call('POST', `/api/v1/topics/${topic}/messages`, { messages });
}

describe('health', () => {
  test('live says that the process answers', async () => {
    const answer = await call('GET', '/health/live');
    assert.equal(answer.status, 200);
    assert.equal(answer.at('status'), 'live');
  });

  test('ready is 503 with the reasons while the broker has problems', async () => {
    assert.equal((await call('GET', '/health/ready')).status, 200);
    problems = ['the disk is full'];
    const answer = await call('GET', '/health/ready');
    assert.equal(answer.status, 503);
    assert.equal(answer.at('reasons.0'), 'the disk is full');
  });

  test('metrics are Prometheus text', async () => {
    const answer = await call('GET', '/metrics');
    assert.match(answer.type, /^text\/plain; version=0\.0\.4/);
    assert.equal(answer.text, metricsText);
  });
});

describe('topics', () => {
  test('are created, listed, described, changed and deleted', async () => {
    const created = await call('POST', '/api/v1/topics', {
      name: 'orders',
      partitions: 2,
      options: { retentionMs: 5000 },
    });
    assert.equal(created.status, 201);
    assert.equal(created.headers.get('location'), '/api/v1/topics/orders');
    assert.equal(created.at('partitions.1.highWatermark'), 0);
    assert.equal((await call('GET', '/api/v1/topics')).at('topics.0.name'), 'orders');
    assert.equal((await call('GET', '/api/v1/topics/orders')).at('options.retentionMs'), 5000);

    const changed = await call('PATCH', '/api/v1/topics/orders', {
      partitions: 3,
      options: { retentionMs: null, cleanup: 'compact' },
    });
    assert.equal(changed.status, 200);
    assert.equal(changed.at('partitionCount'), 3);
    assert.equal(changed.at('options.retentionMs'), 604_800_000);
    assert.equal(changed.at('ownOptions.cleanup'), 'compact');

    assert.equal((await call('DELETE', '/api/v1/topics/orders')).status, 204);
    assert.equal((await call('GET', '/api/v1/topics/orders')).status, 404);
  });

  test('a dry run creates nothing', async () => {
    const answer = await call('POST', '/api/v1/topics', { name: 'x', isDryRun: true });
    assert.equal(answer.status, 200);
    assert.equal((await call('GET', '/api/v1/topics/x')).status, 404);
  });

  test('a name is percent-decoded', async () => {
    await broker.topics.create({ name: 'a_b.c' });
    assert.equal((await call('GET', '/api/v1/topics/a%5Fb%2Ec')).at('name'), 'a_b.c');
  });

  test('what the broker refuses is a problem with its code', async () => {
    await broker.topics.create({ name: 'x' });
    const answer = await call('POST', '/api/v1/topics', { name: 'x' });
    assert.equal(answer.status, 409);
    assert.match(answer.type, /^application\/problem\+json/);
    assert.equal(answer.at('code'), 'topic-exists');
    assert.equal(answer.at('status'), 409);
    assert.match(String(answer.at('detail')), /exists/);
  });

  const refused: ReadonlyArray<readonly [string, unknown, RegExp]> = [
    ['no name', {}, /name must be a text/],
    ['a misspelt member', { name: 'x', partition: 2 }, /no member "partition".*partitions/],
    ['a wrong type', { name: 'x', partitions: '2' }, /partitions must be a whole number/],
    ['an unknown option', { name: 'x', options: { retention: 1 } }, /no member "retention"/],
    ['a wrong word', { name: 'x', options: { cleanup: 'burn' } }, /options.cleanup must be/],
    ['a list', [], /the body must be an object/],
    ['broken JSON', '{', /not JSON/],
  ];
  for (const [name, body, detail] of refused) {
    test(`${name} is refused`, async () => {
      const answer = await call('POST', '/api/v1/topics', body);
      assert.equal(answer.status, 400);
      assert.match(String(answer.at('detail')), detail);
      assert.equal(broker.topics.list().length, 0);
    });
  }
});

describe('messages', () => {
  test('are published by key and browsed, as text or base64', async () => {
    await broker.topics.create({ name: 't', partitions: 4, options: { retentionMs: -1 } });
    const published = await publish('t', [
      { key: 'k', value: 'one', headers: [{ name: 'h', value: 'v' }], timestampMs: 5 },
      { key: 'k', value: Buffer.from([0xff, 0]).toString('base64'), valueEncoding: 'base64' },
      { value: null, partition: 3 },
    ]);
    assert.equal(published.status, 201);
    const partition = published.at('results.0.partition');
    assert.equal(published.at('results.0.offset'), 0);
    assert.equal(door.metrics.forTopic('t').recordsIn, 3);
    assert.equal(published.at('results.1.partition'), partition);
    assert.equal(published.at('results.1.offset'), 1);

    const page = await call(
      'GET',
      `/api/v1/topics/t/messages?partition=${String(partition)}&offset=0`,
    );
    assert.equal(page.at('messages.0.key'), 'k');
    assert.equal(page.at('messages.0.value'), 'one');
    assert.equal(page.at('messages.0.timestampMs'), 5);
    assert.equal(page.at('messages.0.headers.0.name'), 'h');
    assert.equal(page.at('messages.1.value'), '/wA=');
    assert.equal(page.at('messages.1.valueEncoding'), 'base64');
    assert.equal(page.at('positions.0.nextOffset'), partition === 3 ? 3 : 2);
  });

  test('browsing takes the latest by default, and goes on from nextOffset', async () => {
    // The time of what is published is long ago.
    await broker.topics.create({ name: 't', options: { retentionMs: -1 } });
    for (let index = 0; index < 5; index++) {
      await publish('t', [
        { value: `a${index}`, timestampMs: index * 10 },
        { value: `b${index}`, timestampMs: index * 10 + 5 },
      ]);
    }
    const values = async (query: string): Promise<unknown[]> => {
      const page = await call('GET', `/api/v1/topics/t/messages?${query}`);
      assert.equal(page.status, 200, page.text);
      const messages = page.at('messages');
      assert.ok(Array.isArray(messages));
      return messages.map((message) => readMember(message, 'value'));
    };
    assert.deepEqual(await values('limit=3'), ['b3', 'a4', 'b4']);
    assert.deepEqual(await values('limit=3&from=earliest'), ['a0', 'b0', 'a1']);
    assert.deepEqual(await values('limit=2&offset=3'), ['b1', 'a2']);
    assert.deepEqual(await values('limit=2&time=25'), ['b2', 'a3']);
    assert.deepEqual(await values('limit=2&time=1970-01-01T00:00:00.030Z'), ['a3', 'b3']);
    assert.deepEqual(await values('time=999'), []);
    const first = await call('GET', '/api/v1/topics/t/messages?offset=3&limit=2');
    assert.equal(first.at('positions.0.nextOffset'), 5);
  });

  const refused: ReadonlyArray<readonly [string, number, string]> = [
    ['offset=1', 400, 'query-invalid'],
    ['partition=2', 400, 'query-invalid'],
    ['limit=0', 400, 'query-invalid'],
    ['limit=1001', 400, 'query-invalid'],
    ['time=tomorrow', 400, 'query-invalid'],
    ['from=middle', 400, 'query-invalid'],
    ['partion=1', 400, 'query-invalid'],
    ['partition=0&offset=99', 200, ''],
  ];
  for (const [query, status, code] of refused) {
    test(`browsing with ${query} answers ${status}`, async () => {
      await broker.topics.create({ name: 't', partitions: 2 });
      const answer = await call('GET', `/api/v1/topics/t/messages?${query}`);
      assert.equal(answer.status, status, answer.text);
      if (code !== '') assert.equal(answer.at('code'), code);
    });
  }

  test('a message for a partition that does not exist stores nothing', async () => {
    await broker.topics.create({ name: 't' });
    const answer = await publish('t', [{ value: 'x' }, { value: 'y', partition: 1 }]);
    assert.equal(answer.status, 404);
    assert.equal(broker.topics.find('t')?.partitions[0]?.highWatermark, 0);
  });
});

describe('groups', () => {
  test('are listed, described with their lag, and deleted', async () => {
    const topic = await broker.topics.create({ name: 't' });
    await publish('t', [{ value: '1' }, { value: '2' }, { value: '3' }]);
    await broker
      .groupsFor('g')
      .commit('g', undefined, [
        { topicId: topic.id, partition: 0, offset: 1, leaderEpoch: -1, metadata: '' },
      ]);
    assert.equal((await call('GET', '/api/v1/groups')).at('groups.0.groupId'), 'g');
    const group = await call('GET', '/api/v1/groups/g');
    assert.equal(group.at('lag'), 2);
    assert.equal(group.at('offsets.0.topic'), 't');
    assert.equal(group.at('offsets.0.highWatermark'), 3);
    assert.equal((await call('DELETE', '/api/v1/groups/g')).status, 204);
    assert.equal((await call('DELETE', '/api/v1/groups/g')).status, 404);
    assert.equal((await call('GET', '/api/v1/groups/g')).status, 404);
  });
});

describe('the rest', () => {
  test('the cluster says where it listens and how much it stores', async () => {
    const answer = await call('GET', '/api/v1/cluster');
    assert.equal(answer.at('doors.0.port'), 9092);
    assert.equal(answer.at('storage.path'), '/memory');
    assert.ok(Number(answer.at('storage.totalBytes')) > 0);
    assert.equal(answer.at('version'), '9.9.9');
  });

  test('the home page names the endpoints', async () => {
    const answer = await call('GET', '/');
    assert.match(answer.type, /^text\/html/);
    assert.match(answer.text, /href="\/openapi\.json"/);
    assert.match(answer.text, /\/api\/v1\/topics\/\{name\}/);
  });

  test('the home page names the doors with their addresses', async () => {
    const answer = await call('GET', '/');
    assert.match(answer.text, /<td>kafka<\/td><td>127\.0\.0\.1:9092<\/td>/);
  });

  test('an unknown path is 404, an unknown method 405 with those there are', async () => {
    assert.equal((await call('GET', '/api/v1/nothing')).status, 404);
    assert.equal((await call('GET', '/api/v1/topics/')).status, 404);
    const answer = await call('DELETE', '/api/v1/topics');
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.get('allow'), 'GET, POST, HEAD');
  });

  test('HEAD is GET without the body', async () => {
    const answer = await call('HEAD', '/health/live');
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '');
  });

  test('a path that is not percent-encoded is refused', async () => {
    assert.equal((await call('GET', '/api/v1/topics/%ff')).status, 400);
  });
});

describe('protection', () => {
  test('a body that is not declared as JSON is refused', async () => {
    const headers = { 'content-type': 'text/plain' };
    const answer = await call('POST', '/api/v1/topics', '{"name":"x"}', headers);
    assert.equal(answer.status, 415);
    assert.equal(broker.topics.list().length, 0);
  });

  test('a page of another origin cannot change anything', async () => {
    const answer = await call('POST', '/api/v1/topics', { name: 'x' }, { origin: 'http://evil' });
    assert.equal(answer.status, 403);
    assert.equal(broker.topics.list().length, 0);
  });

  test('a foreign host name is refused', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = { host: 'evil.example' };
      sendRequest({ port: door.port, host: '127.0.0.1', path: '/api/v1/topics', headers })
        .on('response', (response) => {
          response.resume();
          resolve(response.statusCode);
        })
        .on('error', reject)
        .end();
    });
    assert.equal(status, 421);
  });

  test('a body beyond the bound is refused and the connection closed', async () => {
    const head =
      'POST /api/v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
      'Content-Length: 99999999999\r\n\r\n';
    const answer = await exchange(head);
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /connection: close/i);
  });

  test('what is not HTTP gets 400 and a closed connection', async () => {
    assert.match(await exchange('\u0000\u0001garbage\r\n\r\n'), /^HTTP\/1\.1 400 /);
  });

  test('headers beyond the bound are refused', async () => {
    const answer = await exchange(
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 4(00|31) /);
  });

  test('connections beyond the bound are closed', async () => {
    const openBefore = door.metrics.connectionsOpen;
    const sockets = Array.from({ length: 30 }, () => connect(door.port, '127.0.0.1'));
    let closedCount = 0;
    await new Promise<void>((resolve) => {
      for (const socket of sockets) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          closedCount += 1;
          if (closedCount === 20) resolve();
        });
      }
    });
    assert.ok(door.metrics.connectionsRefused >= 20);
    for (const socket of sockets) socket.destroy();
    // Those that are still open here would have the next requests refused.
    await until(() => door.metrics.connectionsOpen <= openBefore);
  });

  test('requests are counted by route, so that made-up names make no series', async () => {
    await call('GET', '/api/v1/topics/one');
    await call('GET', '/api/v1/topics/two');
    await call('GET', '/nowhere/at/all');
    const names = [...door.metrics.requests.keys()];
    assert.ok(names.includes('GET /api/v1/topics/{name}'));
    assert.ok(names.includes('other'));
    assert.ok(!names.some((name) => name.includes('one') || name.includes('nowhere')));
  });
});

/** Sends raw bytes and resolves with everything that comes back until the door closes. */
function exchange(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(door.port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
