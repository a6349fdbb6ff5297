import type { QueueForm, QueueSettings } from '../../broker/index.ts';
import {
  asObject,
  asText,
  asTruth,
  asWholeNumber,
  invalid,
  type JsonObject,
  optional,
  refuseOthers,
} from './body.ts';

type Readers<T> = { readonly [K in keyof T]: (value: unknown, where: string) => T[K] };

const settingReaders: Readers<QueueSettings> = {
  failuresMax: asWholeNumber,
  retryDelayMs: asWholeNumber,
  retryDelayFactor: asNumber,
  retryDelayMaxMs: asWholeNumber,
  messageTtlMs: asWholeNumber,
  readyMax: asWholeNumber,
  readyBytesMax: asWholeNumber,
  overflow: asOverflow,
  deadLetter: asDeadLetter,
  dropsExpired: asTruth,
  keepsFailed: asTruth,
  isSingleActive: asTruth,
  givesUncommitted: asTruth,
  keepSettledMs: asWholeNumber,
  leaseMs: asWholeNumber,
  leasedMax: asWholeNumber,
  dedupWindowMs: asWholeNumber,
  filter: asFilter,
};

const formReaders: Readers<QueueForm> = {
  priorityMax: asWholeNumber,
  priorityDefault: asWholeNumber,
  isGrouped: asTruth,
  isFair: asTruth,
};

/** Null takes a setting back to its default. The broker checks the values. */
export function readSettings(value: unknown, where: string): Partial<QueueSettings> {
  return readMembers(asObject(value, where), settingReaders, where);
}

export function readForm(value: unknown, where: string): Partial<QueueForm> {
  return readMembers(asObject(value, where), formReaders, where);
}

export function readAttributes(value: unknown, where: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [name, text] of Object.entries(asObject(value, where))) {
    attributes[name] = asText(text, `${where}.${name}`);
  }
  return attributes;
}

function readMembers(
  object: JsonObject,
  readers: Readonly<Record<string, (value: unknown, where: string) => unknown>>,
  where: string,
): Record<string, unknown> {
  refuseOthers(object, Object.keys(readers), where);
  const members: Record<string, unknown> = {};
  for (const [key, read] of Object.entries(readers)) {
    const given = object[key];
    if (given === undefined) continue;
    members[key] = given === null ? undefined : read(given, `${where}.${key}`);
  }
  return members;
}

function asNumber(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid(where, 'a number');
  return value;
}

const overflows = ['drop-head', 'reject', 'reject-dead-letter'] as const;

function asOverflow(value: unknown, where: string): QueueSettings['overflow'] {
  const found = overflows.find((word) => word === value);
  if (found === undefined) {
    throw invalid(where, overflows.map((word) => `"${word}"`).join(' or '));
  }
  return found;
}

function asDeadLetter(value: unknown, where: string): QueueSettings['deadLetter'] {
  const target = asObject(value, where);
  refuseOthers(target, ['exchange', 'key'], where);
  return {
    exchange: optional(target, 'exchange', asText) ?? '',
    key: optional(target, 'key', asText),
  };
}

function asFilter(value: unknown, where: string): QueueSettings['filter'] {
  const filter = asObject(value, where);
  refuseOthers(filter, ['language', 'text'], where);
  return {
    language: asText(filter['language'], `${where}.language`),
    text: asText(filter['text'], `${where}.text`),
  };
}
