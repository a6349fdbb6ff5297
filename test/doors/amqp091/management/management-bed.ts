import type { TestContext } from 'node:test';
import { SystemClock, SystemRandom } from '../../../../src/base/index.ts';
import { Broker } from '../../../../src/broker/index.ts';
import { AmqpDoor, loadManagement } from '../../../../src/doors/amqp091/index.ts';
import { silentLog } from '../../../../src/net/index.ts';

export interface Answer {
  readonly status: number;
  /** Undefined for no body. */
  readonly json: unknown;
  readonly headers: Headers;
}

export interface ManagementBed {
  readonly broker: Broker;
  readonly amqpPort: number;
  readonly url: string;
  /** As `guest` unless `user` is `NAME:PASSWORD`, or '' for nobody. */
  readonly call: (
    method: string,
    path: string,
    body?: unknown,
    options?: { user?: string; headers?: Record<string, string> },
  ) => Promise<Answer>;
}

/** A broker in memory with the AMQP door and the management; all are gone when the test ends. */
export async function openBed(t: TestContext): Promise<ManagementBed> {
  const broker = await Broker.open({ store: 'memory' });
  const parts = {
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
    version: '0.0.0',
    host: '127.0.0.1',
    port: 0,
  };
  const { ManagementDoor } = await loadManagement();
  const amqp = await AmqpDoor.open(parts);
  const door = await ManagementDoor.open({
    ...parts,
    findAmqpMetrics: () => amqp.metrics,
    listDoors: () => [
      { name: 'amqp', host: amqp.host, port: amqp.port, isTls: false },
      { name: 'rabbitmq-management', host: door.host, port: door.port, isTls: false },
    ],
  });
  t.after(async () => {
    await Promise.all([door.close(0), amqp.close(0)]);
    await broker.close();
  });
  const url = `http://127.0.0.1:${door.port}`;
  return {
    broker,
    amqpPort: amqp.port,
    url,
    async call(method, path, body, { user = 'guest:guest', headers = {} } = {}) {
      const response = await fetch(`${url}/api/${path}`, {
        method,
        headers: {
          ...(user === '' ? {} : { authorization: `Basic ${btoa(user)}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const json: unknown = text === '' ? undefined : JSON.parse(text);
      return { status: response.status, json, headers: response.headers };
    },
  };
}
