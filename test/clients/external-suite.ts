import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { ServerProcess } from './server-process.ts';

const checkLimitMs = 180_000;

/** A program in another language that checks the broker with that language's client. */
export interface ClientProgram {
  /** Shown in the results, with the client's version. */
  name: string;
  /** Names of its checks; each is run as `command... ADDRESS CHECK` and must end with 0. */
  checks: Readonly<Record<string, string>>;
  /** What the program is told of the server; `host:port` of the Kafka door unless given. */
  address?: (server: ServerProcess) => string;
  /** The doors that the server opens; those of Kafka and AMQP unless given. */
  doors?: readonly string[];
  /** Further words of the server's command line. */
  words?: readonly string[];
  /** Of the program, beside this process' own. */
  environment?: Readonly<Record<string, string>>;
  /** Commands that this machine may lack: without one of them its checks are skipped. */
  needs?: readonly string[];
  /** Installs what is needed and returns the command. */
  install: () => readonly string[];
}

/** One test for each check, against one server. */
export function describeProgram(program: ClientProgram): void {
  const missing = program.needs?.find((name) => !isThere(name));
  const skip = missing === undefined ? false : `there is no ${missing} on this machine`;
  describe(program.name, { skip }, () => {
    let server: ServerProcess;
    let command: readonly string[];

    before(async () => {
      command = program.install();
      server = await ServerProcess.start(program.words, program.doors);
    });

    after(async () => {
      await server.stop();
    });

    for (const [check, behaviour] of Object.entries(program.checks)) {
      test(behaviour, async () => {
        const address = program.address?.(server) ?? server.bootstrap;
        const env = program.environment ?? {};
        await runCommand([...command, address, check], { env });
      });
    }
  });
}

function isThere(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** Rejects with what the command printed when it does not end with 0. */
export function runCommand(
  command: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const [file, ...words] = command;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file!,
      words,
      {
        timeout: checkLimitMs,
        maxBuffer: 64 << 20,
        env: { ...process.env, ...options.env },
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${error.message}\n${stdout.slice(-3000)}\n${stderr.slice(-3000)}`));
      },
    );
    // A command that ends without reading says by its status whether that is right.
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(options.input ?? '');
  });
}

export function install(command: string, words: readonly string[], cwd?: string): void {
  try {
    execFileSync(command, words, { stdio: ['ignore', 'ignore', 'pipe'], cwd });
  } catch (cause) {
    throw new Error(`cannot run ${command} ${words.join(' ')}`, { cause });
  }
}

/** What every program checks; a client that lacks an ability leaves its check out. */
export const commonChecks = {
  compression: 'reads back in order what it produced with every compression',
  keys: 'keeps the order of each key over partitions, with an idempotent producer',
  group: 'shares partitions among three members and takes over from one that is killed',
  commit: 'goes on from the committed offset',
  admin: 'creates, describes, configures, grows and deletes topics, and deletes records and groups',
} as const;
