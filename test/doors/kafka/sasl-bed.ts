import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { type Clock, SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker, type ScramKeys, type ScramMechanism } from '../../../src/broker/index.ts';
import { KafkaDoor, type KafkaDoorOptions } from '../../../src/doors/kafka/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { WireClient } from './wire-client.ts';

export const password = 'open sesame';

export function pem(name: string): Buffer {
  return readFileSync(path.join(import.meta.dirname, '../../net/certificates', name));
}

export const tls = {
  certificate: pem('server.pem'),
  key: pem('server.key.pem'),
  authorities: pem('authority.pem'),
  verifyPeer: 'request',
} as const;

/** Its timers are over at once where they are penalties, so that tests do not wait for them. */
class HastyClock extends SystemClock implements Clock {
  override setTimer(ms: number, callback: () => void) {
    return super.setTimer(ms === 1000 ? 1 : ms, callback);
  }
}

export interface SaslBed {
  readonly broker: Broker;
  readonly port: number;
  readonly connect: () => Promise<WireClient>;
}

/** The keys of the password, which cost much to derive. */
let derived: Promise<ReadonlyArray<readonly [ScramMechanism, ScramKeys]>> | undefined;

async function deriveKeys(): Promise<ReadonlyArray<readonly [ScramMechanism, ScramKeys]>> {
  const { access, close } = await openMemoryBroker();
  await access.putUser({ name: 'ann', tags: [], password });
  const keys: Array<readonly [ScramMechanism, ScramKeys]> = [];
  for (const mechanism of ['sha-256', 'sha-512'] as const) {
    const found = access.findScramKeys('ann', mechanism);
    if (found !== undefined) keys.push([mechanism, found]);
  }
  await close();
  return keys;
}

async function openMemoryBroker() {
  const broker = await Broker.open({ store: 'memory' });
  return { broker, access: broker.access, close: () => broker.close() };
}

/** A door on a broker with the users `ann`, who may do everything, and `bob`, who may only read. */
export async function openBed(
  t: TestContext,
  options: Partial<KafkaDoorOptions> = {},
): Promise<SaslBed> {
  derived ??= deriveKeys();
  const keys = await derived;
  const { broker } = await openMemoryBroker();
  for (const name of ['ann', 'bob']) {
    for (const [mechanism, found] of keys) await broker.access.putScramKeys(name, mechanism, found);
    const pattern = name === 'ann' ? '.*' : '';
    await broker.access.putPermission({
      user: name,
      namespace: '',
      configure: pattern,
      write: pattern,
      read: '.*',
    });
  }
  const door = await KafkaDoor.open({
    broker,
    clock: new HastyClock(),
    random: new SystemRandom(),
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    requiresLogin: true,
    ...options,
  });
  const clients: WireClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await door.close(0);
    await broker.close();
  });
  return {
    broker,
    port: door.port,
    async connect() {
      const client = await WireClient.connect(door.port);
      clients.push(client);
      return client;
    },
  };
}

/** A token of PLAIN. */
export function plain(user: string, secret: string, actAs = ''): Buffer {
  return Buffer.from(`${actAs}\0${user}\0${secret}`);
}
