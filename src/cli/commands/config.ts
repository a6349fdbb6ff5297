import { Command } from 'commander';
import { describeConfig, loadConfig } from '../../server/index.ts';
import { addSettingFlags, readSettingFlags } from '../setting-flags.ts';
import { printTable } from '../table.ts';

/** `pabal config`: the effective configuration, and where each value came from. */
export function configCommand(): Command {
  const command = new Command('config')
    .description('print the configuration that "serve" would use, and where each value came from')
    .option('--json', 'print JSON: {key: {value, source}}');
  addSettingFlags(command);
  return command.action(async ({ json, ...options }: Record<string, unknown>) => {
    const config = await loadConfig({ ...readSettingFlags(options), environment: process.env });
    for (const warning of config.warnings) process.stderr.write(`pabal: ${warning}\n`);
    const rows = describeConfig(config);
    if (json === true) {
      const entries = rows.map(({ key, value, source }) => [key, { value, source }]);
      process.stdout.write(`${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`);
      return;
    }
    printTable(
      ['SETTING', 'VALUE', 'FROM'],
      rows.map(({ key, value, source }) => [key, value === '' ? '-' : value, source]),
    );
  });
}
