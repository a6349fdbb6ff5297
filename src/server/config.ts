import { readFile } from 'node:fs/promises';
import { StartFailure } from './failure.ts';
import { type Kind, ValueError } from './kind.ts';
import {
  type DoorName,
  type DoorSettingKey,
  doorNames,
  doorSettingKeys,
  doorSettingTable,
  flagOf,
  type SettingKey,
  type Settings,
  settingKeys,
  settingTable,
  variableOf,
} from './settings.ts';
import { suggest } from './suggestion.ts';

/** Where configuration may come from; a later one wins: defaults, file, environment, flags. */
export interface ConfigInput {
  /** Path of a JSON or YAML file; `PABAL_CONFIG` names one, too. */
  configFile?: string;
  environment: Readonly<Record<string, string | undefined>>;
  /**
   * Texts by key: one for a plain setting (`true` for a bare flag), a list of `DOOR=VALUE` for `listen` and
   * `advertise`.
   */
  flags: Readonly<Record<string, string | true | readonly string[] | undefined>>;
}

export interface Config {
  settings: Settings;
  /** Where each value came from: `default`, `pabal.yaml`, `PABAL_DATA`, `--data`. Keys of doors: `listen.kafka`. */
  sources: Map<string, string>;
  /** Misspelt environment variables and the like: nothing is wrong, but somebody should know. */
  warnings: string[];
}

/** Reads and checks all of it. Rejects with a StartFailure of one line. */
export async function loadConfig(input: ConfigInput): Promise<Config> {
  const draft = new Draft();
  const file = input.configFile ?? input.environment['PABAL_CONFIG'];
  if (file !== undefined && file !== '') readFileValues(draft, file, await parseFile(file));
  const warnings = readEnvironment(draft, input.environment);
  readFlags(draft, input.flags);
  return { settings: draft.finish(), sources: draft.sources, warnings };
}

/** The configuration as a list for a person or a program, in the order of the tables. */
export function describeConfig(
  config: Config,
): Array<{ key: string; value: string; source: string }> {
  const rows: Array<{ key: string; value: string; source: string }> = [];
  for (const key of settingKeys) {
    const kind: Kind<unknown> = settingTable[key].kind;
    const value = config.settings[key];
    rows.push({ key, value: kind.print(value), source: config.sources.get(key) ?? 'default' });
  }
  for (const key of doorSettingKeys) {
    for (const door of doorNames) {
      const value = config.settings[key][door];
      if (value === undefined) continue;
      const path = `${key}.${door}`;
      rows.push({
        key: path,
        value: doorSettingTable[key].kind.print(value),
        source: config.sources.get(path) ?? 'default',
      });
    }
  }
  return rows;
}

/** The doors to open, in the order of the table. */
export function openDoors(settings: Settings): DoorName[] {
  const wanted = settings.only.length > 0 ? settings.only : doorNames;
  return doorNames.filter((door) => wanted.includes(door) && !settings.noListen.includes(door));
}

/** Settings under construction. Values are kept by key until all sources were read. */
class Draft {
  readonly sources = new Map<string, string>();
  readonly #values = new Map<string, unknown>();

  set(key: SettingKey, value: unknown, source: string): void {
    this.#values.set(key, value);
    this.sources.set(key, source);
  }

  setForDoor(key: DoorSettingKey, door: DoorName, value: unknown, source: string): void {
    this.#values.set(`${key}.${door}`, value);
    this.sources.set(`${key}.${door}`, source);
  }

  finish(): Settings {
    const settings: Record<string, unknown> = {};
    for (const key of settingKeys) {
      settings[key] = this.#values.has(key) ? this.#values.get(key) : settingTable[key].initial;
    }
    for (const key of doorSettingKeys) {
      const byDoor: Record<string, unknown> = { ...doorSettingTable[key].initial };
      for (const door of doorNames) {
        if (this.#values.has(`${key}.${door}`)) byDoor[door] = this.#values.get(`${key}.${door}`);
      }
      settings[key] = byDoor;
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each value was made by the kind of its own key
    return settings as unknown as Settings;
  }
}

async function parseFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new StartFailure(`cannot read the configuration file ${path}: ${reasonOf(error)}`, 1, {
      cause: error,
    });
  }
  try {
    if (path.endsWith('.json') || text.trimStart().startsWith('{')) return JSON.parse(text);
    // Loaded only when there is a YAML file: it costs as much as the rest of the configuration.
    const { parse } = await import('yaml');
    return parse(text, { prettyErrors: true }) ?? {};
  } catch (error) {
    const reason = reasonOf(error).split('\n')[0];
    throw new StartFailure(`cannot read the configuration file ${path}: ${reason}`, 1, {
      cause: error,
    });
  }
}

function readFileValues(draft: Draft, path: string, content: unknown): void {
  if (!isObject(content)) throw new StartFailure(`${path}: expected an object of settings`);
  for (const [key, value] of Object.entries(content)) {
    if (isSettingKey(key)) {
      const kind: Kind<unknown> = settingTable[key].kind;
      draft.set(
        key,
        judge(`${path}: ${key}`, value, () => kind.read(value)),
        path,
      );
    } else if (isDoorSettingKey(key)) {
      if (!isObject(value)) {
        throw new StartFailure(
          `${path}: ${key}: expected an object such as {"kafka": "HOST:PORT"}`,
        );
      }
      for (const [door, text] of Object.entries(value)) {
        const where = `${path}: ${key}.${door}`;
        if (!isDoor(door)) throw unknownDoor(where, door);
        const kind = doorSettingTable[key].kind;
        draft.setForDoor(
          key,
          door,
          judge(where, text, () => kind.read(text)),
          path,
        );
      }
    } else {
      const known = [...settingKeys, ...doorSettingKeys];
      throw new StartFailure(`${path}: unknown key "${key}"${suggest(key, known)}`);
    }
  }
}

/** Returns warnings about variables that begin like ours and are nearly one of them. */
function readEnvironment(draft: Draft, environment: ConfigInput['environment']): string[] {
  const known = ['PABAL_CONFIG', 'PABAL_SERVER'];
  for (const key of settingKeys) {
    const variable = variableOf(key);
    known.push(variable);
    const text = environment[variable];
    // An empty variable is one that a script left unset.
    if (text === undefined || text === '') continue;
    const kind: Kind<unknown> = settingTable[key].kind;
    draft.set(
      key,
      judge(variable, text, () => kind.parse(text)),
      variable,
    );
  }
  for (const key of doorSettingKeys) {
    const variable = variableOf(key);
    known.push(variable);
    const text = environment[variable];
    if (text === undefined || text === '') continue;
    readDoorTexts(draft, key, text.split(','), variable);
  }
  const warnings: string[] = [];
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith('PABAL_') || known.includes(variable)) continue;
    const hint = suggest(variable, known);
    if (hint !== '') warnings.push(`unknown environment variable ${variable}${hint}`);
  }
  return warnings;
}

function readFlags(draft: Draft, flags: ConfigInput['flags']): void {
  for (const [key, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    if (isDoorSettingKey(key)) {
      const texts = value === true ? [] : typeof value === 'string' ? [value] : value;
      readDoorTexts(draft, key, texts, flagOf(key));
    } else if (isSettingKey(key)) {
      const text = value === true ? 'true' : typeof value === 'string' ? value : value.join(',');
      const kind: Kind<unknown> = settingTable[key].kind;
      draft.set(
        key,
        judge(flagOf(key), text, () => kind.parse(text)),
        flagOf(key),
      );
    }
  }
}

/** `DOOR=VALUE` of a flag or, several with commas between them, of an environment variable. */
function readDoorTexts(
  draft: Draft,
  key: DoorSettingKey,
  texts: readonly string[],
  source: string,
): void {
  for (const text of texts.flatMap((part) => part.split(','))) {
    const equals = text.indexOf('=');
    if (equals < 1) {
      throw new StartFailure(`${source}: expected DOOR=HOST:PORT, not "${text}"`);
    }
    const door = text.slice(0, equals).trim();
    if (!isDoor(door)) throw unknownDoor(source, door);
    const valueText = text.slice(equals + 1).trim();
    const kind = doorSettingTable[key].kind;
    draft.setForDoor(
      key,
      door,
      judge(source, valueText, () => kind.parse(valueText)),
      source,
    );
  }
}

function judge<T>(where: string, value: unknown, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const shown = typeof value === 'string' ? `"${value}"` : JSON.stringify(value);
    throw new StartFailure(`${where}: ${error.message}, not ${shown}`, 1, { cause: error });
  }
}

function unknownDoor(where: string, door: string): StartFailure {
  return new StartFailure(
    `${where}: there is no door "${door}"${suggest(door, doorNames) || `; there are: ${doorNames.join(', ')}`}`,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(settingTable, key);
}

function isDoorSettingKey(key: string): key is DoorSettingKey {
  return Object.hasOwn(doorSettingTable, key);
}

function isDoor(name: string): name is DoorName {
  return (doorNames as readonly string[]).includes(name);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
