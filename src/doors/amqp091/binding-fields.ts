import type { Fields, FieldValue } from '../../broker/index.ts';
import type { Field, FieldTable } from './wire/index.ts';

/** Arguments without the types of the wire, as the broker takes them. */
export function fieldsOf(table: FieldTable): Fields {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object without members is one of this type
  const fields = Object.create(null) as Record<string, FieldValue>;
  for (const [name, field] of table) fields[name] = valueOf(field);
  return fields;
}

function valueOf(field: Field): FieldValue {
  switch (field.type) {
    case 'A':
      return field.value.map(valueOf);
    case 'F':
      return fieldsOf(field.value);
    case 'D':
      return field.value.unscaled / 10 ** field.value.scale;
    case 'T': {
      const date = new Date(Number(field.value) * 1000);
      return Number.isNaN(date.getTime()) ? field.value : date;
    }
    default:
      return field.value;
  }
}
