import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { runProgram } from '../program.ts';
import { patienceMs } from '../support/patience.ts';

const root = path.resolve(import.meta.dirname, '../..');
const readyTimeoutMs = 2 * patienceMs;
/** Under tsx a process sometimes hangs while it loads modules; one that was silent for so long is started again, once. */
const silenceMs = 30_000;
const pollMs = 5;
/** Node's exit code when nothing is left to wait for and a module still awaits. */
const unsettledImport = 13;
const portRetryMs = 200;

export interface BrokerProcessOptions {
  /** Of the stored data; it may have been used by a process before. */
  dataPath: string;
  /** 0: any free one. */
  kafkaPort?: number;
  /** The doors that are opened. No other: several servers of tests that run side by side would want its port. */
  doors?: readonly string[];
  /** More flags of `pabal serve`. */
  flags?: readonly string[];
  /** Flags of Node. */
  nodeFlags?: readonly string[];
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The real server in a process of its own. Whoever starts one ends it. */
export class BrokerProcess {
  kafkaPort = 0;
  adminPort = 0;
  amqpPort = 0;
  sqsPort = 0;
  /** Of the process that runs now. */
  exited: Promise<Exit>;
  readonly #options: BrokerProcessOptions;
  #child: ChildProcess;
  readonly #readyFile: string;
  readonly #output: string[] = [];

  /** Starts the server and waits until every door accepts; rejects with its output when it ends before. */
  static async start(options: BrokerProcessOptions): Promise<BrokerProcess> {
    const server = BrokerProcess.spawn(options);
    await server.ready();
    return server;
  }

  /** Starts the server without waiting for it. */
  static spawn(options: BrokerProcessOptions): BrokerProcess {
    return new BrokerProcess(options);
  }

  private constructor(options: BrokerProcessOptions) {
    this.#options = options;
    this.#readyFile = `${options.dataPath}.ready.json`;
    rmSync(this.#readyFile, { force: true });
    this.#child = this.#spawn();
    this.exited = this.#watch();
  }

  #spawn(): ChildProcess {
    const options = this.#options;
    return spawn(
      process.execPath,
      [
        ...(options.nodeFlags ?? []),
        ...[...runProgram('src/cli/main.ts'), 'serve', '--log', 'json'],
        ...['--data', options.dataPath, '--ready-file', this.#readyFile],
        ...['--listen', `kafka=127.0.0.1:${options.kafkaPort ?? 0}`],
        ...['--listen', 'admin=127.0.0.1:0', '--listen', 'amqp=127.0.0.1:0'],
        ...['--listen', 'sqs=127.0.0.1:0'],
        ...['--only', (options.doors ?? ['kafka', 'admin', 'amqp']).join(',')],
        ...(options.flags ?? []),
      ],
      { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
    );
  }

  #watch(): Promise<Exit> {
    const child = this.#child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => this.#output.push(data.toString()));
    }
    return new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** Everything that it printed. */
  get output(): string {
    return this.#output.join('');
  }

  /** Waits until it has printed it: what a process prints may come later than what it answers. */
  async printed(pattern: RegExp): Promise<void> {
    const deadlineMs = Date.now() + patienceMs;
    while (!pattern.test(this.output)) {
      assert.ok(Date.now() < deadlineMs, `not printed: ${pattern}\n${this.output.slice(-4000)}`);
      await pause(pollMs);
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async ready(): Promise<void> {
    const deadlineMs = Date.now() + readyTimeoutMs;
    let silentUntilMs = Date.now() + silenceMs;
    while (!existsSync(this.#readyFile)) {
      if (this.isRunning && this.output === '' && Date.now() > silentUntilMs) {
        silentUntilMs = deadlineMs;
        console.error(`a server was silent for ${silenceMs} ms and is started again`);
        this.#child.kill('SIGKILL');
        await this.exited;
        this.#child = this.#spawn();
        this.exited = this.#watch();
      }
      if (!this.isRunning || Date.now() > deadlineMs) {
        this.#child.kill('SIGKILL');
        // What it printed comes behind its end.
        const { code, signal } = await this.exited;
        // Node under tsx sometimes ends while it still loads modules, before a line of the server ran.
        if (code === unsettledImport && this.output === '' && Date.now() < deadlineMs) {
          this.#child = this.#spawn();
          this.exited = this.#watch();
          continue;
        }
        // Its port from before may be somebody else's for a moment, be it of a connection that goes out.
        if (this.#isPortTaken && Date.now() < deadlineMs) {
          await pause(portRetryMs);
          this.#output.length = 0;
          this.#child = this.#spawn();
          this.exited = this.#watch();
          continue;
        }
        throw new Error(
          `the server did not become ready (${code ?? signal}):\n${this.output.slice(-4000)}`,
        );
      }
      await pause(pollMs);
    }
    // A cast: the shape is the contract of --ready-file.
    const doors = JSON.parse(readFileSync(this.#readyFile, 'utf8')) as Record<
      string,
      { port: number } | undefined
    >;
    this.kafkaPort = doors['kafka']?.port ?? 0;
    this.adminPort = doors['admin']?.port ?? 0;
    this.amqpPort = doors['amqp']?.port ?? 0;
    this.sqsPort = doors['sqs']?.port ?? 0;
  }

  get #isPortTaken(): boolean {
    return this.#options.kafkaPort !== undefined && /:\d+ is in use/.test(this.output);
  }

  /** Ends it without warning, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** Asks it to end. */
  terminate(): Promise<Exit> {
    this.#child.kill('SIGTERM');
    return this.exited;
  }

  /** Memory that the process has in use now; 0 where the system does not tell. */
  residentBytes(): number {
    return this.#statusBytes('VmRSS');
  }

  /** The most that it ever had. */
  peakResidentBytes(): number {
    return this.#statusBytes('VmHWM');
  }

  /** Time of all its threads on a processor; 0 where the system does not tell. */
  processorMs(): number {
    const text = this.#read('stat');
    // The name in parentheses may hold anything; utime and stime are the 14th and 15th fields (proc(5)), in 1/100 s.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
  }

  #statusBytes(name: string): number {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(this.#read('status'));
    return Number(match?.[1] ?? 0) * 1024;
  }

  #read(file: string): string {
    const whole = `/proc/${this.#child.pid}/${file}`;
    return existsSync(whole) ? readFileSync(whole, 'utf8') : '';
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
