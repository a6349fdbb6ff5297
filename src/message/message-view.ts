import type { TypedValue } from './field.ts';
import { HeaderReader } from './header-reader.ts';
import type { HeaderWriter } from './header-writer.ts';
import { type PropertyName, property, propertyNames } from './property.ts';

/** A header of the application with its type. */
export interface TypedHeader {
  readonly name: string;
  readonly value: TypedValue;
  /** What a protocol says of the type beyond it. */
  readonly label?: string | undefined;
}

/** Properties and headers of a message as objects: for doors, tools and tests that handle few messages. */
export interface MessageView {
  /** By name, as text. */
  readonly properties: { readonly [name in PropertyName]?: string };
  /** In their order; names may repeat. */
  readonly headers: readonly TypedHeader[];
}

/** `bytes[at, end)`: encoded headers. Bytes in values are borrowed slices. Of a property that repeats the first counts. */
export function readMessage(bytes: Uint8Array, at: number, end: number): MessageView {
  const properties: { [name in PropertyName]?: string } = {};
  const headers: TypedHeader[] = [];
  const reader = new HeaderReader().begin(bytes, at, end);
  while (reader.next()) {
    if (reader.property >= 0) {
      if (reader.valueBytes >= 0) properties[propertyNames[reader.property]!] ??= reader.text;
      continue;
    }
    const value = reader.typed;
    const label = reader.typeLabel;
    headers.push(
      label === undefined ? { name: reader.name, value } : { name: reader.name, value, label },
    );
  }
  return { properties, headers };
}

/** Adds what a view says. `pabal.types` is made anew. */
export function writeMessage(writer: HeaderWriter, message: MessageView): void {
  for (const name of propertyNames) {
    const value = message.properties[name];
    if (value !== undefined && name !== 'types') writer.text(property[name], value);
  }
  for (const { name, value, label } of message.headers) {
    writer.name(name);
    writer.valueTyped(value, label);
  }
}
