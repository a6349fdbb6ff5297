import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { SystemClock, SystemRandom } from '../../../../src/base/index.ts';
import { loadManagement } from '../../../../src/doors/amqp091/index.ts';
import { silentLog } from '../../../../src/net/index.ts';
import { until } from '../../../support/until.ts';
import { type ManagementBed, openBed } from './management-bed.ts';

/** In the form of an export of RabbitMQ 3.10, with what later and earlier ones have. */
const text = readFileSync(path.join(import.meta.dirname, 'definitions.json'), 'utf8');
const file: Record<string, unknown> = JSON.parse(text);

async function exported({ call }: ManagementBed): Promise<Record<string, unknown>> {
  const { status, json } = await call('GET', 'definitions');
  assert.equal(status, 200);
  assert.ok(json !== null && typeof json === 'object');
  return { ...json };
}

/** Without order, and without what only one side says. */
function comparable(value: unknown): unknown[] {
  assert.ok(Array.isArray(value));
  return value
    .map((item: Record<string, unknown>) => {
      const { type, internal } = item;
      const entries = Object.entries(item)
        .filter(([key]) => key !== 'type')
        .concat(internal === undefined ? [] : [['type', type]]);
      return JSON.stringify(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
    })
    .toSorted();
}

describe('the management: definitions', () => {
  test('a file of RabbitMQ gives the same topology, however often it comes', async (t) => {
    const bed = await openBed(t);
    for (let round = 0; round < 2; round += 1) {
      const { status, json } = await bed.call('POST', 'definitions', file);
      assert.equal(status, 204, JSON.stringify(json));
    }
    const found = await exported(bed);
    for (const kind of ['exchanges', 'bindings', 'policies', 'topic_permissions'])
      assert.deepEqual(comparable(found[kind]), comparable(file[kind]), kind);
    const { queues } = found;
    assert.ok(Array.isArray(queues));
    const types = queues.map(({ name, type }) => `${name} ${type}`).toSorted(byText);
    assert.deepEqual(types, [
      'amq.gen-kept classic',
      'audit stream',
      // Its vhost says what it is.
      'lost quorum',
      'orders classic',
    ]);
    assert.deepEqual(
      (await bed.call('GET', 'parameters/vhost-limits/shop%2Feu/limits')).json,
      (Array.isArray(file['parameters']) ? file['parameters'] : [])[0],
    );
    assert.deepEqual((await bed.call('GET', 'cluster-name')).json, { name: 'shop' });
  });

  test('what is published arrives where the file says', async (t) => {
    const bed = await openBed(t);
    await bed.call('POST', 'definitions', file);
    // An administrator needs a permission, too.
    const all = { configure: '.*', write: '.*', read: '.*' };
    await bed.call('PUT', 'permissions/shop%2Feu/guest', all);
    const publish = (routingKey: string, headers: object = {}) =>
      bed.call('POST', 'exchanges/shop%2Feu/events/publish', {
        properties: { headers },
        routing_key: routingKey,
        payload: routingKey,
        payload_encoding: 'string',
      });
    for (let index = 0; index < 4; index += 1) await publish(`order.${index}`);
    await publish('other');
    await publish('copy.a', { audit: true });
    const read = async (queue: string): Promise<unknown[]> => {
      const { json } = await bed.call('POST', `queues/shop%2Feu/${queue}/get`, {
        count: 10,
        ackmode: 'ack_requeue_true',
        encoding: 'auto',
      });
      assert.ok(Array.isArray(json));
      return json.map(({ payload }) => payload);
    };
    // The operator's limit of three, and the dead letters of the policy.
    assert.deepEqual(await read('orders'), ['order.1', 'order.2', 'order.3']);
    let lost: unknown[] = [];
    // Dead letters take a moment.
    await until(async () => (lost = await read('lost')).length >= 2);
    assert.deepEqual(lost.map(String).toSorted(byText), ['order.0', 'other']);
    const audit = bed.broker.topics.find('audit', 'shop/eu');
    assert.equal(audit?.partitions[0]?.highWatermark, 1);
  });

  test('users come with their passwords', async (t) => {
    const bed = await openBed(t);
    await bed.call('POST', 'definitions', file);
    const { access } = bed.broker;
    assert.equal((await access.authenticate('app', 'app-pw'))?.name, 'app');
    assert.deepEqual((await access.authenticate('old', 'old-pw'))?.tags, [
      'monitoring',
      'policymaker',
    ]);
    assert.equal(await access.authenticate('app', 'old-pw'), undefined);
    assert.equal(access.findUser('odd')?.password, undefined);
    assert.deepEqual(access.findUser('app')?.limits, { 'max-connections': 5 });
  });

  test('an export can be imported elsewhere, passwords that were set here included', async (t) => {
    const first = await openBed(t);
    await first.call('POST', 'definitions', file);
    await first.call('PUT', 'users/mine', { password: 'set here', tags: 'management' });
    const definitions = await exported(first);
    const second = await openBed(t);
    assert.equal((await second.call('POST', 'definitions', definitions)).status, 204);
    const again = await exported(second);
    const { global_parameters: _one, ...expected } = definitions;
    const { global_parameters: _other, ...found } = again;
    assert.deepEqual(found, expected);
    assert.equal((await second.broker.access.authenticate('mine', 'set here'))?.name, 'mine');
  });

  test('one vhost goes into another', async (t) => {
    const { call } = await openBed(t);
    await call('POST', 'definitions', file);
    const { json } = await call('GET', 'definitions/shop%2Feu');
    await call('PUT', 'vhosts/copy', {});
    assert.equal((await call('POST', 'definitions/copy', json)).status, 204);
    const { json: queues } = await call('GET', 'queues/copy?columns=name');
    assert.deepEqual(queues, [{ name: 'audit' }, { name: 'lost' }, { name: 'orders' }]);
  });

  const wrong: ReadonlyArray<readonly [body: unknown, reason: unknown]> = [
    ['{x', 'failed_to_parse_json'],
    [{ queues: [{ name: 'q', vhost: 'nope' }] }, ['no_such_vhost', 'nope']],
    [{ queues: [{ vhost: '/' }] }, '[{key_missing,name}]'],
    [{ queues: 7 }, ['not_a_list', 'queues']],
    [{ exchanges: [{ name: 'x', vhost: '/', type: 'x-nope' }] }, "unknown exchange type 'x-nope'"],
    [
      { parameters: [{ component: 'nope', name: 'n', vhost: '/', value: 1 }] },
      'Validation failed\n\ncomponent nope not found\n',
    ],
  ];
  for (const [body, reason] of wrong) {
    test(`tells what cannot be made: ${JSON.stringify(reason)}`, async (t) => {
      const { call } = await openBed(t);
      const { status, json } = await call('POST', 'definitions', body);
      assert.equal(status, 400);
      assert.deepEqual(json, { error: 'bad_request', reason });
    });
  }

  test('a file is imported without a door', async (t) => {
    const { broker } = await openBed(t);
    const { importDefinitionsText } = await loadManagement();
    const parts = {
      broker,
      clock: new SystemClock(),
      random: new SystemRandom(),
      log: silentLog,
      version: '0.0.0',
    };
    await importDefinitionsText(parts, text);
    assert.ok(broker.queues.find('shop/eu', 'orders') !== undefined);
    await assert.rejects(
      importDefinitionsText(parts, '{"queues":[{"name":"q","vhost":"nope"}]}'),
      /^Error: no_such_vhost: nope$/,
    );
  });
});

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
