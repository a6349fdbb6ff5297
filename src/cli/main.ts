#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { exitCodeOf, lineOf } from './failure.ts';

/** The same in `src/cli` and in `dist/cli`. */
const packageFile = new URL('../../package.json', import.meta.url);

/** A command is loaded when it is wanted; all of them only for the help and for what is misspelt. */
const loaders: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand(),
  topic: async () => (await import('./commands/topic.ts')).topicCommand(),
  queue: async () => (await import('./commands/queue.ts')).queueCommand(),
  group: async () => (await import('./commands/group.ts')).groupCommand(),
  user: async () => (await import('./commands/user.ts')).userCommand(),
  send: async () => (await import('./commands/send.ts')).sendCommand(),
  receive: async () => (await import('./commands/receive.ts')).receiveCommand(),
  verify: async () => (await import('./commands/verify.ts')).verifyCommand(),
  config: async () => (await import('./commands/config.ts')).configCommand(),
};

function loadCommands(name: string | undefined): Promise<Command[]> {
  const wanted = name !== undefined && Object.hasOwn(loaders, name) ? loaders[name] : undefined;
  const chosen = wanted === undefined ? Object.values(loaders) : [wanted];
  return Promise.all(chosen.map((load) => load()));
}

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
  .addHelpText(
    'after',
    '\nStart with "pabal serve", then "pabal send TOPIC" and "pabal receive TOPIC".',
  );

/*
 * Modules that are still being read do not keep a process: where they are translated on the way (tsx), Node may find nothing
 * left to wait for, and ends with 13.
 */
const hold = setInterval(() => undefined, 60_000);

for (const command of await loadCommands(process.argv[2])) program.addCommand(command);
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
} finally {
  clearInterval(hold);
}
