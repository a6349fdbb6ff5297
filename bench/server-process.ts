import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type ProcessUsage, readUsage } from './process-usage.ts';

const root = path.resolve(import.meta.dirname, '..');
const startTimeoutMs = 180_000;
const pollMs = 5;

/** A broker under test. Its data stay in their directory until the caller removes them. */
export interface Server {
  readonly subject: string;
  readonly host: string;
  /** Of the door that the benchmark drives. */
  readonly port: number;
  readonly pid: number;
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

/** How a broker's process is started and found ready. */
export interface ServerProcess {
  readonly subject: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Undefined until it is known. */
  findPort(): number | undefined;
  /** Bytes that a ready server answers, whatever with. */
  readonly probe: Buffer;
  /** The probe's answer; any byte when it is left out. */
  isAnswer?(answer: Buffer): boolean;
  findMetrics?(): Promise<string | undefined>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130));
}

/** Many partitions and connections take more open files than a shell allows at first; the same for every subject. */
function spawnServer(server: ServerProcess): ChildProcess {
  const { command, environment } = server;
  const log = openSync(server.logFile, 'a');
  const child = spawn('bash', ['-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'bash', ...command], {
    stdio: ['ignore', log, log],
    cwd: root,
    env: { ...process.env, ...environment },
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

export function sleep(ms: number): Promise<void> {
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

/** True when the probe is answered. */
function probe(server: ServerProcess, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const end = (isAnswered: boolean) => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.once('connect', () => socket.write(server.probe));
    socket.once('data', (answer) => end(server.isAnswer?.(answer) ?? true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.setTimeout(5000, () => end(false));
  });
}

async function waitUntilReady(
  child: ChildProcess,
  server: ServerProcess,
  startedMs: number,
): Promise<number> {
  while (performance.now() - startedMs < startTimeoutMs) {
    if (child.exitCode !== null) {
      throw new Error(`the server ended: ${readFileSync(server.logFile, 'utf8').slice(-2000)}`);
    }
    const port = server.findPort();
    if (port !== undefined && (await probe(server, port))) return port;
    await sleep(pollMs);
  }
  throw new Error(`the server was not ready within ${startTimeoutMs} ms; see ${server.logFile}`);
}

export async function startProcess(server: ServerProcess): Promise<Server> {
  const startedMs = performance.now();
  const child = spawnServer(server);
  const port = await waitUntilReady(child, server, startedMs);
  const readyMs = performance.now() - startedMs;
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await waitForExit(child);
  };
  const pid = child.pid!;
  return {
    subject: server.subject,
    host: '127.0.0.1',
    port,
    pid,
    readyMs,
    usage: () => readUsage(pid),
    findMetrics: () => server.findMetrics?.() ?? Promise.resolve(undefined),
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

/** The built server of this checkout with the admin door and one more, durable as it is by default. */
export function pabalSubject(door: string, probeBytes: Buffer): Subject {
  return {
    name: 'pabal',
    start: async (directory) => {
      const main = path.join(root, 'dist/cli/main.js');
      if (!existsSync(main)) throw new Error('dist/ is missing: npm run build');
      mkdirSync(directory, { recursive: true });
      const readyFile = path.join(directory, 'ready.json');
      rmSync(readyFile, { force: true });
      return startProcess({
        subject: 'pabal',
        command: [
          ...[process.execPath, main, 'serve'],
          ...['--data', path.join(directory, 'data'), '--only', `${door},admin`],
          ...['--listen', `${door}=127.0.0.1:0`, '--listen', 'admin=127.0.0.1:0'],
          ...['--ready-file', readyFile],
        ],
        logFile: path.join(directory, 'server.log'),
        findPort: () => readListeners(readyFile)?.[door]?.port,
        probe: probeBytes,
        findMetrics: async () => {
          const port = readListeners(readyFile)?.['admin']?.port;
          if (port === undefined) return undefined;
          return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        },
      });
    },
  };
}
