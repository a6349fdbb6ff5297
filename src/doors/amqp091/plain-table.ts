import type { Field, FieldTable } from './wire/index.ts';

/** A table as a tool shows it in JSON: without types; bytes as Latin-1. */
export function plainTable(table: FieldTable): Record<string, unknown> {
  return Object.fromEntries([...table].map(([name, field]) => [name, plainField(field)]));
}

function plainField(field: Field): unknown {
  switch (field.type) {
    case 'F':
      return plainTable(field.value);
    case 'A':
      return field.value.map(plainField);
    case 'x':
      return Buffer.from(field.value).toString('latin1');
    case 'D':
      return field.value.unscaled / 10 ** field.value.scale;
    case 'l':
    case 'L':
    case 'T':
      return Number(field.value);
    default:
      return field.value;
  }
}
