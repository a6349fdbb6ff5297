import { AssertionError } from '../../../base/index.ts';
import { type Field, zeroUuid } from './schema.ts';

/** The bytes of a value whose length never varies, or undefined. */
export function fixedBytes(field: Field): number | undefined {
  switch (field.kind) {
    case 'boolean':
    case 'int8':
      return 1;
    case 'int16':
    case 'uint16':
      return 2;
    case 'int32':
    case 'uint32':
      return 4;
    case 'int64':
    case 'float64':
      return 8;
    case 'uuid':
      return 16;
    default:
      return undefined;
  }
}

/** JavaScript source of the field's default. */
export function defaultSource(field: Field): string {
  if (field.default !== undefined) return JSON.stringify(field.default);
  switch (field.kind) {
    case 'boolean':
      return 'false';
    case 'string':
      return "''";
    case 'uuid':
      return `'${zeroUuid}'`;
    case 'bytes':
    case 'records':
      return 'Buffer.alloc(0)';
    case 'array':
      return '[]';
    case 'struct':
      return `{ ${Object.entries(fieldsOf(field))
        .map(([name, member]) => `${name}: ${defaultSource(member)}`)
        .join(', ')} }`;
    default:
      return '0';
  }
}

/** JavaScript source of the condition that `value` is the field's default. */
export function isDefaultSource(field: Field, value: string): string {
  if (field.default !== undefined) return `${value} === ${JSON.stringify(field.default)}`;
  if (field.kind === 'struct') {
    const members = Object.entries(fieldsOf(field)).map(([name, member]) => {
      const path = `${value}.${name}`;
      return `(${path} === undefined || ${isDefaultSource(member, path)})`;
    });
    return notNull(field, value, members.join(' && '));
  }
  if (field.kind === 'array' || field.kind === 'bytes' || field.kind === 'records') {
    return notNull(field, value, `${value}.length === 0`);
  }
  return `${value} === ${defaultSource(field)}`;
}

export function fieldsOf(field: Field): NonNullable<Field['fields']> {
  if (field.fields === undefined) throw new AssertionError('Only a struct has fields');
  return field.fields;
}

export function elementOf(field: Field): Field {
  if (field.element === undefined) throw new AssertionError('Only an array has elements');
  return field.element;
}

function notNull(field: Field, value: string, condition: string): string {
  return field.nullable === undefined ? condition : `${value} !== null && ${condition}`;
}
