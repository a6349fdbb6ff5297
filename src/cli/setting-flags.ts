import { type Command, Option } from 'commander';
import {
  doorSettingKeys,
  doorSettingTable,
  flagOf,
  settingKeys,
  settingTable,
  variableOf,
} from '../server/index.ts';

/** Gives a command one flag for every setting, and `--config`. */
export function addSettingFlags(command: Command): Command {
  command.option('--config <file>', 'read settings from a JSON or YAML file');
  for (const key of settingKeys) {
    const { kind, about } = settingTable[key];
    command.addOption(new SettingOption(`${flagOf(key)} ${kind.hint}`, about));
  }
  for (const key of doorSettingKeys) {
    const { kind, about } = doorSettingTable[key];
    const hint = `<door=${kind.hint.slice(1)}`;
    command.addOption(
      new SettingOption(`${flagOf(key)} ${hint}`, about).argParser(appendText).default(undefined),
    );
  }
  command.addHelpText(
    'after',
    `\nEvery flag is also a key of the configuration file (noListen for --no-listen) and an
environment variable (${variableOf('noListen')}). A flag wins over the environment, the environment over the file.`,
  );
  return command;
}

/** The texts that were given, by key; `configFile` is the value of `--config`. */
export interface GivenFlags {
  configFile?: string;
  flags: Record<string, string | true | readonly string[] | undefined>;
}

export function readSettingFlags(options: Record<string, unknown>): GivenFlags {
  const { config, ...rest } = options;
  const flags: GivenFlags['flags'] = {};
  for (const [key, value] of Object.entries(rest)) {
    if (value === true || typeof value === 'string') flags[key] = value;
    else if (Array.isArray(value)) flags[key] = value.map(String);
  }
  return typeof config === 'string' ? { configFile: config, flags } : { flags };
}

/** `--no-listen` is a name of its own here, not the negation of `--listen` as commander has it. */
class SettingOption extends Option {
  override negate = false;

  constructor(flags: string, description: string) {
    super(flags, description);
    this.negate = false;
  }
}

function appendText(text: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), text];
}
