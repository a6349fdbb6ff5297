import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AdminDoor } from '../../../src/doors/admin/index.ts';
import { silentLog } from '../../../src/net/index.ts';

let broker: Broker;
let door: AdminDoor;

before(async () => {
  broker = await Broker.open({ store: 'memory' });
  door = await AdminDoor.open({
    host: '127.0.0.1',
    port: 0,
    hostNames: [],
    connectionsMax: 10,
    peerStallMs: 60_000,
    context: {
      broker,
      clock: new SystemClock(),
      random: new SystemRandom(),
      version: '9.9.9',
      listDoors: () => [],
      findProblems: () => [],
      renderMetrics: async () => '',
    },
    log: silentLog,
  });
});
after(async () => {
  await door.close(0);
  await broker.close();
});

async function call(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; json: unknown }> {
  const response = await fetch(`http://127.0.0.1:${door.port}/api/v1/users${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, json: text === '' ? undefined : JSON.parse(text) };
}

/** The stable code of a refusal. */
function codeOf(json: unknown): unknown {
  return typeof json === 'object' && json !== null && 'code' in json ? json.code : undefined;
}

test('a user is created, permitted, changed, listed and deleted', async () => {
  const created = await call('POST', '', { name: 'a/b', password: 'secret', tags: ['monitoring'] });
  const shown = { name: 'a/b', tags: ['monitoring'], hasPassword: true, limits: {} };
  assert.deepEqual(created, { status: 201, json: { ...shown, permissions: [] } });
  assert.ok(await broker.access.authenticate('a/b', 'secret'));

  const permission = { namespace: '', configure: '', write: '^orders', read: '.*' };
  const permitted = await call('POST', '/a%2Fb/permissions', permission);
  assert.deepEqual(permitted, { status: 200, json: { ...shown, permissions: [permission] } });
  assert.deepEqual((await call('GET', '/a%2Fb')).json, { ...shown, permissions: [permission] });

  const changed = await call('PATCH', '/a%2Fb', { password: 'other', tags: [] });
  assert.equal(changed.status, 200);
  assert.ok(await broker.access.authenticate('a/b', 'other'));
  await call('PATCH', '/a%2Fb', { password: null });
  assert.equal(await broker.access.authenticate('a/b', 'other'), undefined);
  await call('PATCH', '/a%2Fb', { tags: ['x'] });
  assert.deepEqual(broker.access.findUser('a/b')?.tags, ['x']);

  assert.equal((await call('DELETE', '/a%2Fb/permissions?namespace=')).status, 204);
  assert.deepEqual(broker.access.listPermissions({ user: 'a/b' }), []);
  const listed = await call('GET', '');
  assert.match(JSON.stringify(listed.json), /"name":"a\/b".*"name":"guest"/);
  assert.doesNotMatch(JSON.stringify(listed.json), /hash|scrypt|salt/);
  assert.equal((await call('DELETE', '/a%2Fb')).status, 204);
  assert.equal((await call('GET', '/a%2Fb')).status, 404);
});

const refusals: ReadonlyArray<[string, string, unknown, number, string]> = [
  ['POST', '', { name: 'guest' }, 409, 'user-exists'],
  ['POST', '', { name: '' }, 400, 'config-invalid'],
  ['POST', '', { name: 'x', password: '' }, 400, 'config-invalid'],
  ['POST', '', { name: 'x', tags: 'administrator' }, 400, 'body-invalid'],
  ['POST', '', { name: 'x', pasword: 'y' }, 400, 'body-invalid'],
  ['PATCH', '/nobody', { tags: [] }, 404, 'user-not-found'],
  ['DELETE', '/nobody', undefined, 404, 'user-not-found'],
  ['POST', '/nobody/permissions', {}, 404, 'user-not-found'],
  ['POST', '/guest/permissions', { namespace: 'none' }, 404, 'namespace-not-found'],
  ['POST', '/guest/permissions', { read: '(' }, 400, 'config-invalid'],
];
for (const [method, path, body, status, code] of refusals) {
  test(`${method} ${path} ${JSON.stringify(body)} is refused: ${code}`, async () => {
    const answer = await call(method, path, body);
    assert.deepEqual([answer.status, codeOf(answer.json)], [status, code]);
  });
}
