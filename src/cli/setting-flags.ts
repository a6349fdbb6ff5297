import { type Command, Option } from 'commander';
import {
  doorNames,
  doorSettingKeys,
  doorSettingTable,
  doorTable,
  flagOf,
  type Kind,
  settingKeys,
  settingTable,
  variableOf,
} from '../server/index.ts';

/** Gives a command one flag for every setting, and `--config`. */
export function addSettingFlags(command: Command): Command {
  command.option('--config <file>', 'read settings from a JSON or YAML file');
  for (const key of settingKeys) {
    const { about, initial } = settingTable[key];
    const kind: Kind<unknown> = settingTable[key].kind;
    const isEmpty = initial === '' || Array.isArray(initial);
    const text = isEmpty ? about : `${about} (default: ${kind.print(initial)})`;
    const option = new SettingOption(`${flagOf(key)} ${kind.hint}`, text);
    // Doors and hosts may be given in one flag with commas, or in several.
    command.addOption(Array.isArray(initial) ? option.argParser(appendText) : option);
  }
  for (const key of doorSettingKeys) {
    const { kind, about } = doorSettingTable[key];
    const hint = `<door=${kind.hint.slice(1)}`;
    command.addOption(new SettingOption(`${flagOf(key)} ${hint}`, about).argParser(appendText));
  }
  const width = Math.max(...doorNames.map((door) => door.length)) + 2;
  const doors = doorNames.map(
    (door) => `  ${door.padEnd(width)}127.0.0.1:${doorTable[door].port}  ${doorTable[door].about}`,
  );
  command.addHelpText(
    'after',
    `\nDoors, and where they listen unless told otherwise:\n${doors.join('\n')}\n\nEvery flag is also a key of the configuration file (noListen for --no-listen) and an
environment variable (${variableOf('noListen')}). A flag wins over the environment, the environment over
the file. "pabal config" shows what is in force.`,
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
