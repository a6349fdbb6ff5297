export type { Death } from './deaths.ts';
export { addDeath, decodeCopies, decodeDeaths, encodeCopies, encodeDeaths } from './deaths.ts';
export type {
  Fields,
  FieldType,
  FieldTypeName,
  FieldValue,
  IntegerTypeName,
  TextualTypeName,
  TypedTable,
  TypedValue,
} from './field.ts';
export {
  fieldType,
  fieldTypeNames,
  isFieldArray,
  isInRange,
  isIntegerType,
  newFields,
  plainOf,
  plainTableOf,
  typedOf,
  typedTableOf,
} from './field.ts';
export { parseTyped, textOf } from './field-text.ts';
export { HeaderReader, readFields, readProperty } from './header-reader.ts';
export { isUtf8Range, parseDigits } from './header-walk.ts';
export { HeaderWriter, headerBytes, integerMax } from './header-writer.ts';
export type { MessageView, TypedHeader } from './message-view.ts';
export { readMessage, writeMessage } from './message-view.ts';
export {
  decimalText,
  doubleText,
  floatText,
  parseDecimalText,
  parseInteger,
} from './number-text.ts';
export type { Origin } from './origin.ts';
export { decodeOrigin, encodeOrigin, readOrigin } from './origin.ts';
export type { PropertyId, PropertyName } from './property.ts';
export {
  annotationPrefix,
  escapePrefix,
  findProperty,
  fitsForm,
  footerPrefix,
  formOf,
  headerNameBytesOf,
  headerNameOf,
  isPassable,
  keyName,
  property,
  propertyCount,
  propertyNames,
  propertyPrefix,
} from './property.ts';
export type { Route } from './route.ts';
export { addRoute, isRoutingKeyStored, readRoute } from './route.ts';
export { Schedule } from './schedule.ts';
