import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { install } from './external-suite.ts';

/**
 * Python of a virtual environment with what `requirements.txt` in a folder names. It is kept in .cache/ under the
 * folder's name, and made again when that file has changed.
 */
export function installPython(folder: string): string {
  const environment = path.resolve(
    import.meta.dirname,
    '../../.cache/clients',
    path.basename(folder),
  );
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
