import { printBinary, printFloat } from './erlang-term.ts';
import type { Field } from './wire/index.ts';

/** The type of a value as RabbitMQ's texts call it. */
export function letterName(field: Field): string {
  return letterNames[field.type];
}

const letterNames: Readonly<Record<Field['type'], string>> = {
  t: 'bool',
  b: 'byte',
  B: 'unsignedbyte',
  s: 'short',
  u: 'unsignedshort',
  I: 'signedint',
  i: 'unsignedint',
  l: 'long',
  L: 'long',
  f: 'float',
  d: 'double',
  D: 'decimal',
  S: 'longstr',
  T: 'timestamp',
  F: 'table',
  A: 'array',
  x: 'binary',
  V: 'void',
};

/** A value as RabbitMQ's texts show it. */
export function printField(field: Field): string {
  switch (field.type) {
    case 'S':
      return field.value;
    case 'f':
    case 'd':
      return printFloat(field.value);
    case 'D':
      return `{${field.value.scale},${field.value.unscaled}}`;
    case 'x':
      return printBinary(field.value);
    case 'V':
      return 'undefined';
    case 'A':
      return `[${field.value.map((item) => `{${letterName(item)},${printNested(item)}}`).join(',')}]`;
    case 'F':
      return `[${[...field.value]
        .map(
          ([name, item]) =>
            `{${printBinary(Buffer.from(name))},${letterName(item)},${printNested(item)}}`,
        )
        .join(',')}]`;
    default:
      return String(field.value);
  }
}

function printNested(field: Field): string {
  return field.type === 'S' ? printBinary(Buffer.from(field.value)) : printField(field);
}
