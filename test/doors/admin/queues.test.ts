import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AdminDoor } from '../../../src/doors/admin/index.ts';
import { silentLog } from '../../../src/net/index.ts';

let broker: Broker;
let door: AdminDoor;

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
      listDoors: () => [],
      findProblems: () => [],
      renderMetrics: () => Promise.resolve(''),
    },
    log: silentLog,
  });
});
after(() => door.close(0));
beforeEach(async () => {
  broker = await Broker.open({ store: 'memory' });
});
afterEach(() => broker.close());

interface Answer {
  status: number;
  headers: Headers;
  /** Reads a member by its path: `messages.0.key`. */
  at(path: string): unknown;
}

async function call(method: string, target: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${door.port}/api/v1${target}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const json: unknown = JSON.parse(await response.text());
  return {
    status: response.status,
    headers: response.headers,
    at: (path) => path.split('.').reduce(readMember, json),
  };
}

function readMember(value: unknown, key: string): unknown {
  assert.ok(typeof value === 'object' && value !== null, `nothing has the member ${key}`);
  return Object.entries(value).find(([name]) => name === key)?.[1];
}

/** Waits for a message, and again where the machine stood still for as long as a wait lasts. */
async function receive(queue: string): Promise<Answer> {
  const answer = await call('POST', `/queues/${queue}/receive`, { waitMs: 10_000 });
  return answer.at('messages.0') === undefined ? receive(queue) : answer;
}

function send(queue: string, ...messages: object[]): Promise<Answer> {
  return call('POST', `/queues/${queue}/messages`, { messages });
}

describe('queues', () => {
  test('are created, listed, described, changed and deleted', async () => {
    const created = await call('POST', '/queues', {
      name: 'mails',
      settings: { failuresMax: 3, deadLetter: { key: 'dead' } },
      form: { priorityMax: 5 },
    });
    assert.equal(created.status, 201);
    assert.equal(created.headers.get('location'), '/api/v1/queues/mails');
    assert.deepEqual(created.at('settings.deadLetter'), { exchange: '', key: 'dead' });
    assert.equal(created.at('settings.filter'), null);
    assert.equal(created.at('form.priorityMax'), 5);
    const again = await call('POST', '/queues', { name: 'mails', settings: { failuresMax: 9 } });
    assert.equal(again.status, 200);
    assert.equal(again.at('settings.failuresMax'), 3);
    await call('POST', '/queues', { name: 'a b/c', namespace: 'n' });
    await call('POST', '/queues', { name: 'mails', subscription: 'audit' });
    const list = await call('GET', '/queues?limit=2');
    assert.equal(list.at('total'), 3);
    assert.equal(list.at('next'), 2);
    assert.equal(list.at('queues.1.subscription'), 'audit');
    assert.equal((await call('GET', '/queues?from=2')).at('queues.0.name'), 'a b/c');
    assert.equal((await call('GET', '/queues?namespace=n')).at('total'), 1);
    const subscriptions = await call('GET', '/topics/mails/subscriptions');
    assert.equal(subscriptions.at('subscriptions.1.subscription'), 'audit');
    const changed = await call('PATCH', '/queues/mails', {
      settings: { failuresMax: null, leaseMs: 500 },
    });
    assert.equal(changed.at('settings.failuresMax'), -1);
    assert.equal(changed.at('settings.leaseMs'), 500);
    assert.equal((await call('DELETE', '/queues/a%20b%2Fc?namespace=n')).status, 200);
    assert.equal((await call('GET', '/queues/a%20b%2Fc?namespace=n')).status, 404);
  });

  const refusals: ReadonlyArray<readonly [string, unknown, number, string]> = [
    ['a wrong name', { name: '' }, 400, 'topic-name-invalid'],
    ['a wrong member', { name: 'q', size: 1 }, 400, 'body-invalid'],
    ['a wrong setting', { name: 'q', settings: { failuresMax: -7 } }, 400, 'config-invalid'],
    ['a wrong word', { name: 'q', settings: { overflow: 'burst' } }, 400, 'body-invalid'],
    ['no partition', { name: 'q', partitions: 0 }, 400, 'body-invalid'],
  ];
  for (const [what, body, status, code] of refusals) {
    test(`${what} is refused`, async () => {
      const answer = await call('POST', '/queues', body);
      assert.equal(answer.status, status);
      assert.equal(answer.at('code'), code);
      assert.deepEqual(broker.queues.list(), []);
    });
  }

  test('conditions of a deletion are kept', async () => {
    await call('POST', '/queues', { name: 'q' });
    await send('q', { value: 'm' });
    const refused = await call('DELETE', '/queues/q?ifEmpty=true');
    assert.equal(refused.status, 409);
    assert.equal(refused.at('code'), 'queue-not-empty');
    assert.equal((await call('DELETE', '/queues/q?ifEmpty=perhaps')).status, 400);
    assert.equal((await call('DELETE', '/queues/q?ifUnused=true')).at('readyCount'), 1);
  });
});

describe('messages', () => {
  beforeEach(async () => {
    await call('POST', '/queues', { name: 'q', settings: { keepSettledMs: 3_600_000 } });
  });

  test('are sent, looked at, received and settled by their receipts', async () => {
    const sent = await send(
      'q',
      { value: 'one', key: 'k', headers: { n: 1, t: 'x' }, contentType: 'text/plain' },
      { value: '//8=', valueEncoding: 'base64' },
      { value: 'three' },
    );
    assert.equal(sent.status, 201);
    assert.deepEqual(sent.at('results.2'), { outcome: 'stored' });
    const peeked = await call('GET', '/queues/q/messages?limit=2');
    assert.equal(peeked.at('messages.0.value'), 'one');
    assert.equal(peeked.at('messages.1.value'), '//8=');
    assert.equal(peeked.at('messages.1.valueEncoding'), 'base64');
    assert.equal(peeked.at('messages.2'), undefined);
    const received = await call('POST', '/queues/q/receive', { max: 10 });
    assert.equal(received.at('leaseMs'), 30_000);
    assert.equal(received.at('messages.0.key'), 'k');
    assert.equal(received.at('messages.0.deliveries'), 1);
    assert.deepEqual(received.at('messages.0.properties'), { contentType: 'text/plain' });
    assert.deepEqual(received.at('messages.0.headers'), [
      { name: 'n', type: 'int32', value: '1', encoding: 'utf8' },
      { name: 't', type: 'text', value: 'x', encoding: 'utf8' },
    ]);
    assert.deepEqual((await call('POST', '/queues/q/receive', {})).at('messages'), []);
    const receipts = [0, 1, 2].map((index) => received.at(`messages.${index}.receipt`));
    const settled = await call('POST', '/queues/q/settle', {
      settlements: [
        { receipt: receipts[0] },
        { receipt: receipts[1], outcome: 'reject' },
        { receipt: receipts[2], outcome: 'release', delayMs: 0 },
        { receipt: '0.99.1' },
        { receipt: 'nonsense' },
      ],
    });
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((index) => settled.at(`results.${index}.isSettled`)),
      [true, true, true, false, false],
    );
    const again = await call('POST', '/queues/q/receive', {});
    assert.equal(again.at('messages.0.value'), 'three');
    assert.equal(again.at('messages.0.deliveries'), 2);
    const receipt = again.at('messages.0.receipt');
    const extended = await call('POST', '/queues/q/settle', {
      settlements: [{ receipt, outcome: 'extend', leaseMs: 60_000 }],
    });
    assert.equal(extended.at('results.0.isSettled'), true);
    assert.equal((await call('GET', '/queues/q')).at('counts.leased'), 1);
  });

  test('are waited for', async () => {
    const waiting = receive('q');
    await send('q', { value: 'late' });
    assert.equal((await waiting).at('messages.0.value'), 'late');
  });

  test('come back when their lease ends', async () => {
    await send('q', { value: 'm' });
    const first = await call('POST', '/queues/q/receive', { leaseMs: 20 });
    const second = await receive('q');
    assert.equal(second.at('messages.0.deliveries'), 2);
    const late = await call('POST', '/queues/q/settle', {
      settlements: [{ receipt: first.at('messages.0.receipt') }],
    });
    assert.equal(late.at('results.0.isSettled'), false);
  });

  test('are purged, and given out again after a rewind', async () => {
    await send('q', { value: 'one' }, { value: 'two' });
    assert.equal((await call('POST', '/queues/q/purge')).at('purgedCount'), 2);
    assert.equal((await call('GET', '/queues/q')).at('ready'), 0);
    const rewound = await call('POST', '/queues/q/rewind', { toTime: '2020-01-01T00:00:00Z' });
    assert.equal(rewound.at('ready'), 2);
    await call('POST', '/queues/q/purge');
    assert.equal((await call('POST', '/queues/q/rewind', { toOffset: 1 })).at('ready'), 1);
    assert.equal((await call('POST', '/queues/q/rewind', { offsets: { 7: 1 } })).status, 404);
    assert.equal((await call('POST', '/queues/q/rewind', {})).status, 400);
  });

  test('that nothing takes are refused', async () => {
    assert.equal((await send('none', { value: 'm' })).at('code'), 'queue-not-found');
    assert.equal((await send('q')).status, 400);
    assert.equal((await send('q', { value: 'm', size: 1 })).status, 400);
    assert.equal((await send('q', { value: 'm', delayMs: -1 })).status, 400);
    assert.equal((await call('POST', '/queues/q/receive', { max: 0 })).status, 400);
    const settle = { settlements: [{ receipt: '0.0.1', outcome: 'forget' }] };
    assert.equal((await call('POST', '/queues/q/settle', settle)).status, 400);
  });
});
