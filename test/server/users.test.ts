import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Broker } from '../../src/broker/index.ts';
import { applyUsers, describeConfig, loadConfig, StartFailure } from '../../src/server/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'pabal-users-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function load(users: unknown) {
  const configFile = join(directory, 'pabal.json');
  writeFileSync(configFile, JSON.stringify({ users }));
  return loadConfig({ configFile, environment: {}, flags: {} });
}

test('users of the configuration are made, with their permissions and namespaces', async (t) => {
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, 'from file\n');
  const all = { configure: '.*', write: '.*', read: '.*' };
  const config = await load([
    { name: 'ann', password: 'secret', tags: ['administrator'], permissions: [all] },
    { name: 'bob', passwordFile, permissions: [{ namespace: 'shop', read: '^orders$' }] },
    { name: 'eve' },
  ]);
  const broker = await Broker.open({ store: 'memory' });
  t.after(() => broker.close());
  const { access } = broker;
  await applyUsers(access, config.settings.users);
  assert.deepEqual((await access.authenticate('ann', 'secret'))?.tags, ['administrator']);
  assert.ok(await access.authenticate('bob', 'from file'));
  assert.equal(access.findUser('eve')?.password, undefined);
  assert.deepEqual(access.listPermissions({ user: 'ann' }), [
    { user: 'ann', namespace: '', ...all },
  ]);
  assert.deepEqual(access.listPermissions({ user: 'bob' }), [
    { user: 'bob', namespace: 'shop', configure: '', write: '', read: '^orders$' },
  ]);
  // What is so already is not made again: the salt stays.
  const before = access.listUsers();
  await applyUsers(access, config.settings.users);
  assert.deepEqual(access.listUsers(), before);
  writeFileSync(passwordFile, 'changed');
  await applyUsers(access, config.settings.users);
  assert.ok(await access.authenticate('bob', 'changed'));
});

test('passwords are not shown', async () => {
  const config = await load([{ name: 'ann', password: 'secret' }, { name: 'bob' }]);
  const rows = describeConfig(config);
  assert.equal(rows.find(({ key }) => key === 'users')?.value, 'ann,bob');
  assert.doesNotMatch(JSON.stringify(rows), /secret/);
});

const wrong: ReadonlyArray<[users: unknown, message: RegExp]> = [
  ['secret', /^users: expected a list$/],
  [[1], /^users\[0\]: expected an object with name, /],
  [[{ password: 'secret' }], /^users\[0\]\.name: expected a text/],
  [[{ name: 'a', password: 1234 }], /^users\[0\]\.password: expected a text/],
  [[{ name: 'a', pasword: 'secret' }], /^users\[0\]: unknown key "pasword"/],
  [
    [{ name: 'a', password: 'secret', passwordFile: 'x' }],
    /^users\[0\]: has both password and passwordFile$/,
  ],
  [[{ name: 'a', password: 'secret', tags: 'x' }], /^users\[0\]\.tags: expected a list$/],
  [[{ name: 'a', permissions: [{ namespaces: 'x' }] }], /permissions\[0\]: unknown key/],
  [[{ name: 'a', permissions: [{ read: 1 }] }], /permissions\[0\]\.read: expected a text$/],
];
for (const [users, message] of wrong) {
  test(`what is wrong is told without a password: ${JSON.stringify(users)}`, async () => {
    await assert.rejects(load(users), (error: unknown) => {
      assert.ok(error instanceof StartFailure);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret|1234/);
      return true;
    });
  });
}

for (const [user, message] of [
  [{ name: 'a', passwordFile: '/nowhere/at/all' }, /^users: a: cannot read the password file/],
  [{ name: 'a', passwordHash: { algorithm: 'md4', hash: '' } }, /passwordHash\.hash: expected/],
  [{ name: 'a', permissions: [{ read: '(' }] }, /^users: a: .*the pattern "\("/],
] as const) {
  test(`a start fails in one line: ${JSON.stringify(user)}`, async (t) => {
    const broker = await Broker.open({ store: 'memory' });
    t.after(() => broker.close());
    const apply = async (): Promise<void> =>
      applyUsers(broker.access, (await load([user])).settings.users);
    await assert.rejects(apply, (error: unknown) => {
      assert.ok(error instanceof StartFailure);
      assert.match(error.message, message);
      return true;
    });
  });
}
