import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { type AccessRule, Broker } from '../../../src/broker/index.ts';
import { errorCodes as codes } from '../../../src/doors/kafka/error-codes.ts';
import { KafkaDoor } from '../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { WireClient } from './wire-client.ts';

/** An ACL, and a filter that finds all. */
export const acl = {
  resourceType: 2,
  resourceName: 'x',
  resourcePatternType: 3,
  principal: 'User:x',
  host: '*',
  operation: 3,
  permissionType: 3,
};
export const aclFilter = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
};

const keys = {
  salt: 'c2FsdA==',
  iterations: 4096,
  storedKey: 'ys1hfUgJFhi81P3XRM0O5+m5LOn05eJzY6XPAwRYB4U=',
  serverKey: 'FodGjhBFJk2ccCqPE/jpSA9I+WvGxyzvw08bsp7G8vA=',
};

export interface Bed {
  readonly broker: Broker;
  /** Of a user who may nothing but what rules allow. */
  readonly ann: WireClient;
  /** Of an administrator. */
  readonly root: WireClient;
  readonly allow: (
    operation: AccessRule['operation'],
    kind: AccessRule['kind'],
    name: string,
  ) => Promise<void>;
}

/** A door where tokens prove users, for they cost nothing: the token is the name. */
export async function openBed(t: TestContext): Promise<Bed> {
  const broker = await Broker.open({ store: 'memory' });
  await broker.access.putScramKeys('root', 'sha-256', keys);
  await broker.access.putUser({ name: 'root', tags: ['administrator'] });
  await broker.access.putPermission({
    user: 'root',
    namespace: '',
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  // The time of what is produced is long ago.
  const options = { retentionMs: -1 };
  for (const name of ['open', 'secret'])
    await broker.topics.create({ name, partitions: 1, options });
  const door = await KafkaDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    requiresLogin: true,
    tokens: {
      verify: (user) => Promise.resolve({ user, expiresMs: Number.MAX_SAFE_INTEGER }),
    },
  });
  const clients: WireClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await door.close(0);
    await broker.close();
  });
  const logIn = async (user: string): Promise<WireClient> => {
    const client = await WireClient.connect(door.port);
    clients.push(client);
    await client.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' });
    const authBytes = Buffer.from(`n,,\u0001auth=Bearer ${user}\u0001\u0001`);
    const { errorCode } = await client.ask('SaslAuthenticate', 2, { authBytes });
    assert.equal(errorCode, codes.NONE);
    return client;
  };
  const allow: Bed['allow'] = (operation, kind, name) =>
    broker.access.addRules([
      {
        effect: 'allow',
        user: 'ann',
        host: '127.0.0.1',
        kind,
        pattern: 'literal',
        name,
        operation,
      },
    ]);
  return { broker, ann: await logIn('ann'), root: await logIn('root'), allow };
}
