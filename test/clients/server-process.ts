import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const readyTimeoutMs = 30_000;
const pollMs = 20;

export interface Listener {
  host: string;
  port: number;
}

/** The real server in a process of its own, on free ports, over a temporary directory. */
export class ServerProcess {
  readonly directory: string;
  readonly listeners: Readonly<Record<string, Listener>>;
  readonly #child: ChildProcess | undefined;

  private constructor(
    directory: string,
    listeners: Readonly<Record<string, Listener>>,
    child: ChildProcess | undefined,
  ) {
    this.directory = directory;
    this.listeners = listeners;
    this.#child = child;
  }

  /**
   * Starts the server from the sources and waits until every door accepts.
   * With CLIENTS_BOOTSTRAP=HOST:PORT that broker is used instead: a suite is right when Apache Kafka passes it too.
   */
  static async start(words: readonly string[] = []): Promise<ServerProcess> {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-clients-'));
    const other = process.env.CLIENTS_BOOTSTRAP;
    if (other !== undefined) {
      const [host, port] = other.split(':');
      return new ServerProcess(
        directory,
        { kafka: { host: host!, port: Number(port) } },
        undefined,
      );
    }
    const readyFile = path.join(directory, 'ready.json');
    const child = spawn(
      process.execPath,
      [
        ...['--import', 'tsx', path.join(root, 'src/cli/main.ts'), 'serve'],
        ...['--data', path.join(directory, 'data'), '--ready-file', readyFile],
        ...['--listen', 'kafka=127.0.0.1:0', '--listen', 'amqp=127.0.0.1:0'],
        ...['--listen', 'admin=127.0.0.1:0', ...words],
      ],
      { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const output: string[] = [];
    child.stdout.on('data', (data: Buffer) => output.push(data.toString()));
    child.stderr.on('data', (data: Buffer) => output.push(data.toString()));
    const deadlineMs = Date.now() + readyTimeoutMs;
    for (;;) {
      const listeners = readListeners(readyFile);
      if (listeners !== undefined) return new ServerProcess(directory, listeners, child);
      if (child.exitCode !== null || Date.now() > deadlineMs) {
        child.kill('SIGKILL');
        rmSync(directory, { recursive: true, force: true });
        throw new Error(`the server did not become ready:\n${output.join('').slice(-4000)}`);
      }
      await new Promise((resolve) => {
        setTimeout(resolve, pollMs);
      });
    }
  }

  /** `host:port` of the Kafka door. */
  get bootstrap(): string {
    const kafka = this.listeners.kafka!;
    return `${kafka.host}:${kafka.port}`;
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

function readListeners(file: string): Record<string, Listener> | undefined {
  try {
    // A cast: the shape is the contract of --ready-file.
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, Listener>;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
