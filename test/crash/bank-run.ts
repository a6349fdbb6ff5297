import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { errorCodes } from '../../src/doors/kafka/error-codes.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';
import { patienceMs } from '../support/patience.ts';
import { BankClerk } from './bank-clerk.ts';
import {
  accountsPartitions,
  accountsTopic,
  clerksMax,
  findFaults,
  ordersTopic,
  transactionalIdOf,
} from './bank-ledger.ts';
import { findNext, readAccounts } from './bank-reader.ts';
import { BrokerProcess, pause } from './broker-process.ts';
import { makeShardedStore } from './sharded-store.ts';

/** What every clerk does between two kills, at least. */
const transfersPerKill = 5;

/** Starts a program that works as a clerk: `command... BOOTSTRAP CLERK`. */
export type ClerkCommand = readonly string[];

export interface BankOptions {
  seed: number;
  kills: number;
  /** Clerks of this process, over the bare protocol. */
  wireClerks: number;
  /** One further clerk for each. */
  programs: readonly ClerkCommand[];
  /** Of the store; default: one. */
  shards?: number;
}

interface Clerk {
  readonly name: string;
  readonly acknowledged: number;
  start(port: number): void;
  /** Without warning; he begins again at once. */
  kill(port: number): Promise<void>;
  /** Ends what he is at. */
  stop(): Promise<void>;
}

/** Clerks transfer money in transactions; they and the broker are killed again and again. */
export class BankRun {
  readonly #options: BankOptions;
  readonly #random: SeededRandom;
  readonly #directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-bank-'));
  readonly #clerks: Clerk[] = [];
  #server: BrokerProcess | undefined;
  #port = 0;

  constructor(options: BankOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    for (let index = 0; index < options.wireClerks; index++)
      this.#clerks.push(new WireClerk(index, this.#random.fork()));
    for (const command of options.programs)
      this.#clerks.push(new ProgramClerk(this.#clerks.length, command));
    assert.ok(this.#clerks.length <= clerksMax);
  }

  /** Transfers that are done. */
  transfers = 0;

  async run(report: (text: string) => void): Promise<void> {
    await makeShardedStore(this.dataPath, this.#options.shards ?? 1);
    await this.#startServer();
    await this.#createTopics();
    for (const clerk of this.#clerks) clerk.start(this.#port);
    await this.#moreWork();
    for (let kill = 1; kill <= this.#options.kills; kill += 1) {
      await pause(this.#random.nextInt(600));
      const victim = this.#random.chance(0.5)
        ? undefined
        : this.#clerks[this.#random.nextInt(this.#clerks.length)];
      if (victim === undefined) await this.#restartServer();
      else await victim.kill(this.#port);
      await this.#moreWork();
      const told = this.#clerks.map(({ name, acknowledged }) => `${name} ${acknowledged + 1}`);
      report(`kill ${kill}: ${victim?.name ?? 'the broker'}; ${told.join(', ')}`);
      if (kill % 10 === 0 && kill < this.#options.kills) await this.#auditMeanwhile();
    }
    await Promise.all(this.#clerks.map((clerk) => clerk.stop()));
    await this.#restartServer();
    await this.#audit();
  }

  async terminate(): Promise<number | null> {
    assert.ok(this.#server !== undefined);
    return (await this.#server.terminate()).code;
  }

  async close(): Promise<void> {
    await Promise.all(this.#clerks.map((clerk) => clerk.stop()));
    await this.#server?.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get dataPath(): string {
    return path.join(this.#directory, 'data');
  }

  async #startServer(): Promise<void> {
    this.#server = await BrokerProcess.start({
      dataPath: this.dataPath,
      kafkaPort: this.#port,
      // Small, so that files are sealed, indexed and compacted all the time.
      flags: ['--journal-file-bytes', '1MiB', '--cache', '1MiB'],
    });
    this.#port = this.#server.kafkaPort;
  }

  async #restartServer(): Promise<void> {
    const server = this.#server;
    assert.ok(server?.isRunning === true, `the server ended by itself:\n${server?.output}`);
    await server.kill();
    assert.doesNotMatch(server.output, /stopped by a bug|internal error|fault of a method/);
    await this.#startServer();
  }

  async #createTopics(): Promise<void> {
    await this.#withClient(async (client) => {
      const { topics: made } = await client.ask('CreateTopics', 5, {
        topics: [newTopic(accountsTopic, accountsPartitions), newTopic(ordersTopic, clerksMax)],
        timeoutMs: 10_000,
        validateOnly: false,
      });
      for (const { errorCode } of made) assert.equal(errorCode, 0);
    });
  }

  /** Every clerk has done so much since now. */
  async #moreWork(): Promise<void> {
    const before = this.#clerks.map(({ acknowledged }) => acknowledged);
    // Some of them have to begin anew.
    const deadlineMs = Date.now() + 2 * patienceMs;
    const isIdle = (clerk: Clerk, index: number): boolean =>
      clerk.acknowledged < (before[index] ?? -1) + transfersPerKill;
    while (this.#clerks.some(isIdle)) {
      const idle = this.#clerks.filter(isIdle).map(({ name }) => name);
      assert.ok(Date.now() < deadlineMs, `idle: ${idle.join(', ')}\n${this.#server?.output}`);
      await pause(20);
    }
  }

  /** The bank closes for a moment, and its books are looked at. */
  async #auditMeanwhile(): Promise<void> {
    await Promise.all(this.#clerks.map((clerk) => clerk.stop()));
    await this.#audit();
    for (const clerk of this.#clerks) clerk.start(this.#port);
    await this.#moreWork();
  }

  async #audit(): Promise<void> {
    await this.#withClient(async (client) => {
      const done = new Map<number, number>();
      const acknowledged = new Map<number, number>();
      for (const [index, clerk] of this.#clerks.entries()) {
        // What he left open, if he was killed, is undone by his successor.
        await succeed(client, index);
        const next = await findNext(client, index);
        assert.ok(next !== undefined, 'the offsets are stable');
        done.set(index, next);
        acknowledged.set(index, clerk.acknowledged);
      }
      const faults = findFaults(await readAccounts(client), done, acknowledged);
      assert.deepEqual(faults.slice(0, 10), []);
      this.transfers = [...done.values()].reduce((sum, next) => sum + next, 0);
    });
  }

  async #withClient(work: (client: WireClient) => Promise<void>): Promise<void> {
    const client = await WireClient.connect(this.#port);
    try {
      await work(client);
    } finally {
      client.close();
    }
  }
}

/** Takes a clerk's place; the end of what he left open may take longer than one answer waits for it. */
async function succeed(client: WireClient, clerk: number): Promise<void> {
  const endMs = Date.now() + patienceMs;
  for (;;) {
    const id = { transactionalId: transactionalIdOf(clerk), transactionTimeoutMs: 60_000 };
    const { errorCode } = await client.ask('InitProducerId', 5, id);
    if (errorCode === errorCodes.NONE) return;
    assert.equal(errorCode, errorCodes.CONCURRENT_TRANSACTIONS);
    assert.ok(Date.now() < endMs, `what clerk ${clerk} left open does not end`);
    await pause(20);
  }
}

function newTopic(name: string, numPartitions: number) {
  const configs = [{ name: 'retention.ms', value: '-1' }];
  return { name, numPartitions, replicationFactor: 1, assignments: [], configs };
}

class WireClerk implements Clerk {
  readonly name: string;
  readonly #clerk: BankClerk;
  #life = { isStopping: true };
  #work: Promise<void> | undefined;

  constructor(index: number, random: SeededRandom) {
    this.name = `wire-${index}`;
    this.#clerk = new BankClerk(index, random);
  }

  get acknowledged(): number {
    return this.#clerk.acknowledged;
  }

  start(port: number): void {
    const life = { isStopping: false };
    this.#life = life;
    this.#work = this.#clerk.work(port, () => life.isStopping);
  }

  async kill(): Promise<void> {
    this.#clerk.kill();
  }

  async stop(): Promise<void> {
    this.#life.isStopping = true;
    await this.#work;
  }
}

class ProgramClerk implements Clerk {
  readonly name: string;
  readonly #index: number;
  readonly #command: ClerkCommand;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #errors = '';
  acknowledged = -1;

  constructor(index: number, command: ClerkCommand) {
    this.#index = index;
    this.#command = command;
    this.name = `${path.basename(command[0] ?? '')}-${index}`;
  }

  start(port: number): void {
    const [file = '', ...words] = this.#command;
    const child = spawn(file, [...words, `127.0.0.1:${port}`, String(this.#index)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    child.stderr.on('data', (data: Buffer) => {
      this.#errors = (this.#errors + data.toString()).slice(-4000);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const number = Number(line);
      assert.ok(Number.isSafeInteger(number), line);
      this.acknowledged = Math.max(this.acknowledged, number);
    });
    this.#ended = new Promise((resolve) => {
      child.once('close', () => resolve());
    });
  }

  async kill(port: number): Promise<void> {
    const child = this.#child;
    assert.ok(child?.exitCode === null, `${this.name} ended by itself:\n${this.#errors}`);
    child.kill('SIGKILL');
    await this.#ended;
    this.start(port);
  }

  /** A program that does not end in time is killed: what he left open is undone like anybody's. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.stdin?.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    await this.#ended;
    clearTimeout(timer);
  }
}
