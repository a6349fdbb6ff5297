import { limits } from '../../../base/index.ts';
import { compilePolicy, type Fields, type FieldValue, isFields } from '../../../routing/index.ts';
import type { MessageAttributes } from '../attribute-digest.ts';

/** What is published, as filters see it. */
export interface Filtered {
  readonly message: string;
  readonly attributes: MessageAttributes | undefined;
}

export type Filter = (published: Filtered) => boolean;

/** The filter of a subscription; undefined where it takes everything. */
export function compileSubscriptionFilter({
  FilterPolicy,
  FilterPolicyScope,
}: Readonly<Record<string, string>>): Filter | undefined {
  if (FilterPolicy === undefined) return undefined;
  const matches = compilePolicy(JSON.stringify(JSON.parse(FilterPolicy, rounded)));
  if (FilterPolicyScope !== 'MessageBody') return ({ attributes }) => matches(fieldsOf(attributes));
  return ({ message }) => {
    const body = parse(message);
    return isFields(body) && matches(body);
  };
}

/** Binary attributes cannot be filtered by. */
function fieldsOf(attributes: MessageAttributes | undefined): Fields {
  const fields: Record<string, FieldValue> = {};
  for (const [name, { DataType, StringValue }] of Object.entries(attributes ?? {})) {
    if (StringValue === undefined) continue;
    let value: FieldValue | undefined = StringValue;
    if (DataType.startsWith('Number')) value = round(Number(StringValue));
    else if (DataType === 'String.Array') value = parse(StringValue);
    if (value !== undefined) {
      Object.defineProperty(fields, name, { value, enumerable: true, configurable: true });
    }
  }
  return fields;
}

/** Numbers are compared with five digits behind the point. */
const precision = 1e5;

function round(value: number): number {
  const scaled = value * precision;
  return Number.isSafeInteger(Math.round(scaled)) ? Math.round(scaled) / precision : value;
}

function rounded(_name: string, value: unknown): unknown {
  return typeof value === 'number' ? round(value) : value;
}

function parse(text: string): FieldValue | undefined {
  if (text.length > limits.filterBodyBytesMax) return undefined;
  try {
    // JSON knows no values but those of fields.
    return JSON.parse(text, rounded) as FieldValue;
  } catch (error) {
    // What is nested deeper than can be looked into is nothing that a filter asks for.
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}
