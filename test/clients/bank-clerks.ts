import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { installKafka } from '../../bench/kafka/distribution.ts';
import { install } from './external-suite.ts';
import { installPython } from './python-environment.ts';

const here = import.meta.dirname;

/** The command of a clerk of the bank (`test/crash/bank-run.ts`) with another language's client. */
export function installClerk(name: string): readonly string[] {
  if (name === 'python') {
    const folder = path.join(here, 'python');
    return [installPython(folder), path.join(folder, 'bank_clerk.py')];
  }
  if (name !== 'java') throw new Error(`there is no clerk called ${name}`);
  const libraries = installKafka();
  const classes = path.resolve(here, '../../.cache/clients/java');
  mkdirSync(classes, { recursive: true });
  const source = path.join(here, 'java/BankClerk.java');
  install('javac', ['-nowarn', '-cp', libraries, '-d', classes, source]);
  return ['java', '-Xmx128m', '-cp', `${classes}:${libraries}`, 'BankClerk'];
}
