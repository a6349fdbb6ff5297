import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { ApiContext } from './api.ts';
import type { JsonObject } from './body.ts';
import type { Counters } from './samples.ts';

export const nodeKey = 'node';

/** What of the node has rates. */
export function nodeCounters({ broker, churn }: ApiContext): Counters {
  return {
    mem_used: process.memoryUsage.rss(),
    sockets_used: broker.peers.list().length,
    disk_free: broker.storage().freeBytes,
    ...churn.counters(),
  };
}

/** Fields that are about Erlang (processes, collections, Mnesia) are not there. */
export async function showNode(context: ApiContext): Promise<JsonObject> {
  const { broker, clock, samples, nodeName, freeBytesMin, startedMs } = context;
  const [used, total] = await Promise.all([countDescriptors(), readDescriptorLimit()]);
  return {
    name: nodeName,
    type: 'disc',
    running: true,
    being_drained: false,
    partitions: [],
    cluster_links: [],
    os_pid: String(process.pid),
    uptime: Math.max(0, Math.round(clock.monotonicMs() - startedMs)),
    processors: availableParallelism(),
    run_queue: 0,
    rates_mode: 'basic',
    net_ticktime: 60,
    mem_calculation_strategy: 'rss',
    mem_limit: memoryLimit(),
    mem_alarm: false,
    disk_free_limit: freeBytesMin,
    disk_free_alarm: broker.isStorageLow(),
    fd_used: used,
    fd_total: total,
    sockets_total: total,
    proc_used: 1,
    proc_total: 1,
    db_dir: broker.storage().path,
    log_files: [],
    config_files: [],
    enabled_plugins: enabledPlugins,
    exchange_types: exchangeTypes,
    auth_mechanisms: authMechanisms,
    applications: [{ name: 'pabal', description: 'Pabal', version: context.version }],
    contexts: contextsOf(context),
    metrics_gc_queue_length: {},
    ...samples.describe(nodeKey, nodeCounters(context)),
  };
}

/** Names of RabbitMQ's plugins whose functions are built in, as clients look for them. */
const enabledPlugins: readonly string[] = [
  'rabbitmq_consistent_hash_exchange',
  'rabbitmq_delayed_message_exchange',
  'rabbitmq_management',
  'rabbitmq_random_exchange',
];

const describeType = (name: string, description: string): JsonObject => ({
  name,
  description,
  enabled: true,
});

export const exchangeTypes: readonly JsonObject[] = [
  describeType('direct', 'AMQP direct exchange, as per the AMQP specification'),
  describeType('fanout', 'AMQP fanout exchange, as per the AMQP specification'),
  describeType('headers', 'AMQP headers exchange, as per the AMQP specification'),
  describeType('topic', 'AMQP topic exchange, as per the AMQP specification'),
  describeType('x-consistent-hash', 'Exchange that shares messages out by a hash'),
  describeType('x-delayed-message', 'Exchange that routes messages when their time has come'),
  describeType('x-local-random', 'Exchange that picks one queue of this node by chance'),
  describeType('x-modulus-hash', 'Exchange that picks a binding by a hash, modulo their number'),
  describeType('x-random', 'Exchange that picks one binding by chance'),
];

const authMechanisms: readonly JsonObject[] = [
  describeType('AMQPLAIN', 'The mechanism of AMQP 0-8: a field table with name and password'),
  describeType('EXTERNAL', 'SASL EXTERNAL, by a TLS certificate'),
  describeType('PLAIN', 'SASL PLAIN'),
];

export function contextsOf({ listDoors, nodeName }: ApiContext): JsonObject[] {
  return listDoors()
    .filter(({ name }) => name === managementDoor)
    .map(({ host, port }) => ({
      node: nodeName,
      description: 'RabbitMQ Management',
      path: '/',
      ip: host,
      port: String(port),
      ssl_opts: [],
    }));
}

const managementDoor = 'rabbitmq-management';

/** RabbitMQ's names of what a door speaks. */
const protocolNames: ReadonlyMap<string, readonly [plain: string, tls: string]> = new Map([
  ['amqp', ['amqp', 'amqp/ssl']],
  [managementDoor, ['http', 'https']],
]);

export interface ShownListener {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

export function listListeners({ listDoors }: ApiContext): ShownListener[] {
  return listDoors().map(({ name, host, port, isTls }) => {
    const [plain, tls] = protocolNames.get(name) ?? [name, `${name}/ssl`];
    return { protocol: isTls ? tls : plain, host, port, isTls };
  });
}

/** Parts that a node of RabbitMQ has and this process has not, or has no number of; tools want to see them all the same. */
const absentMemory: JsonObject = Object.fromEntries(
  [
    'connection_readers',
    'connection_writers',
    'connection_channels',
    'connection_other',
    'queue_procs',
    'quorum_queue_procs',
    'quorum_queue_dlx_procs',
    'stream_queue_procs',
    'stream_queue_replica_reader_procs',
    'stream_queue_coordinator_procs',
    'plugins',
    'metadata_store',
    'metrics',
    'mgmt_db',
    'mnesia',
    'quorum_ets',
    'metadata_store_ets',
    'other_ets',
    'msg_index',
    'code',
    'atom',
  ].map((part) => [part, 0]),
);

export function showMemory(): JsonObject {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  return {
    ...absentMemory,
    strategy: 'rss',
    total: { rss, allocated: heapTotal + external, erlang: heapTotal + external },
    binary: arrayBuffers,
    allocated_unused: heapTotal - heapUsed,
    other_proc: heapUsed,
    other_system: Math.max(0, external - arrayBuffers),
    reserved_unallocated: Math.max(0, rss - heapTotal - external),
  };
}

/** What a container allows, or the machine has. */
function memoryLimit(): number {
  const total = totalmem();
  const allowed = process.constrainedMemory?.() ?? 0;
  return allowed > 0 && allowed < total ? allowed : total;
}

/** Where the system does not say, -1. */
async function countDescriptors(): Promise<number> {
  try {
    return (await readdir('/proc/self/fd')).length;
  } catch {
    return -1;
  }
}

async function readDescriptorLimit(): Promise<number> {
  try {
    const text = await readFile('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? -1);
  } catch {
    return -1;
  }
}

export function countObjects({ broker }: ApiContext): Record<string, number> {
  let channels = 0;
  let consumers = 0;
  const connections = broker.peers.list();
  for (const connection of connections) {
    for (const channel of connection.channels()) {
      channels += 1;
      consumers += channel.consumers().length;
    }
  }
  return {
    channels,
    connections: connections.length,
    consumers,
    exchanges: broker.exchanges.list().length,
    queues: broker.queues.list().filter(({ subscription }) => subscription === '').length,
  };
}
