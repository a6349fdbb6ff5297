import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openBed } from './management-bed.ts';

const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

describe('the management: exchanges, queues, bindings, messages', () => {
  test('declares, tells what differs, and deletes', async (t) => {
    const { call } = await openBed(t);
    const cases: ReadonlyArray<
      readonly [method: string, path: string, body: unknown, status: number, reason?: unknown]
    > = [
      ['PUT', 'exchanges/%2F/x', { type: 'topic', durable: true }, 201],
      ['PUT', 'exchanges/%2F/x', { type: 'topic', durable: 'true' }, 204],
      [
        'PUT',
        'exchanges/%2F/x',
        { type: 'direct', durable: true },
        400,
        "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'direct' but current is 'topic'",
      ],
      ['PUT', 'exchanges/%2F/y', { type: 'nope' }, 400, "unknown exchange type 'nope'"],
      ['PUT', 'exchanges/%2F/amq.y', { type: 'fanout' }, 401, 'Access refused.'],
      ['PUT', 'exchanges/nope/y', {}, 404, 'vhost_not_found'],
      ['PUT', 'exchanges/%2F/y', '{no', 400, 'not_json'],
      ['PUT', 'queues/%2F/y', `{"arguments":{"x":${nested}}}`, 400, 'not_json'],
      ['PUT', 'exchanges/%2F/y', { durable: 'abc' }, 400, ['not_boolean', 'abc']],
      ['PUT', 'queues/%2F/q', { durable: true, arguments: { 'x-max-length': 5 } }, 201],
      [
        'PUT',
        'queues/%2F/q',
        { durable: true, arguments: { 'x-max-length': 6 } },
        400,
        "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received '6' but current is '5'",
      ],
      ['PUT', 'queues/%2F/r', { node: 'other@x' }, 400, 'Node other@x could not be contacted'],
      ['POST', 'bindings/%2F/e/x/q/nope', {}, 404, "no queue 'nope' in vhost '/'"],
      ['POST', 'bindings/%2F/e/x/q/q', { routing_key: 'a' }, 201],
      [
        'DELETE',
        'exchanges/%2F/x?if-unused=true',
        undefined,
        400,
        "exchange 'x' in vhost '/' in use",
      ],
      ['DELETE', 'exchanges/%2F/amq.direct', undefined, 401, 'Access refused.'],
      ['DELETE', 'exchanges/%2F/nope', undefined, 404, 'Not Found'],
      ['DELETE', 'exchanges/%2F/x', undefined, 204],
      ['DELETE', 'queues/%2F/q?if-empty=true', undefined, 204],
      ['GET', 'queues/%2F/q', undefined, 404, 'Not Found'],
      ['GET', 'queues/', undefined, 200],
      ['PATCH', 'queues', undefined, 405, '/api/queues has HEAD, GET, OPTIONS'],
    ];
    for (const [method, path, body, status, reason] of cases) {
      const { status: found, json } = await call(method, path, body);
      assert.equal(found, status, `${method} ${path} ${JSON.stringify(json)}`);
      if (reason === undefined) continue;
      assert.ok(json !== null && typeof json === 'object' && 'reason' in json);
      assert.deepEqual(json.reason, reason);
    }
  });

  // The keys were read from RabbitMQ 3.10 for the same bindings.
  const keyed: ReadonlyArray<readonly [routingKey: string, fields: object, key: string]> = [
    ['', {}, '~'],
    ['a.b', {}, 'a.b'],
    ['a b/c~d%é', {}, 'a+b%2Fc%7Ed%25%C3%A9'],
    ['#', {}, '%23'],
    ['a.b', { x: 'y', n: 1 }, 'a.b~NSeMJA'],
    ['', { 'x-match': 'all', h: 'v', n: 5, f: 1.5, b: true }, '~NvwxIw'],
  ];
  for (const [routingKey, fields, key] of keyed) {
    test(`names the binding ${JSON.stringify([routingKey, fields])} as RabbitMQ does`, async (t) => {
      const { call } = await openBed(t);
      await call('PUT', 'queues/%2F/q', {});
      const path = 'bindings/%2F/e/amq.headers/q/q';
      const made = await call('POST', path, { routing_key: routingKey, arguments: fields });
      assert.equal(made.status, 201);
      assert.equal(made.headers.get('location'), `q/${encodeURIComponent(key)}`);
      const one = `${path}/${encodeURIComponent(key)}`;
      assert.deepEqual((await call('GET', one)).json, {
        source: 'amq.headers',
        vhost: '/',
        destination: 'q',
        destination_type: 'queue',
        routing_key: routingKey,
        arguments: fields,
        properties_key: key,
      });
      assert.equal((await call('DELETE', one)).status, 204);
      assert.deepEqual((await call('GET', path)).json, []);
    });
  }

  test('publishes, and fetches in every mode', async (t) => {
    const { call } = await openBed(t);
    await call('PUT', 'queues/%2F/q', { durable: true });
    const properties = {
      delivery_mode: 2,
      headers: { a: 1, b: 'x', c: [1, '2'], d: { e: true }, f: 1.5 },
      content_type: 'text/plain',
      priority: 3,
      timestamp: 1_700_000_000,
      message_id: 'm',
    };
    const publish = (routingKey: string, payload: string, encoding: string, own: object = {}) =>
      call('POST', 'exchanges/%2F/amq.default/publish', {
        properties: own,
        routing_key: routingKey,
        payload,
        payload_encoding: encoding,
      });
    assert.deepEqual((await publish('q', 'hello', 'string', properties)).json, { routed: true });
    assert.deepEqual((await publish('q', 'AAEC/w==', 'base64')).json, { routed: true });
    assert.deepEqual((await publish('nowhere', 'x', 'string')).json, { routed: false });
    assert.deepEqual((await publish('q', '!!!', 'base64')).json, {
      error: 'bad_request',
      reason: ['not_base64', '!!!'],
    });
    assert.deepEqual((await publish('q', 'x', 'string', { user_id: 'zz' })).json, {
      error: 'bad_request',
      reason:
        "406 PRECONDITION_FAILED - user_id property set to 'zz' but authenticated user was 'guest'",
    });
    const get = async (ackmode: string, more: object = {}) => {
      const body = { count: 10, ackmode, encoding: 'auto', ...more };
      return (await call('POST', 'queues/%2F/q/get', body)).json;
    };
    const first = {
      payload_bytes: 5,
      redelivered: false,
      exchange: '',
      routing_key: 'q',
      message_count: 1,
      properties,
      payload: 'hello',
      payload_encoding: 'string',
    };
    const second = {
      ...first,
      payload_bytes: 4,
      message_count: 0,
      properties: [],
      payload: 'AAEC/w==',
      payload_encoding: 'base64',
    };
    // The second says how it was sent: without a delivery mode.
    assert.deepEqual(await get('ack_requeue_true'), [first, second]);
    const again = { redelivered: true };
    assert.deepEqual(await get('reject_requeue_true', { truncate: 2, encoding: 'base64' }), [
      { ...first, ...again, payload: 'aGU=', payload_encoding: 'base64' },
      { ...second, ...again, payload: 'AAE=' },
    ]);
    assert.deepEqual(await get('ack_requeue_false', { count: 1 }), [{ ...first, ...again }]);
    assert.deepEqual(await get('reject_requeue_false'), [{ ...second, ...again }]);
    assert.deepEqual(await get('ack_requeue_false'), []);
  });

  test('what a channel would be closed for is told with its code, as RabbitMQ does it', async (t) => {
    const { call } = await openBed(t);
    const single = { 'x-single-active-consumer': true };
    assert.equal((await call('PUT', 'queues/%2F/q', { arguments: single })).status, 201);
    const get = { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' };
    const { status, json } = await call('POST', 'queues/%2F/q/get', get);
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), /"reason":"405 RESOURCE_LOCKED - cannot obtain access/);
    const wrong = {
      properties: { message_id: 5 },
      routing_key: 'q',
      payload: 'x',
      payload_encoding: 'string',
    };
    const refused = await call('POST', 'exchanges/%2F/amq.direct/publish', wrong);
    assert.deepEqual(refused.json, { error: 'bad_request', reason: ['not_string', 'message_id'] });
  });

  test('lists in pages, sorted, filtered, with some members only', async (t) => {
    const { call } = await openBed(t);
    for (const name of ['a1', 'a2', 'b1', 'B2']) await call('PUT', `queues/%2F/${name}`, {});
    const names = async (query: string) => (await call('GET', `queues/%2F?${query}`)).json;
    assert.deepEqual(await names('columns=name&sort=name&sort_reverse=true'), [
      { name: 'b1' },
      { name: 'a2' },
      { name: 'a1' },
      { name: 'B2' },
    ]);
    assert.deepEqual(await names('page=1&page_size=1&name=b&columns=name'), {
      filtered_count: 2,
      item_count: 1,
      items: [{ name: 'B2' }],
      page: 1,
      page_count: 2,
      page_size: 1,
      total_count: 4,
    });
    assert.deepEqual(await names('page=1&name=^a.$&use_regex=true&columns=messages_details.rate'), {
      filtered_count: 2,
      item_count: 2,
      items: [{ messages_details: { rate: 0 } }, { messages_details: { rate: 0 } }],
      page: 1,
      page_count: 1,
      page_size: 100,
      total_count: 4,
    });
    for (const [query, error] of [
      ['page=9&page_size=2', 'page_out_of_range'],
      ['page=0', 'invalid_pagination_parameters'],
      ['page=1&page_size=1000', 'invalid_pagination_parameters'],
      ['page=a', 'bad_request'],
      ['page=1&name=(&use_regex=true', 'bad_request'],
    ]) {
      const json = await names(query ?? '');
      assert.ok(json !== null && typeof json === 'object' && 'error' in json);
      assert.equal(json.error, error, query);
    }
  });

  test('policies are in force when they are answered', async (t) => {
    const { call, broker } = await openBed(t);
    await call('PUT', 'queues/%2F/q', { durable: true });
    await call('PUT', 'policies/%2F/p', {
      pattern: '^q',
      'apply-to': 'queues',
      definition: { 'max-length': 10, 'message-ttl': 5000 },
    });
    await call('PUT', 'operator-policies/%2F/op', {
      pattern: '^q',
      definition: { 'max-length': 5 },
    });
    const columns = 'columns=policy,operator_policy,effective_policy_definition';
    assert.deepEqual((await call('GET', `queues/%2F/q?${columns}`)).json, {
      policy: 'p',
      operator_policy: 'op',
      effective_policy_definition: { 'max-length': 5, 'message-ttl': 5000 },
    });
    assert.equal(broker.queues.find('', 'q')?.settings.readyMax, 5);
    await call('DELETE', 'operator-policies/%2F/op');
    assert.equal(broker.queues.find('', 'q')?.settings.readyMax, 10);
    const wrong = await call('PUT', 'policies/%2F/w', { pattern: 'x', definition: { zz: 1 } });
    assert.deepEqual(wrong.json, {
      error: 'bad_request',
      reason: 'Validation failed\n\n[{<<"zz">>,1}] are not recognised policy settings\n',
    });
  });

  test('a policy gives an exchange its alternate', async (t) => {
    const { call } = await openBed(t);
    await call('PUT', 'queues/%2F/lost', {});
    await call('POST', 'bindings/%2F/e/amq.fanout/q/lost', {});
    const body = { properties: {}, routing_key: 'k', payload: 'x', payload_encoding: 'string' };
    const publish = async () => (await call('POST', 'exchanges/%2F/amq.direct/publish', body)).json;
    assert.deepEqual(await publish(), { routed: false });
    await call('PUT', 'policies/%2F/alt', {
      pattern: '^amq\\.direct$',
      'apply-to': 'exchanges',
      definition: { 'alternate-exchange': 'amq.fanout' },
    });
    assert.deepEqual(await publish(), { routed: true });
  });
});
