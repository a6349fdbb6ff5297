import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { BrokerError, type BrokerErrorCode, limits } from '../../../src/base/index.ts';
import { anonymous, type Broker, type Identity } from '../../../src/broker/index.ts';
import { openBroker } from './access-fixture.ts';

async function openedBroker(t: TestContext): Promise<Broker> {
  const { broker } = await openBroker();
  t.after(() => broker.close());
  return broker;
}

const fails = (code: BrokerErrorCode) => (error: unknown) =>
  error instanceof BrokerError && error.code === code;

function identityOf(broker: Broker, name: string): Identity {
  const identity = broker.access.identify(name);
  assert.ok(identity !== undefined, name);
  return identity;
}

const namespaceOf = (
  name: string,
): { name: string; description: string; tags: []; attributes: {}; limits: {} } => ({
  name,
  description: '',
  tags: [],
  attributes: {},
  limits: {},
});

test('a new store has guest, an administrator who comes from this machine only', async (t) => {
  const { access } = await openedBroker(t);
  const guest = await access.authenticate('guest', 'guest');
  assert.deepEqual(guest, { name: 'guest', tags: ['administrator'], isAnonymous: false });
  assert.equal(access.isLoopbackOnly(guest), true);
  assert.equal(access.allows(guest, '', 'configure', 'anything'), true);
  assert.equal(access.mayEnter(guest, ''), true);
  assert.equal(access.mayEnter(guest, 'elsewhere'), false);
  for (const password of ['', 'Guest', 'guest ', 'x'.repeat(2000)]) {
    assert.equal(await access.authenticate('guest', password), undefined);
  }
  assert.equal(await access.authenticate('nobody', 'guest'), undefined);
});

for (const [mechanism, digest, bytes] of [
  ['sha-256', 'sha256', 32],
  ['sha-512', 'sha512', 64],
] as const) {
  test(`keys for challenge and response (${mechanism}) are those of the password`, async (t) => {
    const { access } = await openedBroker(t);
    // A no-break space counts as a space, a compatibility form as what it looks like.
    await access.putUser({ name: 'ann', tags: [], password: 'a\u00a0\u2168' });
    for (const [name, password] of [
      ['guest', 'guest'],
      ['ann', 'a IX'],
    ] as const) {
      const keys = access.findScramKeys(name, mechanism);
      assert.ok(keys !== undefined);
      const salt = Buffer.from(keys.salt, 'base64');
      const salted = pbkdf2Sync(password, salt, keys.iterations, bytes, digest);
      const clientKey = createHmac(digest, salted).update('Client Key').digest();
      assert.equal(createHash(digest).update(clientKey).digest('base64'), keys.storedKey);
      assert.equal(
        createHmac(digest, salted).update('Server Key').digest('base64'),
        keys.serverKey,
      );
    }
    await access.putUser({
      name: 'ann',
      tags: [],
      hashed: { algorithm: 'salted-md5', hash: Buffer.alloc(20).toString('base64') },
    });
    assert.equal(access.findScramKeys('ann', mechanism), undefined);
  });
}

for (const [algorithm, digest] of [
  ['salted-sha256', 'sha256'],
  ['salted-sha512', 'sha512'],
  ['salted-md5', 'md5'],
] as const) {
  test(`passwords that came as ${algorithm} are checked`, async (t) => {
    const { access } = await openedBroker(t);
    const salt = Buffer.from([1, 2, 3, 4]);
    const hash = Buffer.concat([salt, createHash(digest).update(salt).update('käse').digest()]);
    const hashed = { algorithm, hash: hash.toString('base64') };
    await access.putUser({ name: 'ann', tags: ['monitoring'], hashed });
    assert.deepEqual(await access.authenticate('ann', 'käse'), {
      name: 'ann',
      tags: ['monitoring'],
      isAnonymous: false,
    });
    assert.equal(await access.authenticate('ann', 'kase'), undefined);
    assert.deepEqual(access.findUser('ann')?.password, hashed);
  });
}

const wrongHashes: ReadonlyArray<[algorithm: string, hash: string]> = [
  ['salted-sha256', 'AAAA'],
  ['salted-sha1', 'AAAA'],
  ['toString', ''],
  ['scrypt', '14$8$1$AAAA'],
  ['scrypt', `30$8$1$AAAA$${Buffer.alloc(32).toString('base64')}`],
  ['scrypt', `14$99$16$AAAA$${Buffer.alloc(32).toString('base64')}`],
];
for (const [algorithm, hash] of wrongHashes) {
  test(`a hash that nothing could be checked against is refused: ${algorithm} ${hash}`, async (t) => {
    const { access } = await openedBroker(t);
    const user = { name: 'ann', tags: [], hashed: { algorithm, hash } };
    await assert.rejects(access.putUser(user), fails('config-invalid'));
    assert.equal(access.findUser('ann'), undefined);
  });
}

test('a password can be set, kept, exported and imported, changed and removed', async (t) => {
  const { access } = await openedBroker(t);
  await access.putUser({ name: 'ann', tags: ['a'], password: 'first' });
  assert.ok(await access.authenticate('ann', 'first'));
  await access.putUser({ name: 'ann', tags: ['b', 'b'] });
  assert.deepEqual((await access.authenticate('ann', 'first'))?.tags, ['b']);
  const hashed = access.findUser('ann')?.password;
  assert.equal(hashed?.algorithm, 'scrypt');
  assert.ok(!hashed.hash.includes('first'));
  await access.putUser({ name: 'copy', tags: [], hashed });
  assert.ok(await access.authenticate('copy', 'first'));
  await access.putUser({ name: 'ann', tags: [], password: 'second' });
  assert.equal(await access.authenticate('ann', 'first'), undefined);
  assert.ok(await access.authenticate('ann', 'second'));
  await access.putUser({ name: 'ann', tags: [], isPasswordRemoved: true });
  assert.equal(await access.authenticate('ann', 'second'), undefined);
  assert.ok(access.identify('ann'));
  await assert.rejects(
    access.putUser({ name: 'ann', tags: [], password: '' }),
    fails('config-invalid'),
  );
  await assert.rejects(
    access.putUser({ name: '', tags: [], password: 'x' }),
    fails('config-invalid'),
  );
});

test('many logins at once are one check; a change ends what was remembered', async (t) => {
  const { access } = await openedBroker(t);
  await access.putUser({ name: 'ann', tags: [], password: 'secret' });
  const logins = Array.from({ length: limits.passwordChecksMax * 2 }, () =>
    access.authenticate('ann', 'secret'),
  );
  for (const identity of await Promise.all(logins)) assert.equal(identity?.name, 'ann');
  const running = access.authenticate('ann', 'wrong');
  const other = access.authenticate('ann', 'secret');
  await access.deleteUser('ann');
  assert.equal(await running, undefined);
  assert.ok(await other);
  assert.equal(await access.authenticate('ann', 'secret'), undefined);
  // A user of the same name is another one.
  await access.putUser({ name: 'ann', tags: [], password: 'other' });
  assert.equal(await access.authenticate('ann', 'secret'), undefined);
});

test('more checks than may wait are refused', async (t) => {
  const { access } = await openedBroker(t);
  // Cheap to check, and as many as it takes.
  const key = Buffer.alloc(32).toString('base64');
  const hashed = { algorithm: 'scrypt', hash: `1$1$1$AAAA$${key}` };
  await access.putUser({ name: 'ann', tags: [], hashed });
  const outcomes = await Promise.allSettled(
    Array.from(
      { length: limits.passwordChecksAtOnce + limits.passwordChecksMax + 10 },
      (_, index) => access.authenticate('ann', `wrong ${index}`),
    ),
  );
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  assert.equal(refused.length, 10);
  for (const outcome of refused) {
    assert.ok(outcome.status === 'rejected' && fails('overloaded')(outcome.reason));
  }
  assert.ok(await access.authenticate('guest', 'guest'));
  assert.equal(await access.authenticate('ann', 'wrong again'), undefined);
});

test('permissions say by pattern what may be configured, written and read', async (t) => {
  const { access } = await openedBroker(t);
  await access.putUser({ name: 'ann', tags: [], password: 'x' });
  const ann = { name: 'ann', tags: [], isAnonymous: false };
  assert.equal(access.mayEnter(ann, ''), false);
  assert.equal(access.allows(ann, '', 'read', 'orders'), false);
  const permission = {
    user: 'ann',
    namespace: '',
    configure: '',
    write: '^(amq\\.gen.*|orders)$',
    read: 'ord',
  };
  await access.putPermission(permission);
  assert.equal(access.mayEnter(ann, ''), true);
  const answers = (['configure', 'write', 'read'] as const).map((kind) =>
    ['orders', 'orders2', 'amq.gen-x', ''].map((name) => access.allows(ann, '', kind, name)),
  );
  assert.deepEqual(answers, [
    [false, false, false, false],
    [true, false, true, false],
    [true, true, false, false],
  ]);
  assert.deepEqual(access.listPermissions({ user: 'ann' }), [permission]);
  await access.deletePermission('ann', '');
  assert.equal(access.allows(ann, '', 'read', 'orders'), false);
  assert.equal(access.allows(anonymous, '', 'configure', 'anything'), true);
});

test('topic permissions narrow by routing key, with the names of user and namespace', async (t) => {
  const { access } = await openedBroker(t);
  await access.putUser({ name: 'a.b', tags: [], password: 'x' });
  const user = identityOf({ access } as Broker, 'a.b');
  assert.equal(access.allowsKey(user, '', 'write', 'topics', 'any.key'), true);
  await access.putTopicPermission({
    user: 'a.b',
    namespace: '',
    exchange: 'topics',
    write: '^{username}-{vhost}',
    read: '^all',
  });
  assert.equal(access.allowsKey(user, '', 'write', 'topics', 'a.b-/'), true);
  assert.equal(access.allowsKey(user, '', 'write', 'topics', 'axb-/'), false);
  assert.equal(access.allowsKey(user, '', 'read', 'topics', 'all.x'), true);
  assert.equal(access.allowsKey(user, '', 'write', 'others', 'axb'), true);
  assert.equal(access.listTopicPermissions({ user: 'a.b' }).length, 1);
  await access.deleteTopicPermissions('a.b', '', 'others');
  assert.equal(access.listTopicPermissions().length, 1);
  await access.deleteTopicPermissions('a.b', '');
  assert.equal(access.listTopicPermissions().length, 0);
});

test('what is not there is refused by its name', async (t) => {
  const { access } = await openedBroker(t);
  const permission = { configure: '', write: '', read: '' };
  const policy = {
    name: 'p',
    pattern: '',
    applyTo: 'all',
    priority: 0,
    definition: '{}',
    isOperator: false,
  };
  const refusals: ReadonlyArray<[() => Promise<void>, BrokerErrorCode]> = [
    [() => access.deleteUser('x'), 'user-not-found'],
    [() => access.setUserLimits('x', {}), 'user-not-found'],
    [() => access.putPermission({ user: 'x', namespace: '', ...permission }), 'user-not-found'],
    [
      () => access.putPermission({ user: 'guest', namespace: 'x', ...permission }),
      'namespace-not-found',
    ],
    [() => access.deleteNamespace('x'), 'namespace-not-found'],
    [() => access.deleteNamespace(''), 'policy-refused'],
    [() => access.putPolicy({ namespace: 'x', ...policy }), 'namespace-not-found'],
    [() => access.putPolicy({ namespace: '', ...policy, definition: '{' }), 'config-invalid'],
    [() => access.putPolicy({ namespace: '', ...policy, priority: 0.5 }), 'config-invalid'],
    [() => access.putPolicy({ namespace: '', ...policy, pattern: '(' }), 'config-invalid'],
    [() => access.putParameter('c', 'x', 'n', '1'), 'namespace-not-found'],
    [() => access.putParameter('c', '', 'n', 'x'), 'config-invalid'],
    [
      () => access.putParameter('c', '', 'n', `"${'x'.repeat(limits.accessEntryBytesMax)}"`),
      'config-invalid',
    ],
    [() => access.setUserLimits('guest', { 'max-channels': 0.5 }), 'config-invalid'],
    [() => access.putNamespace(namespaceOf('x'.repeat(256))), 'config-invalid'],
  ];
  for (const [attempt, code] of refusals) await assert.rejects(attempt, fails(code));
});

test('of several policies the one with the greatest priority applies', async (t) => {
  const { access } = await openedBroker(t);
  const put = (name: string, change: object): Promise<void> =>
    access.putPolicy({
      namespace: '',
      name,
      pattern: '^orders',
      applyTo: 'all',
      priority: 0,
      definition: `{"n":"${name}"}`,
      isOperator: false,
      ...change,
    });
  const find = (name: string, kinds: string[], isOperator = false): string | undefined =>
    access.findPolicy('', name, kinds, isOperator)?.name;
  const before = access.policyVersion;
  assert.equal(find('orders', ['queues']), undefined);
  await put('low', {});
  assert.ok(access.policyVersion > before);
  assert.equal(find('orders', ['queues']), 'low');
  await put('high', { priority: 5, applyTo: 'classic_queues' });
  await put('operator', { isOperator: true, applyTo: 'queues' });
  await put('elsewhere', { priority: 9, pattern: '^x' });
  assert.equal(find('orders', ['queues']), 'low');
  assert.equal(find('orders', ['queues', 'classic_queues']), 'high');
  assert.equal(find('orders', ['exchanges']), 'low');
  assert.equal(find('orders', ['queues'], true), 'operator');
  assert.equal(find('orders', ['exchanges'], true), undefined);
  assert.equal(find('other', ['queues']), undefined);
  await access.deletePolicy('', 'low', false);
  assert.equal(find('orders', ['queues']), undefined);
  assert.deepEqual(
    access.listPolicies({ isOperator: false }).map(({ name }) => name),
    ['elsewhere', 'high'],
  );
});

test('a namespace goes with everything that is in it', async (t) => {
  const broker = await openedBroker(t);
  const { access } = broker;
  await access.putNamespace(namespaceOf('n'));
  await access.putPermission({
    user: 'guest',
    namespace: 'n',
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  await access.putParameter('c', 'n', 'p', '1');
  await broker.queues.declare({ namespace: 'n', name: 'q' });
  const guest = identityOf(broker, 'guest');
  assert.equal(access.mayEnter(guest, 'n'), true);
  assert.ok(broker.exchanges.list('n').length > 0);
  const deleting = access.deleteNamespace('n');
  assert.equal(access.mayEnter(guest, 'n'), false);
  await deleting;
  assert.equal(broker.queues.find('n', 'q'), undefined);
  assert.deepEqual(access.listPermissions({ namespace: 'n' }), []);
  assert.deepEqual(access.listParameters(), []);
  assert.equal(access.findNamespace('n'), undefined);
  assert.deepEqual(
    access.listNamespaces().map(({ name }) => name),
    [''],
  );
});

/** All that can be asked for, of the namespace `n` and the user `ann`. */
function describe({ access, exchanges }: Broker): unknown {
  return {
    users: access.listUsers(),
    permissions: access.listPermissions(),
    topicPermissions: access.listTopicPermissions(),
    namespaces: access.listNamespaces(),
    policies: access.listPolicies(),
    parameters: access.listParameters(),
    keys: access.findScramKeys('ann', 'sha-256'),
    exchanges: exchanges.list('n').length,
  };
}

for (const isRestored of [false, true]) {
  test(`everything is there after a restart${isRestored ? ', also as a part of a snapshot' : ''}`, async (t) => {
    const { broker, reopen } = await openBroker();
    const { access } = broker;
    await access.putNamespace({ ...namespaceOf('n'), limits: { queues: 5 }, tags: ['t'] });
    await access.putUser({ name: 'ann', tags: ['monitoring'], password: 'secret' });
    await access.setUserLimits('ann', { 'max-connections': 3 });
    await access.putPermission({
      user: 'ann',
      namespace: 'n',
      configure: '',
      write: 'w',
      read: 'r',
    });
    await access.putTopicPermission({
      user: 'ann',
      namespace: 'n',
      exchange: 'e',
      write: 'w',
      read: 'r',
    });
    await access.putPolicy({
      namespace: 'n',
      name: 'p',
      pattern: '.',
      applyTo: 'queues',
      priority: 1,
      definition: '{}',
      isOperator: true,
    });
    await access.putParameter('c', 'n', 'x', '{"a":1}');
    await access.deleteUser('guest');
    const before = describe(broker);
    if (isRestored) {
      const state = access.encode();
      access.restore(state);
      assert.deepEqual(describe(broker), before);
    }
    const again = await reopen();
    t.after(() => again.close());
    assert.deepEqual(describe(again), before);
    assert.ok(await again.access.authenticate('ann', 'secret'));
    assert.equal(again.access.findUser('guest'), undefined);
  });
}

test('whoever watches is told of each change of a policy, and of nothing else', async (t) => {
  const { broker } = await openBroker();
  t.after(() => broker.close());
  const { access } = broker;
  const told: number[] = [];
  const unwatch = access.watchPolicies(() => void told.push(access.policyVersion));
  const policy = {
    namespace: '',
    name: 'a',
    pattern: '',
    applyTo: 'all',
    priority: 0,
    definition: '{}',
    isOperator: false,
  };
  await access.putPolicy(policy);
  await access.putUser({ name: 'u', tags: [] });
  await access.putPolicy({ ...policy, priority: 1 });
  await access.deletePolicy('', 'a', false);
  assert.equal(told.length, 3);
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  );
  unwatch();
  await access.putPolicy(policy);
  assert.equal(told.length, 3);
});
