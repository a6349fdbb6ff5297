import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository, or the folder that `npm test` compiled it into. */
const root = fileURLToPath(new URL('..', import.meta.url));
const isCompiled = import.meta.url.endsWith('.js');

/** Node's flags for a process that runs a module of this repository: none when the tests are compiled. */
export const loaderFlags: readonly string[] = isCompiled ? [] : ['--import', 'tsx'];

/** The file that Node runs for a module, e.g. `src/cli/main.ts`. */
export function findProgram(module: string): string {
  return path.join(root, isCompiled ? module.replace(/\.ts$/, '.js') : module);
}

/** Node's arguments that run a module, e.g. `src/cli/main.ts`, in a process of its own. */
export function runProgram(module: string): string[] {
  return [...loaderFlags, findProgram(module)];
}
