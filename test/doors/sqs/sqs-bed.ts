import type { TestContext } from 'node:test';
import { SQSClient } from '@aws-sdk/client-sqs';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { SqsDoor, type SqsDoorOptions } from '../../../src/doors/sqs/index.ts';
import { type DoorMetrics, silentLog } from '../../../src/net/index.ts';

export interface SqsBed {
  readonly broker: Broker;
  readonly port: number;
  readonly url: string;
  readonly client: SQSClient;
  readonly metrics: DoorMetrics;
  /** What the door said of itself as an error. */
  readonly complaints: unknown[];
  json(action: string, input: unknown): Promise<RawAnswer>;
  query(parameters: Record<string, string>, path?: string): Promise<RawAnswer>;
  /** Closes the door: what is under way is answered first. */
  close(): Promise<void>;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

/** A broker in memory with a door on a free port; both are gone when the test ends. */
export async function openBed(
  t: TestContext,
  options: Partial<SqsDoorOptions> & { data?: string } = {},
): Promise<SqsBed> {
  const { data, ...rest } = options;
  const clock = options.clock ?? new SystemClock();
  const broker = await Broker.open({
    ...(data === undefined ? { store: 'memory' } : { data }),
    clock,
  });
  const complaints: unknown[] = [];
  const door = await SqsDoor.open({
    broker,
    clock,
    random: new SystemRandom(),
    log: { ...silentLog, error: (fields, message) => complaints.push([fields, message]) },
    host: '127.0.0.1',
    port: 0,
    advertised: undefined,
    accessKeys: new Map(),
    isRelaxed: false,
    messageBytesMax: 16 * 1024 * 1024,
    connectionsMax: 100,
    peerStallMs: 60_000,
    ...rest,
  });
  const url = `http://127.0.0.1:${door.port}`;
  const client = new SQSClient({
    endpoint: url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  t.after(async () => {
    client.destroy();
    await door.close(0);
    await broker.close();
  });
  return {
    broker,
    port: door.port,
    url,
    client,
    metrics: door.metrics,
    complaints,
    close: () => door.close(60_000),
    json: (action, input) =>
      read(
        fetch(url, {
          method: 'POST',
          headers: {
            'x-amz-target': `AmazonSQS.${action}`,
            'content-type': 'application/x-amz-json-1.0',
          },
          body: typeof input === 'string' ? input : JSON.stringify(input),
        }),
      ),
    query: (parameters, path = '/') =>
      read(fetch(url + path, { method: 'POST', body: new URLSearchParams(parameters) })),
  };
}

async function read(answer: Promise<Response>): Promise<RawAnswer> {
  const response = await answer;
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== '' ? JSON.parse(text) : {},
  };
}
