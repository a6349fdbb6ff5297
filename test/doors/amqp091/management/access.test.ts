import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openBed } from './management-bed.ts';

describe('the management: who may do what', () => {
  test('asks for a name and a password', async (t) => {
    const { call } = await openBed(t);
    const nobody = await call('GET', 'whoami', undefined, { user: '' });
    assert.equal(nobody.status, 401);
    assert.equal(nobody.json, undefined);
    assert.match(nobody.headers.get('www-authenticate') ?? '', /^Basic realm=/);
    const wrong = await call('GET', 'whoami', undefined, { user: 'guest:wrong' });
    assert.equal(wrong.status, 401);
    assert.deepEqual(wrong.json, { error: 'not_authorized', reason: 'Login failed' });
    const right = await call('GET', 'whoami');
    assert.deepEqual(right.json, { name: 'guest', tags: ['administrator'] });
  });

  test('tags decide what is shown and changed', async (t) => {
    const { call } = await openBed(t);
    for (const tags of ['', 'management', 'policymaker', 'monitoring']) {
      const name = tags === '' ? 'none' : tags;
      await call('PUT', `users/${name}`, { password: 'pw', tags });
      await call('PUT', `permissions/%2F/${name}`, { configure: '.*', write: '.*', read: '.*' });
    }
    const policy = { pattern: 'x', definition: { 'max-length': 1 } };
    const cases: ReadonlyArray<
      readonly [user: string, method: string, path: string, body: unknown, status: number]
    > = [
      ['none', 'GET', 'whoami', undefined, 401],
      ['management', 'GET', 'whoami', undefined, 200],
      ['management', 'GET', 'queues', undefined, 200],
      ['management', 'GET', 'nodes', undefined, 401],
      ['management', 'GET', 'users', undefined, 401],
      ['management', 'GET', 'definitions', undefined, 401],
      ['management', 'PUT', 'queues/%2F/q', { durable: true }, 201],
      ['management', 'PUT', 'policies/%2F/p', policy, 401],
      ['policymaker', 'PUT', 'policies/%2F/p', policy, 201],
      ['policymaker', 'PUT', 'operator-policies/%2F/p', policy, 401],
      ['policymaker', 'PUT', 'parameters/vhost-limits/%2F/limits', { value: {} }, 401],
      ['monitoring', 'GET', 'nodes', undefined, 200],
      ['monitoring', 'PUT', 'vhosts/v', {}, 401],
      ['guest:guest', 'PUT', 'vhosts/v', {}, 201],
    ];
    for (const [user, method, path, body, status] of cases) {
      const credentials = user.includes(':') ? user : `${user}:pw`;
      const answer = await call(method, path, body, { user: credentials });
      assert.equal(answer.status, status, `${user} ${method} ${path}`);
    }
  });

  test('a vhost is closed to those without a permission there', async (t) => {
    const { call } = await openBed(t);
    await call('PUT', 'vhosts/secret', {});
    await call('PUT', 'queues/secret/q', {});
    await call('PUT', 'users/m', { password: 'pw', tags: 'management' });
    const user = 'm:pw';
    const refused = await call('GET', 'queues/secret', undefined, { user });
    assert.equal(refused.status, 401);
    assert.deepEqual(refused.json, {
      error: 'not_authorised',
      reason: 'User not authorised to access virtual host',
    });
    assert.deepEqual((await call('GET', 'queues', undefined, { user })).json, []);
    assert.deepEqual((await call('GET', 'vhosts', undefined, { user })).json, []);
  });

  test('a page of another origin changes nothing', async (t) => {
    const { call } = await openBed(t);
    const foreign = { headers: { origin: 'https://evil.example' } };
    assert.equal((await call('PUT', 'vhosts/v', {}, foreign)).status, 403);
    assert.equal((await call('GET', 'vhosts/v')).status, 404);
  });

  test('users come with a password, a hash, or neither', async (t) => {
    const { call } = await openBed(t);
    const cases: ReadonlyArray<readonly [body: object, status: number]> = [
      [{ password: 'x' }, 400],
      [{ tags: '', password_hash: 'zzz' }, 400],
      [{ tags: '', password: 'p', password_hash: '' }, 400],
      [{ tags: ['management'], password: 'pw' }, 201],
      [{ tags: 'management, monitoring', password: 'pw' }, 204],
      [{ tags: 'management' }, 204],
    ];
    for (const [body, status] of cases) {
      assert.equal((await call('PUT', 'users/u', body)).status, status, JSON.stringify(body));
    }
    const { json } = await call('GET', 'users/u?columns=name,tags,password_hash');
    assert.deepEqual(json, { name: 'u', tags: ['management'], password_hash: '' });
    assert.equal((await call('POST', 'users/bulk-delete', { users: ['u'] })).status, 204);
    assert.equal((await call('GET', 'users/u')).status, 404);
  });
});

test('topic permissions for one exchange are deleted alone; a slash behind a path means nothing', async (t) => {
  const { call } = await openBed(t);
  const place = 'topic-permissions/%2F/guest';
  for (const exchange of ['amq.topic', 'amq.direct']) {
    assert.equal((await call('PUT', place, { exchange, write: 'a', read: 'b' })).status, 201);
  }
  assert.equal((await call('DELETE', `${place}/amq.direct`)).status, 204);
  assert.equal((await call('DELETE', `${place}/amq.direct`)).status, 404);
  const left = await call('GET', 'topic-permissions/');
  assert.equal(left.status, 200);
  assert.match(JSON.stringify(left.json), /"amq\.topic"/);
  assert.doesNotMatch(JSON.stringify(left.json), /"amq\.direct"/);
});
