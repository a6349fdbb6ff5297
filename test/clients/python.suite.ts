import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { commonChecks, describeProgram, install } from './external-suite.ts';

const folder = path.join(import.meta.dirname, 'python');
const environment = path.resolve(import.meta.dirname, '../../.cache/clients/python');

/** A virtual environment with what requirements.txt names, made again when that has changed. */
function installPython(): string {
  const requirements = readFileSync(path.join(folder, 'requirements.txt'), 'utf8');
  const stamp = path.join(environment, 'requirements.txt');
  const python = path.join(environment, 'bin/python');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== requirements) {
    install('python3', ['-m', 'venv', '--clear', environment]);
    install(python, ['-m', 'pip', 'install', '-q', '-r', path.join(folder, 'requirements.txt')]);
    writeFileSync(stamp, requirements);
  }
  return python;
}

describeProgram({
  name: 'confluent-kafka (Python, librdkafka)',
  checks: {
    ...commonChecks,
    cooperative: 'rebalances cooperatively when a member is killed',
  },
  install: () => [installPython(), path.join(folder, 'confluent.py')],
});

describeProgram({
  name: 'aiokafka (Python)',
  checks: commonChecks,
  install: () => [installPython(), path.join(folder, 'aio.py')],
});
