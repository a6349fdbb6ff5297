export type { ReplyName } from './constants.ts';
export {
  classId,
  frameBytesLeast,
  frameEnd,
  frameHeadBytes,
  frameOverheadBytes,
  frameType,
  isHardError,
  replyCodes,
} from './constants.ts';
export type { PropertyIndex } from './content-header.ts';
export { ContentHeader, property, propertyCount, propertyFlag } from './content-header.ts';
export {
  ackKey,
  copyRange,
  deliverFrameBytes,
  encodeDeliverPrefix,
  headerFrameBytes,
  PublishArguments,
  publishKey,
  readAckMultiple,
  readAckTag,
  readMethodKey,
  writeBodyStart,
  writeDeliver,
  writeHeaderStart,
} from './fast-path.ts';
export type { Field, FieldTable } from './field-table.ts';
export {
  emptyTable,
  FieldCursor,
  letter,
  readField,
  readLongNumber,
  readTable,
  writeLongText,
  writeShortText,
  writeTable,
} from './field-table.ts';
export { FrameFault, FrameReader } from './frame-reader.ts';
export {
  ArgumentsMismatch,
  decodeArguments,
  encodeMethod,
  MalformedText,
  readShortText,
  writeMethod,
} from './method-codec.ts';
export type { KindValues, Method, MethodArguments, MethodName } from './methods.ts';
export {
  findMethod,
  keyOfMethod,
  methodKey,
  methodNames,
  methods,
  spellMethod,
} from './methods.ts';
