import { Command } from 'commander';
import { StartFailure } from '../../server/index.ts';
import { printCount } from '../progress.ts';
import { printTable } from '../table.ts';

const countNames = [
  ['file', 'files'],
  ['chunk', 'chunks'],
  ['entry', 'entries'],
  ['batch', 'batches'],
  ['record', 'records'],
] as const;

/** `pabal verify`: reads all that is stored, offline, and says what it found; exit code 2 for damage. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('check every checksum and index of a data directory that no server is using')
    .requiredOption('--data <dir>', 'directory of the stored data')
    .option('--json', 'print JSON')
    .action(async (options: { data: string; json?: boolean }) => {
      const { verifyStore } = await import('../../shard/index.ts');
      const { stat } = await import('node:fs/promises');
      const found = await stat(options.data).catch(() => undefined);
      if (found?.isDirectory() !== true)
        throw new StartFailure(`there is no directory ${options.data}`);
      const { findDataOwner } = await import('../../broker/index.ts');
      const owner = await findDataOwner(options.data);
      if (owner !== undefined) {
        throw new StartFailure(
          `the data directory ${options.data} is in use by process ${owner}: stop it, or verify a copy`,
        );
      }
      const { problems, ...counts } = await verifyStore(options.data);
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify({ ...counts, problems }, null, 2)}\n`);
      } else {
        const totals = countNames.map(([one, many]) => {
          const count = counts[many];
          return `${printCount(count)} ${count === 1 ? one : many}`;
        });
        process.stdout.write(`${options.data}: ${totals.join(', ')}\n`);
        if (problems.length > 0) {
          printTable(
            ['FILE', 'POSITION', 'PROBLEM', 'WHAT TO DO'],
            problems.map(({ file, position, what, remedy }) => [file, position, what, remedy]),
          );
        }
      }
      if (problems.length > 0) {
        const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
        throw new StartFailure(`${options.data} is damaged: ${count}`, 2);
      }
      if (options.json !== true) process.stdout.write('no problems\n');
    });
}
