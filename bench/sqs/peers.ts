import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const cache = path.resolve(here, '../../.cache/sqs');

function firstMatch(file: string, pattern: RegExp): string {
  const found = pattern.exec(readFileSync(path.join(here, file), 'utf8'))?.[1];
  if (found === undefined) throw new Error(`bench/sqs/${file} names no version`);
  return found;
}

export function findElasticmqVersion(): string {
  return firstMatch('pom.xml', /<elasticmq\.version>(.*)<\/elasticmq\.version>/);
}

export function findMotoVersion(): string {
  return firstMatch('requirements.txt', /==(\S+)/);
}

const elasticmqLibraries = path.join(cache, `elasticmq-${findElasticmqVersion()}`);
const motoHome = path.join(cache, `moto-${findMotoVersion()}`);

/** What `java -cp` takes. */
export const elasticmqClassPath = path.join(elasticmqLibraries, '*');
export const motoServer = path.join(motoHome, 'bin/moto_server');

/** Fetches what is missing: jars by Maven, a virtual environment by pip. */
export function installPeers(): void {
  if (!existsSync(elasticmqLibraries)) {
    console.log(`fetching ElasticMQ ${findElasticmqVersion()} by Maven`);
    const partial = `${elasticmqLibraries}.partial`;
    rmSync(partial, { recursive: true, force: true });
    run('mvn', 'install a JDK (17 or later) and Maven', [
      ...['-q', '-B', '-f', path.join(here, 'pom.xml')],
      ...['dependency:copy-dependencies', `-DoutputDirectory=${partial}`],
    ]);
    renameSync(partial, elasticmqLibraries);
  }
  const marker = path.join(motoHome, 'installed');
  if (!existsSync(marker)) {
    console.log(`fetching moto ${findMotoVersion()} by pip`);
    const needed = 'install Python 3 with venv';
    run('python3', needed, ['-m', 'venv', '--clear', motoHome]);
    run(path.join(motoHome, 'bin/pip'), needed, [
      ...['install', '-q', '-r', path.join(here, 'requirements.txt')],
    ]);
    // A virtual environment cannot be moved, so what is finished is marked.
    writeFileSync(marker, '');
  }
}

function run(command: string, advice: string, words: readonly string[]): void {
  try {
    execFileSync(command, words, { stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (cause) {
    throw new Error(`${command} failed: ${advice}`, { cause });
  }
}
