import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { BrokerError, limits } from '../../../src/base/index.ts';
import {
  type AccessRule,
  anonymous,
  type Broker,
  clusterName,
  type Identity,
  type Operation,
  operationBits,
  operations,
} from '../../../src/broker/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { openBroker } from './access-fixture.ts';

const allowed: AccessRule = {
  effect: 'allow',
  user: 'ann',
  host: '*',
  kind: 'topic',
  pattern: 'literal',
  name: 'orders',
  operation: 'read',
};
const hash = { algorithm: 'salted-sha256', hash: Buffer.alloc(36).toString('base64') };

async function openedBroker(t: TestContext): Promise<Broker> {
  const { broker } = await openBroker();
  t.after(() => broker.close());
  for (const [name, tags] of [
    ['ann', []],
    ['boss', ['administrator']],
    ['eye', ['monitoring']],
  ] as const) {
    await broker.access.putUser({ name, tags, hashed: hash });
  }
  return broker;
}

function may(
  { access }: Broker,
  who: string | Identity,
  operation: Operation,
  kind: AccessRule['kind'],
  name: string,
  host = '10.0.0.1',
): boolean {
  const identity = typeof who === 'string' ? { ...access.vouchedFor(who), host } : who;
  return (access.operationsOn(identity, kind, name) & operationBits[operation]) !== 0;
}

test('without rules whoever needed no credentials may do everything, and needs not be asked', async (t) => {
  const broker = await openedBroker(t);
  assert.equal(broker.access.mayDoAll(anonymous), true);
  assert.equal(broker.access.mayDoAll(broker.access.vouchedFor('boss')), false);
  assert.equal(may(broker, anonymous, 'alter', 'cluster', clusterName), true);
});

test('a rule closes its resource to everybody else who needed no credentials, and only that one', async (t) => {
  const broker = await openedBroker(t);
  await broker.access.addRules([allowed]);
  assert.equal(broker.access.mayDoAll(anonymous), false);
  assert.equal(may(broker, anonymous, 'read', 'topic', 'orders'), false);
  assert.equal(may(broker, anonymous, 'read', 'topic', 'others'), true);
  await broker.access.addRules([{ ...allowed, user: 'ANONYMOUS' }]);
  assert.equal(may(broker, anonymous, 'read', 'topic', 'orders'), true);
  assert.equal(may(broker, anonymous, 'write', 'topic', 'orders'), false);
});

test('who may use or change something may know of it; a refusal implies nothing', async (t) => {
  const broker = await openedBroker(t);
  for (const operation of ['read', 'write', 'delete', 'alter'] as const) {
    await broker.access.addRules([{ ...allowed, name: operation, operation }]);
    assert.equal(may(broker, 'ann', 'describe', 'topic', operation), true, operation);
  }
  await broker.access.addRules([
    { ...allowed, name: 'configs', operation: 'alter-configs' },
    { ...allowed, name: 'create', operation: 'create' },
    { ...allowed, name: 'mixed', operation: 'all' },
    { ...allowed, name: 'mixed', operation: 'read', effect: 'deny' },
  ]);
  assert.equal(may(broker, 'ann', 'describe-configs', 'topic', 'configs'), true);
  assert.equal(may(broker, 'ann', 'describe', 'topic', 'create'), false);
  assert.equal(may(broker, 'ann', 'describe', 'topic', 'mixed'), true);
  assert.equal(may(broker, 'ann', 'read', 'topic', 'mixed'), false);
});

const cases: ReadonlyArray<readonly [string, readonly AccessRule[], boolean]> = [
  ['nothing says so', [], false],
  ['its name is given', [allowed], true],
  ['another name is given', [{ ...allowed, name: 'order' }], false],
  ['all names are', [{ ...allowed, name: '*' }], true],
  ['its beginning is', [{ ...allowed, pattern: 'prefix', name: 'ord' }], true],
  ['all of it is its beginning', [{ ...allowed, pattern: 'prefix', name: 'orders' }], true],
  ['a star is a beginning like others', [{ ...allowed, pattern: 'prefix', name: '*' }], false],
  ['everybody may', [{ ...allowed, user: '*' }], true],
  ['somebody else may', [{ ...allowed, user: 'bob' }], false],
  ['it comes from the address', [{ ...allowed, host: '10.0.0.1' }], true],
  ['it comes from elsewhere', [{ ...allowed, host: '10.0.0.2' }], false],
  ['it may do everything', [{ ...allowed, operation: 'all' }], true],
  ['it may do something else', [{ ...allowed, operation: 'write' }], false],
  ['the name is a group', [{ ...allowed, kind: 'group' }], false],
  ['it is denied, too', [allowed, { ...allowed, effect: 'deny' }], false],
  ['everybody is denied', [allowed, { ...allowed, user: '*', effect: 'deny' }], false],
  ['its beginning is denied', [allowed, { ...deny('o'), pattern: 'prefix' }], false],
  ['everything is denied', [allowed, deny('*')], false],
  ['something else is denied', [allowed, { ...deny('orders'), operation: 'write' }], true],
  ['it is denied to another address', [allowed, { ...deny('orders'), host: '10.0.0.9' }], true],
];

function deny(name: string): AccessRule {
  return { ...allowed, effect: 'deny', name, operation: 'all' };
}

for (const [name, rules, isAllowed] of cases) {
  test(`reading is ${isAllowed ? 'allowed' : 'refused'} when ${name}`, async (t) => {
    const broker = await openedBroker(t);
    await broker.access.addRules(rules);
    assert.equal(may(broker, 'ann', 'read', 'topic', 'orders'), isAllowed);
  });
}

test('where it is not known where somebody comes from, what one address may is not allowed, what it may not is denied', async (t) => {
  const broker = await openedBroker(t);
  await broker.access.addRules([{ ...allowed, host: '10.0.0.1' }]);
  const somewhere = broker.access.vouchedFor('ann');
  assert.equal(may(broker, somewhere, 'read', 'topic', 'orders'), false);
  await broker.access.addRules([allowed]);
  assert.equal(may(broker, somewhere, 'read', 'topic', 'orders'), true);
  await broker.access.addRules([{ ...deny('orders'), host: '10.0.0.7' }]);
  assert.equal(may(broker, somewhere, 'read', 'topic', 'orders'), false);
});

test('permissions are worth as much as rules, and a rule that denies takes from them', async (t) => {
  const broker = await openedBroker(t);
  const permission = { user: 'ann', namespace: '', configure: '^own', write: '^out', read: '^in' };
  await broker.access.putPermission(permission);
  const granted: ReadonlyArray<readonly [Operation, AccessRule['kind'], string]> = [
    ['create', 'topic', 'own'],
    ['alter-configs', 'topic', 'own'],
    ['delete', 'group', 'own'],
    ['write', 'topic', 'out'],
    ['describe', 'topic', 'out'],
    ['write', 'transaction', 'out'],
    ['read', 'topic', 'in'],
    ['read', 'group', 'in'],
    ['describe', 'group', 'in'],
  ];
  for (const [operation, kind, name] of granted) {
    assert.equal(may(broker, 'ann', operation, kind, name), true, `${operation} ${kind} ${name}`);
  }
  const refused: ReadonlyArray<readonly [Operation, AccessRule['kind'], string]> = [
    ['read', 'topic', 'out'],
    ['write', 'topic', 'in'],
    ['delete', 'topic', 'out'],
    ['write', 'transaction', 'in'],
    ['alter', 'cluster', clusterName],
    ['create', 'cluster', clusterName],
  ];
  for (const [operation, kind, name] of refused) {
    assert.equal(may(broker, 'ann', operation, kind, name), false, `${operation} ${kind} ${name}`);
  }
  await broker.access.addRules([{ ...deny('in'), pattern: 'prefix', operation: 'read' }]);
  assert.equal(may(broker, 'ann', 'read', 'topic', 'in'), false);
  assert.equal(may(broker, 'ann', 'read', 'group', 'in'), true);
});

test('other doors ask for the same: rules add to permissions there, and take from them', async (t) => {
  const { access } = await openedBroker(t);
  const ann = access.vouchedFor('ann');
  assert.equal(access.mayEnter(ann, ''), false);
  await access.addRules([allowed]);
  assert.equal(access.mayEnter(ann, ''), true);
  assert.equal(access.allows(ann, '', 'read', 'orders'), true);
  assert.equal(access.allows(ann, '', 'write', 'orders'), false);
  await access.addRules([{ ...allowed, operation: 'create' }]);
  assert.equal(access.allows(ann, '', 'configure', 'orders'), false, 'deleting is wanted, too');
  await access.addRules([{ ...allowed, operation: 'all' }]);
  assert.equal(access.allows(ann, '', 'configure', 'orders'), true);
  await access.addRules([{ ...deny('orders'), user: '*' }]);
  assert.equal(access.allows(ann, '', 'read', 'orders'), false);
});

test('rules are of the default namespace', async (t) => {
  const { access } = await openedBroker(t);
  const ann = access.vouchedFor('ann');
  await access.putNamespace({ name: 'far', description: '', tags: [], attributes: {}, limits: {} });
  await access.putPermission({
    user: 'ann',
    namespace: 'far',
    configure: '',
    write: '',
    read: '.*',
  });
  await access.addRules([deny('orders'), { ...allowed, name: 'own', operation: 'all' }]);
  assert.equal(access.allows(ann, 'far', 'read', 'orders'), true);
  assert.equal(access.allows(ann, 'far', 'write', 'own'), false);
});

test('administrators have the broker itself, whatever rules say; who monitors may look', async (t) => {
  const broker = await openedBroker(t);
  await broker.access.addRules([
    { ...deny('*'), user: '*' },
    { ...deny(clusterName), user: '*', kind: 'cluster' },
  ]);
  assert.equal(may(broker, 'boss', 'alter', 'cluster', clusterName), true);
  assert.equal(may(broker, 'boss', 'write', 'topic', 'orders'), false);
  assert.equal(may(broker, 'eye', 'describe', 'group', 'any'), true);
  assert.equal(may(broker, 'eye', 'describe', 'cluster', clusterName), false);
  assert.equal(may(broker, 'eye', 'read', 'group', 'any'), false);
});

test('whether somebody may write anywhere at all', async (t) => {
  const broker = await openedBroker(t);
  const { access } = broker;
  const ann = access.vouchedFor('ann');
  const canWrite = (): boolean => access.mayOnSome(ann, 'topic', 'write');
  assert.equal(access.mayOnSome(anonymous, 'topic', 'write'), true);
  assert.equal(canWrite(), false);
  const prefix: AccessRule = { ...allowed, pattern: 'prefix', name: 'log-', operation: 'write' };
  await access.addRules([prefix]);
  assert.equal(canWrite(), true);
  await access.addRules([{ ...deny('log-'), operation: 'write' }]);
  assert.equal(canWrite(), true, 'one name of many is denied');
  await access.addRules([{ ...deny('log'), pattern: 'prefix' }]);
  assert.equal(canWrite(), false);
  const permission = { user: 'ann', namespace: '', configure: '', write: 'x', read: '' };
  await access.putPermission(permission);
  assert.equal(canWrite(), true);
  await access.addRules([deny('*')]);
  assert.equal(canWrite(), false);
});

test('rules are found by what is asked for, and gone when they are deleted', async (t) => {
  const { access } = await openedBroker(t);
  const others: AccessRule[] = [
    { ...allowed, name: '*' },
    { ...allowed, pattern: 'prefix', name: 'ord' },
    { ...allowed, kind: 'group', user: 'bob' },
  ];
  await access.addRules([allowed, allowed, ...others]);
  assert.equal(access.listRules().length, 4);
  assert.deepEqual(access.listRules({ name: 'orders', kind: 'topic' }), [allowed]);
  assert.equal(access.listRules({ appliesTo: 'orders', kind: 'topic' }).length, 3);
  assert.equal(access.listRules({ pattern: 'prefix' }).length, 1);
  assert.deepEqual(access.listRules({ user: 'bob' }), [others[2]]);
  const before = access.version;
  await access.deleteRules([allowed, { ...allowed, name: 'unknown' }]);
  assert.ok(access.version > before);
  assert.deepEqual(access.listRules(), others);
});

test('rules are there after a restart, from the journal and from a snapshot', async () => {
  const { broker, reopen } = await openBroker();
  await broker.access.addRules([allowed, deny('other')]);
  const second = await reopen();
  assert.deepEqual(second.access.listRules(), [allowed, deny('other')]);
  await second.access.deleteRules([allowed]);
  await second.close();
  const third = await reopen();
  assert.deepEqual(third.access.listRules(), [deny('other')]);
  await third.close();
});

test('what is no rule is refused, and so is one too many', async (t) => {
  const { access } = await openedBroker(t);
  for (const bad of [
    { ...allowed, user: '' },
    { ...allowed, host: '' },
    { ...allowed, name: 'x'.repeat(limits.nameBytesMax + 1) },
  ]) {
    await assert.rejects(access.addRules([allowed, bad]), isRefused('config-invalid'));
  }
  assert.deepEqual(access.listRules(), []);
  const many = Array.from({ length: limits.accessRulesMax + 1 }, (_, index) => ({
    ...allowed,
    name: `topic-${index}`,
  }));
  await assert.rejects(access.addRules(many), isRefused('policy-refused'));
});

function isRefused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BrokerError && error.code === code;
}

test('random rules answer as a look at each of them does', async (t) => {
  const { access } = await openedBroker(t);
  const random = new SeededRandom(7);
  const pick = <T>(items: readonly T[]): T => items[random.nextInt(items.length)]!;
  const names = ['a', 'ab', 'abc', 'b', 'bc', '*'];
  const hosts = ['*', '*', 'h1', 'h2'];
  const kinds = ['topic', 'group'] as const;
  const kept: AccessRule[] = [];
  for (let round = 0; round < 300; round++) {
    const rule: AccessRule = {
      effect: pick(['allow', 'allow', 'deny'] as const),
      user: pick(['u1', 'u2', '*']),
      host: pick(hosts),
      kind: pick(kinds),
      pattern: pick(['literal', 'prefix'] as const),
      name: pick(names),
      operation: pick(['read', 'write', 'create', 'all'] as const),
    };
    const known = kept.findIndex((one) => JSON.stringify(one) === JSON.stringify(rule));
    if (known >= 0 || (kept.length > 12 && random.nextInt(10) < 6)) {
      const [gone] = kept.splice(Math.max(known, 0), 1);
      await access.deleteRules([gone!]);
    } else {
      kept.push(rule);
      await access.addRules([rule]);
    }
    const [user, host, kind, name] = [
      pick(['u1', 'u2', 'u3']),
      pick(['h1', 'h2']),
      pick(kinds),
      pick(['a', 'ab', 'abcd', 'b', 'c']),
    ];
    const identity: Identity = { name: user, tags: [], isAnonymous: false, host };
    for (const operation of ['read', 'write', 'create', 'describe'] as const) {
      const found = (access.operationsOn(identity, kind, name) & operationBits[operation]) !== 0;
      assert.equal(
        found,
        isAllowedBy(kept, { user, host, kind, name, operation }),
        `round ${round}: ${user} ${operation} ${kind} ${name}`,
      );
    }
  }
});

interface Question {
  readonly user: string;
  readonly host: string;
  readonly kind: AccessRule['kind'];
  readonly name: string;
  readonly operation: Operation;
}

function isAllowedBy(rules: readonly AccessRule[], asked: Question): boolean {
  const apply = rules.filter(
    ({ user, host, kind, pattern, name }) =>
      (user === '*' || user === asked.user) &&
      (host === '*' || host === asked.host) &&
      kind === asked.kind &&
      (pattern === 'prefix' ? asked.name.startsWith(name) : name === '*' || name === asked.name),
  );
  const says = (effect: string, names: readonly string[]): boolean =>
    apply.some((rule) => rule.effect === effect && names.includes(rule.operation));
  if (says('deny', ['all', asked.operation])) return false;
  const implied = asked.operation === 'describe' ? ['read', 'write'] : [];
  return says('allow', ['all', asked.operation, ...implied]);
}

test('every operation has a bit of its own', () => {
  assert.equal(new Set(operations.map((name) => operationBits[name])).size, operations.length);
});

const keys = {
  salt: Buffer.from('salt').toString('base64'),
  iterations: 4096,
  storedKey: Buffer.alloc(32, 1).toString('base64'),
  serverKey: Buffer.alloc(32, 2).toString('base64'),
};

test('keys that were derived elsewhere make a user, and end a password that was set here', async (t) => {
  const { access } = await openedBroker(t);
  await access.putScramKeys('new', 'sha-256', keys);
  assert.deepEqual(access.findUser('new')?.tags, []);
  assert.deepEqual(access.findScramKeys('new', 'sha-256'), keys);

  await access.putUser({ name: 'boss', tags: ['administrator'], password: 'first' });
  assert.notEqual(access.findScramKeys('boss', 'sha-512'), undefined);
  await access.putScramKeys('boss', 'sha-256', keys);
  assert.deepEqual(access.findUser('boss')?.tags, ['administrator']);
  assert.equal(access.findUser('boss')?.password, undefined);
  assert.equal(access.findScramKeys('boss', 'sha-512'), undefined);
  assert.equal(await access.authenticate('boss', 'first'), undefined);

  await access.deleteScramKeys('boss', 'sha-256');
  assert.equal(access.findScramKeys('boss', 'sha-256'), undefined);
  assert.notEqual(access.findUser('boss'), undefined);
  await assert.rejects(access.deleteScramKeys('nobody', 'sha-256'), isRefused('user-not-found'));
});

test('a password is compared with the keys that were derived from it where nothing else is known', async (t) => {
  const { access } = await openedBroker(t);
  await access.putUser({ name: 'ann', tags: [], password: 'open sesame' });
  for (const mechanism of ['sha-256', 'sha-512'] as const) {
    const derived = access.findScramKeys('ann', mechanism);
    assert.ok(derived !== undefined);
    await access.putScramKeys(mechanism, mechanism, derived);
    assert.equal((await access.authenticate(mechanism, 'open sesame'))?.name, mechanism);
    assert.equal(await access.authenticate(mechanism, 'open'), undefined);
  }
});

for (const [what, bad] of [
  ['too few iterations', { iterations: limits.scramIterationsMin - 1 }],
  ['too many iterations', { iterations: limits.scramIterationsMax + 1 }],
  ['no salt', { salt: '' }],
  ['a key that is too short', { storedKey: 'AAAA' }],
] as const) {
  test(`keys with ${what} are refused`, async (t) => {
    const { access } = await openedBroker(t);
    await assert.rejects(
      access.putScramKeys('ann', 'sha-256', { ...keys, ...bad }),
      isRefused('config-invalid'),
    );
  });
}
