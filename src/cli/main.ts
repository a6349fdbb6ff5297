#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { configCommand } from './commands/config.ts';
import { groupCommand } from './commands/group.ts';
import { receiveCommand } from './commands/receive.ts';
import { sendCommand } from './commands/send.ts';
import { serveCommand } from './commands/serve.ts';
import { topicCommand } from './commands/topic.ts';
import { verifyCommand } from './commands/verify.ts';
import { exitCodeOf, lineOf } from './failure.ts';

/** The same in `src/cli` and in `dist/cli`. */
const packageFile = new URL('../../package.json', import.meta.url);

function readVersion(): string {
  const description: unknown = JSON.parse(readFileSync(packageFile, 'utf8'));
  if (typeof description !== 'object' || description === null) return 'unknown';
  return 'version' in description ? String(description.version) : 'unknown';
}

const program = new Command('pabal')
  .description('A message broker: one durable log, every message-queue protocol')
  .version(readVersion(), '-v, --version')
  .configureHelp({ sortSubcommands: false })
  .showSuggestionAfterError()
  .configureOutput({
    // One clear line, also where commander has a suggestion below it.
    outputError: (text, write) =>
      write(
        `pabal: ${text
          .trim()
          .replace(/^error: /, '')
          .replaceAll('\n', ' ')}\n`,
      ),
  })
  .addCommand(serveCommand())
  .addCommand(topicCommand())
  .addCommand(groupCommand())
  .addCommand(sendCommand())
  .addCommand(receiveCommand())
  .addCommand(verifyCommand())
  .addCommand(configCommand())
  .addHelpText(
    'after',
    '\nStart with "pabal serve", then "pabal send TOPIC" and "pabal receive TOPIC".',
  );

shareSettings(program);

/** Commands that were made elsewhere do not inherit by themselves. */
function shareSettings(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    shareSettings(command);
  }
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`pabal: ${lineOf(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
