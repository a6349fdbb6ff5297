import path from 'node:path';
import { commonChecks, describeProgram, install } from './external-suite.ts';

const folder = path.join(import.meta.dirname, 'go');

/** Builds one of the programs; Go itself knows what has changed. */
function build(name: string): readonly string[] {
  const binary = path.resolve(import.meta.dirname, '../../.cache/clients/go', name);
  install('go', ['build', '-o', binary, `./${name}`], folder);
  return [binary];
}

describeProgram({ name: 'franz-go', checks: commonChecks, install: () => build('franz') });
describeProgram({ name: 'sarama', checks: commonChecks, install: () => build('sarama') });
