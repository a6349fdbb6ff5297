import { AmqpError } from './amqp-error.ts';
import { letterName, printField } from './field-name.ts';
import { integerOf } from './queue-arguments.ts';
import type { Field, FieldTable } from './wire/index.ts';

/** Refuses a declaration of something that exists and is otherwise, with the difference spelled out as RabbitMQ does. */
export function checkSame(
  name: string,
  received: boolean | string,
  current: boolean | string,
  place: string,
): void {
  if (received === current) return;
  throw inequivalent(name, `'${String(received)}'`, `'${String(current)}'`, place);
}

/** An argument that both have is compared by its value: 10 is 10 in however many bits. */
export function checkSameArgument(
  name: string,
  received: FieldTable,
  current: FieldTable,
  place: string,
): void {
  const now = current.get(name);
  const wanted = received.get(name);
  if (now === undefined && wanted === undefined) return;
  if (now !== undefined && wanted !== undefined) {
    if (isSame(now, wanted)) return;
    throw inequivalent(name, `'${printField(wanted)}'`, `'${printField(now)}'`, place);
  }
  throw inequivalent(name, spell(wanted), spell(now), place);
}

function inequivalent(name: string, received: string, current: string, place: string): AmqpError {
  return new AmqpError(
    'PRECONDITION_FAILED',
    `inequivalent arg '${name}' for ${place}: received ${received} but current is ${current}`,
  );
}

function spell(field: Field | undefined): string {
  if (field === undefined) return 'none';
  return `the value '${printField(field)}' of type '${letterName(field)}'`;
}

function isSame(a: Field, b: Field): boolean {
  const [left, right] = [integerOf(a), integerOf(b)];
  if (left !== undefined || right !== undefined) return left === right;
  return letterName(a) === letterName(b) && printField(a) === printField(b);
}
