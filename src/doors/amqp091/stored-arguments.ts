import { ByteWriter } from '../../bytes/index.ts';
import { plainTable } from './plain-table.ts';
import { emptyTable, type Field, type FieldTable, readTable, writeTable } from './wire/index.ts';

/*
 * What a queue or an exchange was declared with stands beside its neutral settings as attributes: as JSON for whoever
 * lists them, and with the types as the wire has them, because a declaration that differs is told so.
 */

const argumentsAttribute = 'amqp.arguments';
const typedAttribute = 'amqp.arguments.typed';
export const typeAttribute = 'amqp.type';
/** The name of the policy, and of the operator's, that is in force. */
export const policyAttribute = 'amqp.policy';
export const operatorPolicyAttribute = 'amqp.operator-policy';
/** Of a namespace: the type of queues that say none. */
export const defaultTypeAttribute = 'amqp.default-queue-type';

export function storeArguments(table: FieldTable): Record<string, string> {
  const writer = new ByteWriter(128);
  writeTable(writer, table);
  const isPlain = [...table.values()].every(isPlainField);
  return {
    [argumentsAttribute]: JSON.stringify(plainTable(table)),
    ...(isPlain ? {} : { [typedAttribute]: writer.take().toString('base64') }),
  };
}

/** Undefined: it was not made by this door or for it. */
export function restoreArguments(
  attributes: Readonly<Record<string, string>>,
): FieldTable | undefined {
  const typed = attributes[typedAttribute];
  if (typed !== undefined) {
    const bytes = Buffer.from(typed, 'base64');
    return readTable(bytes, 4, bytes.length);
  }
  const text = attributes[argumentsAttribute];
  if (text === undefined) return undefined;
  const parsed: unknown = JSON.parse(text);
  return parsed === null || typeof parsed !== 'object' ? emptyTable : tableOf(parsed);
}

/** Values that JSON gives back with the same type. */
function isPlainField(field: Field): boolean {
  if (field.type === 'S' || field.type === 't') return true;
  return field.type === 'I';
}

/** JSON as a table: integers of 32 bits are `I`, greater ones `l`. */
export function tableOf(values: object): FieldTable {
  const table = new Map<string, Field>();
  for (const [name, value] of Object.entries(values)) {
    const field = fieldOf(value);
    if (field !== undefined) table.set(name, field);
  }
  return table;
}

function fieldOf(value: unknown): Field | undefined {
  switch (typeof value) {
    case 'string':
      return { type: 'S', value };
    case 'boolean':
      return { type: 't', value };
    case 'number':
      if (!Number.isSafeInteger(value)) return { type: 'd', value };
      return (value | 0) === value ? { type: 'I', value } : { type: 'l', value };
    case 'object':
      if (value === null) return { type: 'V', value };
      if (!Array.isArray(value)) return { type: 'F', value: tableOf(value) };
      return {
        type: 'A',
        value: value.map(fieldOf).filter((item) => item !== undefined),
      };
    default:
      return undefined;
  }
}
