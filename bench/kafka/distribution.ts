import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const cache = path.resolve(here, '../../.cache/kafka');

/** Apache Kafka's jars, fetched once by Maven as pom.xml beside this file says. */
export function findKafkaVersion(): string {
  const version = /<kafka\.version>(.*)<\/kafka\.version>/.exec(
    readFileSync(path.join(here, 'pom.xml'), 'utf8'),
  )?.[1];
  if (version === undefined) throw new Error('bench/kafka/pom.xml names no kafka.version');
  return version;
}

function requireTool(name: string): void {
  try {
    execFileSync(name, ['-version'], { stdio: 'ignore' });
  } catch (cause) {
    throw new Error(`${name} is needed: install a JDK (17 or later) and Maven`, { cause });
  }
}

/** Installs what is missing and returns the class path of Kafka's server and tools. */
export function installKafka(): string {
  requireTool('java');
  const libraries = path.join(cache, findKafkaVersion(), 'libs');
  if (!existsSync(libraries)) {
    requireTool('mvn');
    console.log(`fetching Apache Kafka ${findKafkaVersion()} by Maven`);
    const partial = `${libraries}.partial`;
    rmSync(partial, { recursive: true, force: true });
    execFileSync(
      'mvn',
      [
        ...['-q', '-B', '-f', path.join(here, 'pom.xml')],
        ...['dependency:copy-dependencies', `-DoutputDirectory=${partial}`],
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    renameSync(partial, libraries);
  }
  return path.join(libraries, '*');
}

/** Compiles the generators in java/ when they have changed and returns the class path that has them too. */
export function installGenerators(): string {
  const libraries = installKafka();
  const classes = path.join(cache, findKafkaVersion(), 'generators');
  mkdirSync(classes, { recursive: true });
  for (const name of [
    'Compaction',
    'ManyProducers',
    'OneInFlight',
    'Rebalance',
    'ManyPolls',
    'Transactions',
  ]) {
    const source = path.join(here, 'java', `${name}.java`);
    const target = path.join(classes, `${name}.class`);
    if (existsSync(target) && statSync(target).mtimeMs > statSync(source).mtimeMs) continue;
    execFileSync('javac', ['-nowarn', '-cp', libraries, '-d', classes, source], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  }
  return `${classes}:${libraries}`;
}
