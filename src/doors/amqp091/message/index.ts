export { fieldOfTyped, typedOfField } from './field-types.ts';
export type { EncodedProperties } from './incoming-properties.ts';
export { PropertiesEncoder, restamp, type Stamp } from './incoming-properties.ts';
export type { OutgoingProperties } from './outgoing-properties.ts';
export { PropertiesWriter } from './outgoing-properties.ts';
