import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type ProcessUsage, readUsage } from '../process-usage.ts';
import { installKafka } from './distribution.ts';

const root = path.resolve(import.meta.dirname, '../..');
const startTimeoutMs = 180_000;
const pollMs = 5;

/** A broker under test. Its data stay in their directory until the caller removes them. */
export interface Server {
  readonly subject: string;
  readonly host: string;
  readonly port: number;
  /** From starting the process to the first answer to a request, milliseconds. */
  readonly readyMs: number;
  usage(): ProcessUsage;
  /** The server's metrics in Prometheus' text format, where it has them. */
  findMetrics(): Promise<string | undefined>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** What can be started, any number of times, over the same directory. */
export interface Subject {
  readonly name: string;
  start(directory: string): Promise<Server>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130));
}

/** Ten thousand partitions take more open files than a shell allows at first; the same for every subject. */
function spawnServer(command: readonly string[], logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  const child = spawn('bash', ['-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'bash', ...command], {
    stdio: ['ignore', log, log],
    cwd: root,
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

function waitForExit(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

export async function findFreePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** Size, ApiVersions (18) version 0, correlation id 1, client id null. */
const apiVersionsRequest = Buffer.from('0000000a0012000000000001ffff', 'hex');

/** True when a request is answered. */
function probe(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const end = (isAnswered: boolean) => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.once('connect', () => socket.write(apiVersionsRequest));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.setTimeout(5000, () => end(false));
  });
}

async function waitUntilReady(
  child: ChildProcess,
  findPort: () => number | undefined,
  logFile: string,
  startedMs: number,
): Promise<number> {
  while (performance.now() - startedMs < startTimeoutMs) {
    if (child.exitCode !== null) {
      throw new Error(`the server ended: ${readFileSync(logFile, 'utf8').slice(-2000)}`);
    }
    const port = findPort();
    if (port !== undefined && (await probe(port))) return port;
    await sleep(pollMs);
  }
  throw new Error(`the server was not ready within ${startTimeoutMs} ms; see ${logFile}`);
}

async function startProcess(
  subject: string,
  command: readonly string[],
  logFile: string,
  findPort: () => number | undefined,
  findMetrics: () => Promise<string | undefined>,
): Promise<Server> {
  const startedMs = performance.now();
  const child = spawnServer(command, logFile);
  const port = await waitUntilReady(child, findPort, logFile, startedMs);
  const readyMs = performance.now() - startedMs;
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await waitForExit(child);
  };
  return {
    subject,
    host: '127.0.0.1',
    port,
    readyMs,
    usage: () => readUsage(child.pid!),
    findMetrics,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

function readListeners(
  readyFile: string,
): Record<string, { host: string; port: number } | undefined> | undefined {
  try {
    // A cast: the shape is the contract of --ready-file.
    return JSON.parse(readFileSync(readyFile, 'utf8')) as Record<
      string,
      { host: string; port: number }
    >;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The built server of this checkout, durable as it is by default. */
export const pabal: Subject = {
  name: 'pabal',
  start: async (directory) => {
    const main = path.join(root, 'dist/cli/main.js');
    if (!existsSync(main)) throw new Error('dist/ is missing: npm run build');
    mkdirSync(directory, { recursive: true });
    const readyFile = path.join(directory, 'ready.json');
    rmSync(readyFile, { force: true });
    const command = [
      ...[process.execPath, main, 'serve'],
      ...['--data', path.join(directory, 'data'), '--only', 'kafka,admin'],
      ...['--listen', 'kafka=127.0.0.1:0', '--listen', 'admin=127.0.0.1:0'],
      ...['--ready-file', readyFile],
    ];
    return startProcess(
      'pabal',
      command,
      path.join(directory, 'server.log'),
      () => readListeners(readyFile)?.kafka?.port,
      async () => {
        const port = readListeners(readyFile)?.admin?.port;
        if (port === undefined) return undefined;
        return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      },
    );
  },
};

/** As bin/kafka-server-start.sh starts it. */
const javaOptions = [
  ...['-Xmx1g', '-Xms1g', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
  ...['-XX:InitiatingHeapOccupancyPercent=35', '-XX:+ExplicitGCInvokesConcurrent'],
  '-Djava.awt.headless=true',
];

function apacheKafka(name: string, settings: Readonly<Record<string, string>>): Subject {
  return {
    name,
    start: async (directory) => {
      const classPath = installKafka();
      mkdirSync(directory, { recursive: true });
      const port = await findFreePort();
      const controllerPort = await findFreePort();
      const properties = {
        'process.roles': 'broker,controller',
        'node.id': '1',
        'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
        'controller.listener.names': 'CONTROLLER',
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'log.dirs': path.resolve(directory, 'data'),
        'offsets.topic.replication.factor': '1',
        'transaction.state.log.replication.factor': '1',
        'transaction.state.log.min.isr': '1',
        'share.coordinator.state.topic.replication.factor': '1',
        'share.coordinator.state.topic.min.isr': '1',
        ...settings,
      };
      const file = path.join(directory, 'server.properties');
      const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
      writeFileSync(file, `${lines.join('\n')}\n`);
      execFileSync(
        'java',
        [
          ...['-cp', classPath, 'kafka.tools.StorageTool', 'format', '--ignore-formatted'],
          ...['-t', 'AAAAAAAAQACAAAAAAAAAAQ', '-c', file],
        ],
        { stdio: ['ignore', 'ignore', 'ignore'] },
      );
      return startProcess(
        name,
        ['java', ...javaOptions, '-cp', classPath, 'kafka.Kafka', file],
        path.join(directory, 'server.log'),
        () => port,
        async () => undefined,
      );
    },
  };
}

/** Kafka's defaults: a record is acknowledged when it is in the page cache. */
export const kafka = apacheKafka('kafka', {});

/** Kafka made durable before the ack, as Pabal is. */
export const kafkaFlushing = apacheKafka('kafka, flush.messages=1', {
  'log.flush.interval.messages': '1',
});
