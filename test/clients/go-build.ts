import path from 'node:path';
import { install } from './external-suite.ts';

const folder = path.join(import.meta.dirname, 'go');

/** Builds one of the programs in go/ and returns its command; Go itself knows what has changed. */
export function buildGo(name: string): readonly string[] {
  const binary = path.resolve(import.meta.dirname, '../../.cache/clients/go', name);
  install('go', ['build', '-o', binary, `./${name}`], folder);
  return [binary];
}
