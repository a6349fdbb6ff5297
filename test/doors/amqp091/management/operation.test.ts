import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { connect } from 'amqplib';
import { SimulatedClock } from '../../../../src/testing/index.ts';
import { Samples, totalsKey } from '../../../../src/doors/amqp091/management/samples.ts';
import { openBed } from './management-bed.ts';

describe('the management: what goes on', () => {
  test('shows connections, channels and consumers, and closes them with a reason', async (t) => {
    const { call, amqpPort } = await openBed(t);
    const client = await connect(`amqp://guest:guest@127.0.0.1:${amqpPort}`, {
      clientProperties: { connection_name: 'test' },
    });
    client.on('error', () => undefined);
    // Whoever is closed by an operator gets no error from amqplib.
    const closed = once(client, 'close');
    const channel = await client.createChannel();
    channel.on('error', () => undefined);
    await channel.prefetch(7);
    await channel.assertQueue('q');
    await channel.consume('q', () => undefined, { consumerTag: 'tag' });
    const { json: connections } = await call(
      'GET',
      'connections?columns=user,vhost,user_provided_name,channels,state,protocol',
    );
    assert.deepEqual(connections, [
      {
        user: 'guest',
        vhost: '/',
        user_provided_name: 'test',
        channels: 1,
        state: 'running',
        protocol: 'AMQP 0-9-1',
      },
    ]);
    const { json: channels } = await call('GET', 'channels?columns=number,consumer_count');
    assert.deepEqual(channels, [{ number: 1, consumer_count: 1 }]);
    const { json: consumers } = await call(
      'GET',
      'consumers/%2F?columns=consumer_tag,queue,prefetch_count,ack_required',
    );
    assert.deepEqual(consumers, [
      {
        consumer_tag: 'tag',
        queue: { name: 'q', vhost: '/' },
        prefetch_count: 7,
        ack_required: true,
      },
    ]);
    const { json: totals } = await call('GET', 'overview?columns=object_totals');
    assert.deepEqual(totals, {
      object_totals: { channels: 1, connections: 1, consumers: 1, exchanges: 6, queues: 1 },
    });
    const { json: named } = await call('GET', 'connections?columns=name');
    assert.ok(Array.isArray(named));
    const one = `connections/${encodeURIComponent(named[0].name)}`;
    const { json: own } = await call('GET', `${one}/channels?columns=number`);
    assert.deepEqual(own, [{ number: 1 }]);
    const headers = { 'x-reason': 'enough' };
    assert.equal((await call('DELETE', one, undefined, { headers })).status, 204);
    const [error] = await closed;
    assert.match(String(error), /CONNECTION.FORCED - enough/);
  });

  const checks: ReadonlyArray<readonly [path: string, status: number]> = [
    ['health/checks/alarms', 200],
    ['health/checks/local-alarms', 200],
    ['health/checks/ready-to-serve-clients', 200],
    ['health/checks/virtual-hosts', 200],
    ['health/checks/node-is-quorum-critical', 200],
    ['health/checks/certificate-expiration/1/months', 200],
    ['health/checks/certificate-expiration/1/moons', 400],
    ['health/checks/protocol-listener/amqp091', 200],
    ['health/checks/protocol-listener/http', 200],
    ['health/checks/protocol-listener/mqtt', 503],
    ['health/checks/port-listener/1', 503],
    ['health/checks/nonsense', 404],
    ['aliveness-test/%2F', 200],
    ['healthchecks/node', 200],
    ['nodes', 200],
    ['nodes/nope', 404],
    ['feature-flags', 200],
    ['federation-links', 200],
    ['shovels', 200],
  ];
  test('answers whether all is well', async (t) => {
    const { call } = await openBed(t);
    for (const [path, status] of checks) {
      assert.equal((await call('GET', path)).status, status, path);
    }
  });

  test('gives samples of queues to whoever asks for them, in lists too', async (t) => {
    const { call } = await openBed(t);
    await call('PUT', 'queues/%2F/q', { durable: true });
    for (const path of ['queues', 'queues/%2F', 'queues/%2F/q']) {
      const { json } = await call('GET', `${path}?lengths_age=1800&lengths_incr=30`);
      const [queue]: unknown[] = [json].flat();
      const text = JSON.stringify(queue);
      assert.match(text, /"messages_details":\{"rate":0,"samples":\[\{"sample":0,/, path);
    }
  });

  test('tells what RabbitMQ means to give up, and what of it is used', async (t) => {
    const { call } = await openBed(t);
    const path = 'deprecated-features';
    const { json: all } = await call('GET', `${path}?columns=name,state`);
    assert.deepEqual(all, [
      { name: 'classic_queue_mirroring', state: 'denied' },
      { name: 'global_qos', state: 'permitted' },
      { name: 'management_metrics_collection', state: 'permitted' },
      { name: 'ram_node_type', state: 'denied' },
      { name: 'transient_nonexcl_queues', state: 'permitted' },
    ]);
    await call('PUT', 'queues/%2F/lasting', { durable: true });
    assert.deepEqual((await call('GET', `${path}/used`)).json, []);
    await call('PUT', 'queues/%2F/passing', { durable: false });
    const { json: used } = await call('GET', `${path}/used?columns=name`);
    assert.deepEqual(used, [{ name: 'transient_nonexcl_queues' }]);
  });

  const pluginParameters: ReadonlyArray<readonly [string, unknown, string | undefined]> = [
    ['federation-upstream', { uri: 'amqp://a' }, undefined],
    ['federation-upstream', { uri: ['amqp://a', 'amqp://b'], 'max-hops': 1 }, undefined],
    ['federation-upstream', {}, 'Key "uri" not found in p'],
    ['federation-upstream', { uri: 1 }, 'uri should be list, actually was 1'],
    ['federation-upstream', { uri: [1] }, 'uri should be binary, actually was 1'],
    ['federation-upstream', 1, 'p not a list 1'],
    ['federation-upstream-set', [{ upstream: 'u' }], undefined],
    ['federation-upstream-set', [{}], 'Key "upstream" not found in p'],
    ['federation-upstream-set', 1, 'p not a list 1'],
    ['shovel', { 'src-uri': 'amqp://a', 'dest-uri': 'amqp://b' }, undefined],
    ['shovel', { 'src-uri': 'amqp://a' }, 'Key "dest-uri" not found in p'],
    ['nonsense', {}, 'component nonsense not found'],
  ];
  test('keeps parameters of federation and shovels that their plugins would take', async (t) => {
    const { call } = await openBed(t);
    for (const [component, value, refusal] of pluginParameters) {
      const path = `parameters/${component}/%2F/p`;
      const { status, json } = await call('PUT', path, { value });
      if (refusal === undefined) {
        assert.equal(status, 201, path);
        const { json: kept } = await call('GET', `${path}?columns=value`);
        assert.deepEqual(kept, { value, vhost: '/', component, name: 'p' });
        assert.equal((await call('DELETE', path)).status, 204);
      } else {
        assert.equal(status, 400, path);
        const reason = `Validation failed\n\n${refusal}\n`;
        assert.deepEqual(json, { error: 'bad_request', reason });
      }
    }
  });

  test('needs nobody to tell what it is', async (t) => {
    const { call, url } = await openBed(t);
    assert.equal((await call('GET', 'auth', undefined, { user: '' })).status, 200);
    assert.equal((await fetch(`${url}/`)).status, 200);
    assert.equal((await fetch(`${url}/cli/rabbitmqadmin`)).status, 404);
    const options = await call('OPTIONS', 'overview', undefined, { user: '' });
    assert.equal(options.headers.get('allow'), 'HEAD, GET, OPTIONS');
  });

  test('a body that is too large is refused', async (t) => {
    const { url } = await openBed(t);
    const headers = { authorization: `Basic ${btoa('guest:guest')}` };
    const body = Buffer.alloc(16 * 1024 * 1024 + 1, ' ');
    const answer = await fetch(`${url}/api/definitions`, { method: 'POST', headers, body }).catch(
      () => undefined,
    );
    // The answer may be lost with the connection, which is closed before all was sent.
    if (answer !== undefined) assert.equal(answer.status, 413);
  });
});

describe('rates', () => {
  test('of what was not measured yet have one sample, of now', () => {
    const clock = new SimulatedClock();
    const samples = new Samples(clock, () => []);
    const window = { ageMs: 20_000, incrementMs: 10_000 };
    assert.deepEqual(samples.describe('new', { messages: 3 }, window), {
      messages: 3,
      messages_details: {
        rate: 0,
        samples: [{ sample: 3, timestamp: clock.nowMs() }],
        avg: 3,
        avg_rate: 0,
      },
    });
  });

  test('are those of the last two samples, while somebody asks', async () => {
    const clock = new SimulatedClock();
    let count = 0;
    let measured = 0;
    const samples = new Samples(clock, () => {
      measured += 1;
      return [
        ['one', { publish: count }],
        [totalsKey, { publish: count }],
      ];
    });
    samples.touch();
    assert.equal(samples.rate('one', 'publish'), 0);
    count = 50;
    await clock.runFor(5000);
    assert.equal(samples.rate('one', 'publish'), 10);
    await clock.runFor(5000);
    assert.equal(samples.rate('one', 'publish'), 0);
    count = 100;
    await clock.runFor(5000);
    const window = { ageMs: 20_000, incrementMs: 10_000 };
    const { publish_details: details } = samples.describe(totalsKey, { publish: count }, window);
    const atMs = clock.nowMs();
    assert.deepEqual(details, {
      rate: 10,
      samples: [
        { sample: 100, timestamp: atMs },
        { sample: 50, timestamp: atMs - 10_000 },
      ],
      avg: 75,
      avg_rate: 5,
    });
    await clock.runFor(120_000);
    const before = measured;
    await clock.runFor(120_000);
    assert.equal(measured, before);
    assert.equal(samples.rate('one', 'publish'), 0);
    samples.close();
  });
});
