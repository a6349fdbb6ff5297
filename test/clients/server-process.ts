import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runProgram } from '../program.ts';
import { patienceMs } from '../support/patience.ts';

const root = path.resolve(import.meta.dirname, '../..');
const readyTimeoutMs = 2 * patienceMs;
/** Under a loader that translates, a process sometimes hangs before a line of the server ran: it is started again, once. */
const silenceMs = patienceMs / 2;
const portRetryMs = 200;
const pollMs = 20;

export interface Listener {
  host: string;
  port: number;
}

/** The real server in a process of its own, on free ports, over a temporary directory. */
export class ServerProcess {
  readonly directory: string;
  readonly listeners: Readonly<Record<string, Listener>>;
  readonly #words: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(
    directory: string,
    listeners: Readonly<Record<string, Listener>>,
    words: readonly string[],
    child: ChildProcess | undefined,
  ) {
    this.directory = directory;
    this.listeners = listeners;
    this.#words = words;
    this.#child = child;
  }

  /**
   * Starts the server from the sources and waits until every door accepts.
   * With CLIENTS_BOOTSTRAP=HOST:PORT (log door), CLIENTS_AMQP=HOST:PORT or CLIENTS_SQS=HOST:PORT that broker is used
   * instead: a suite is right when Apache Kafka, RabbitMQ or an emulator of SQS passes it too.
   */
  static async start(
    words: readonly string[] = [],
    doors: readonly string[] = ['kafka', 'amqp', 'admin'],
  ): Promise<ServerProcess> {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-clients-'));
    const others = findOthers();
    if (others !== undefined) return new ServerProcess(directory, others, words, undefined);
    const ports = Object.fromEntries(doors.map((door) => [door, 0]));
    const { child, listeners } = await startIn(directory, ports, words);
    return new ServerProcess(directory, listeners, words, child);
  }

  /** Whether this is somebody else's broker, which cannot be restarted. */
  get isOther(): boolean {
    return this.#child === undefined;
  }

  /** Kills the server, or ends it in order, and starts it again on the same ports over the same data. */
  async restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.isOther) throw new Error('only our own server can be restarted');
    await this.#end(signal);
    const ports: Record<string, number> = {};
    for (const [door, { port }] of Object.entries(this.listeners)) ports[door] = port;
    rmSync(path.join(this.directory, readyName), { force: true });
    this.#child = (await startIn(this.directory, ports, this.#words)).child;
  }

  /** `host:port` of the Kafka door. */
  get bootstrap(): string {
    const kafka = this.listeners.kafka!;
    return `${kafka.host}:${kafka.port}`;
  }

  /** The URL of the AMQP door, for its default user and virtual host. */
  get amqpUrl(): string {
    const { host, port } = this.listeners.amqp!;
    return `amqp://guest:guest@${host}:${port}`;
  }

  /** The endpoint of the SQS door. */
  get sqsUrl(): string {
    const { host, port } = this.listeners.sqs!;
    return `http://${host}:${port}`;
  }

  /** Ends the server in order and removes its data; rejects when it does not end with 0. */
  async stop(): Promise<void> {
    try {
      const code = await this.#end('SIGTERM');
      if (code !== 0 && code !== undefined) throw new Error(`the server ended with ${code}`);
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  #end(signal: NodeJS.Signals): Promise<number | null | undefined> {
    const child = this.#child;
    if (child === undefined) return Promise.resolve(undefined);
    if (child.exitCode !== null || child.signalCode !== null)
      return Promise.resolve(child.exitCode);
    return new Promise((resolve) => {
      child.once('exit', (code) => resolve(code));
      child.kill(signal);
    });
  }
}

const readyName = 'ready.json';

/** Listeners of the broker that the environment names. */
function findOthers(): Record<string, Listener> | undefined {
  const others: Record<string, Listener> = {};
  for (const [door, text] of [
    ['kafka', process.env.CLIENTS_BOOTSTRAP],
    ['amqp', process.env.CLIENTS_AMQP],
    ['sqs', process.env.CLIENTS_SQS],
  ] as const) {
    if (text === undefined) continue;
    const [host, port] = text.split(':');
    others[door] = { host: host!, port: Number(port) };
  }
  return Object.keys(others).length === 0 ? undefined : others;
}

async function startIn(
  directory: string,
  ports: Readonly<Record<string, number>>,
  words: readonly string[],
  deadlineMs = Date.now() + readyTimeoutMs,
  isSecondTry = false,
): Promise<{ child: ChildProcess; listeners: Record<string, Listener> }> {
  const readyFile = path.join(directory, readyName);
  const listening = Object.entries(ports).flatMap(([door, port]) => [
    '--listen',
    `${door}=127.0.0.1:${port}`,
  ]);
  const child = spawn(
    process.execPath,
    [
      ...[...runProgram('src/cli/main.ts'), 'serve'],
      ...['--data', path.join(directory, 'data'), '--ready-file', readyFile],
      ...['--only', Object.keys(ports).join(',')],
      ...[...listening, ...words],
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output: string[] = [];
  child.stdout.on('data', (data: Buffer) => output.push(data.toString()));
  child.stderr.on('data', (data: Buffer) => output.push(data.toString()));
  const closed = once(child, 'close');
  const silentUntilMs = isSecondTry ? deadlineMs : Date.now() + silenceMs;
  for (;;) {
    const listeners = readListeners(readyFile);
    if (listeners !== undefined) return { child, listeners };
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded || Date.now() > (output.length === 0 ? silentUntilMs : deadlineMs)) {
      child.kill('SIGKILL');
      // What it printed comes behind its end.
      await closed;
      const text = output.join('');
      if (!isSecondTry && text === '') {
        console.error('a server did not print a line and is started again');
        return startIn(directory, ports, words, deadlineMs, true);
      }
      // Its port from before may be somebody else's for a moment, be it of a connection that goes out.
      if (/:\d+ is in use/.test(text) && Date.now() < deadlineMs) {
        await pause(portRetryMs);
        return startIn(directory, ports, words, deadlineMs, isSecondTry);
      }
      rmSync(directory, { recursive: true, force: true });
      throw new Error(`the server did not become ready:\n${text.slice(-4000)}`);
    }
    await pause(pollMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function readListeners(file: string): Record<string, Listener> | undefined {
  try {
    // A cast: the shape is the contract of --ready-file.
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, Listener>;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
