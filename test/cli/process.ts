import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProgram } from '../program.ts';

const root = path.resolve(import.meta.dirname, '../..');
const pollMs = 10;
const command = runProgram('src/cli/main.ts');

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The CLI in a process of its own. */
export class CliProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Result>;
  stdout = '';
  stderr = '';

  constructor(words: readonly string[], input?: string, environment: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [...command, ...words], {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A character may come in two pieces.
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.child.stdin?.on('error', () => {});
    this.child.stdin?.end(input ?? '');
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => {
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Runs a command to its end. */
export function runCli(
  words: readonly string[],
  input?: string,
  environment?: Record<string, string>,
): Promise<Result> {
  return new CliProcess(words, input, environment).ended;
}

/** A directory that is removed by `remove`. */
export class TemporaryDirectory {
  readonly path = mkdtempSync(path.join(tmpdir(), 'pabal-cli-'));

  join(...names: string[]): string {
    return path.join(this.path, ...names);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export type Addresses = Record<string, { host: string; port: number }>;

/** Waits for a ready file; rejects when the process ends before. */
export async function waitForReady(server: CliProcess, readyFile: string): Promise<Addresses> {
  while (!existsSync(readyFile)) {
    if (server.child.exitCode !== null || server.child.signalCode !== null) {
      throw new Error(`the server ended:\n${server.stdout}${server.stderr}`);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the shape is the contract of --ready-file
  return JSON.parse(readFileSync(readyFile, 'utf8')) as Addresses;
}
