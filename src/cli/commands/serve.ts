import { Command } from 'commander';
import { loadConfig, serve } from '../../server/index.ts';
import { addSettingFlags, readSettingFlags } from '../setting-flags.ts';

/** `pabal serve`: runs the broker in the foreground until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  const command = new Command('serve').description('run the broker in the foreground');
  addSettingFlags(command);
  return command.action(async (options: Record<string, unknown>) => {
    const config = await loadConfig({ ...readSettingFlags(options), environment: process.env });
    await serve(config);
  });
}
