import type { Fields, FieldValue } from '../../../broker/index.ts';
import { plainTable } from '../plain-table.ts';
import { restoreArguments } from '../stored-arguments.ts';

/** What something was declared with, as JSON. */
export function showArguments(
  attributes: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const table = restoreArguments(attributes);
  return table === undefined ? {} : plainTable(table);
}

/** Fields of the broker as JSON: bytes as Latin-1, times in seconds. */
export function showFields(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, showField(value)]),
  );
}

function showField(value: FieldValue): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (value instanceof Date) return Math.floor(value.getTime() / 1000);
  if (Array.isArray(value)) return value.map((item: FieldValue) => showField(item));
  if (typeof value !== 'object' || value === null) return value;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is left of the values is a table
  return showFields(value as Fields);
}

/** JSON that was stored as a text. */
export function parseStored(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Another door may store what it likes.
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
