import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { findKafkaVersion } from '../../bench/kafka/distribution.ts';
import { install } from './external-suite.ts';

const here = import.meta.dirname;
const cache = path.resolve(here, '../../.cache/clients');

/** Kafka Streams and Kafka Connect, fetched once by Maven; returns their folder. */
export function installKafkaApps(): string {
  const version = findKafkaVersion();
  const pom = path.join(here, 'kafka-apps-pom.xml');
  if (!readFileSync(pom, 'utf8').includes(`<kafka.version>${version}<`))
    throw new Error(`${pom} names another version than ${version}`);
  const libraries = path.join(cache, 'kafka-apps', version);
  if (!existsSync(libraries)) {
    const words = ['dependency:copy-dependencies', `-DoutputDirectory=${libraries}`];
    install('mvn', ['-q', '-B', '-f', pom, ...words]);
  }
  return libraries;
}

/** Compiles a program of java/ and returns the class path that runs it. */
export function compileApp(name: string): string {
  const libraries = installKafkaApps();
  const classes = path.join(cache, 'java');
  mkdirSync(classes, { recursive: true });
  const source = path.join(here, `java/${name}.java`);
  install('javac', ['-nowarn', '-cp', `${libraries}/*`, '-d', classes, source]);
  return `${classes}:${libraries}/*`;
}

export const quietLog = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';

/** A Java program that runs until its input ends or it is killed. */
export class JavaProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  output = '';

  constructor(words: readonly string[]) {
    this.#child = spawn('java', ['-Xmx384m', quietLog, ...words], { stdio: 'pipe' });
    const note = (data: Buffer): void => {
      this.output += data.toString();
    };
    this.#child.stdout?.on('data', note);
    this.#child.stderr?.on('data', note);
    this.#child.stdin?.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code) => resolve(code));
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits for a condition, as long as the program runs. */
  async until(what: string, isTrue: () => boolean, patienceMs = 180_000): Promise<void> {
    const deadlineMs = Date.now() + patienceMs;
    while (!isTrue()) {
      if (!this.isRunning || Date.now() > deadlineMs)
        throw new Error(`waiting for ${what}:\n${this.output.slice(-5000)}`);
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
  }

  kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<number | null> {
    this.#child.kill(signal);
    return this.#ended;
  }

  /** Ends its input; resolves with its code. */
  finish(): Promise<number | null> {
    this.#child.stdin?.end();
    return this.#ended;
  }
}
