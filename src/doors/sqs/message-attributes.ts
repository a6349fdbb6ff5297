import {
  fieldType,
  fieldTypeNames,
  type HeaderReader,
  type HeaderWriter,
  headerNameOf,
  isPassable,
  property,
} from '../../message/index.ts';
import type { MessageAttribute, MessageAttributes } from './attribute-digest.ts';
import { type TextForm, textForm } from './sent-memory.ts';
import { type Input, isObject, textOf } from './shape.ts';
import { invalidParameter } from './sqs-error.ts';

const attributesMax = 10;

/** Characters that no text of the API may have; lone surrogates are looked for apart. */
// oxlint-disable-next-line no-control-regex -- these are the ones that are meant
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Whatever may be forbidden: most texts are told by one look. */
// oxlint-disable-next-line no-control-regex -- these are the ones that are meant
const suspicious = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/;

export function isAllowedText(text: string): boolean {
  return !suspicious.test(text) || (!forbidden.test(text) && !/\p{Surrogate}/u.test(text));
}

/** What a body is; undefined where it has characters that none may have. */
export function findTextForm(text: string): TextForm | undefined {
  if (!isAsciiText(text)) return isAllowedText(text) ? textForm.any : undefined;
  // Faster, one after the other, than a pattern.
  for (const one of escaped) if (text.includes(one)) return textForm.ascii;
  return textForm.plain;
}

const escaped = ['"', '\\', '\n', '\r', '\t'];
const beyondAscii = /[^\t\n\r\x20-\x7e]/;

function isAsciiText(text: string): boolean {
  return !beyondAscii.test(text);
}

/** Checks the attributes of a message and counts their bytes. Throws SqsError. */
export function checkMessageAttributes(attributes: Input): {
  attributes: MessageAttributes;
  bytes: number;
} {
  const names = Object.keys(attributes);
  if (names.length > attributesMax) {
    throw invalidParameter(
      `Number of message attributes [${names.length}] exceeds the allowed maximum [${attributesMax}].`,
    );
  }
  const checked: Record<string, MessageAttribute> = Object.create(null) as Record<
    string,
    MessageAttribute
  >;
  let bytes = 0;
  for (const name of names) {
    checkAttributeName(name);
    const raw = attributes[name];
    const attribute = checkAttribute(name, isObject(raw) ? raw : {});
    checked[name] = attribute;
    bytes +=
      Buffer.byteLength(name) + Buffer.byteLength(attribute.DataType) + valueBytes(attribute);
  }
  return { attributes: checked, bytes };
}

function valueBytes({ StringValue, BinaryValue }: MessageAttribute): number {
  if (BinaryValue !== undefined) return Buffer.byteLength(BinaryValue, 'base64');
  return Buffer.byteLength(StringValue ?? '');
}

/** The service says that letters are those from A to Z, and takes those of any script. */
function isAttributeName(name: string): boolean {
  return (
    /^[\p{L}\p{N}_\-.]{1,256}$/u.test(name) &&
    !name.startsWith('.') &&
    !name.endsWith('.') &&
    !name.includes('..')
  );
}

function checkAttributeName(name: string): void {
  if (/^(aws\.|amazon\.)/i.test(name)) {
    throw invalidParameter(
      `Message (user) attribute name '${name}' can not start with 'AWS.' or 'Amazon.'.`,
    );
  }
  if (!isAttributeName(name)) {
    throw invalidParameter(
      `Message (user) attribute name '${name}' is invalid: it can have alphanumeric characters, hyphens, underscores and ` +
        'periods, must not start or end with a period or have two in a row, and has 1 to 256 characters.',
    );
  }
}

function checkAttribute(name: string, input: Input): MessageAttribute {
  const DataType = textOf(input, 'DataType') ?? '';
  if (DataType === '') {
    throw invalidParameter(
      `The message attribute '${name}' must contain non-empty message attribute type.`,
    );
  }
  // A label without a letter would not come back, and so be missed by its digest.
  const kind = /^(String|Number|Binary)(\..+)?$/s.exec(DataType)?.[1];
  if (kind === undefined || DataType.length > 256 || !isAllowedText(DataType)) {
    throw invalidParameter(
      `The message attribute '${name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.`,
    );
  }
  if (kind === 'Binary') {
    const BinaryValue = textOf(input, 'BinaryValue') ?? '';
    // A text of which no byte can be read is no value either (recorded): it would be lost on its way.
    if (Buffer.from(BinaryValue, 'base64').length === 0) throw emptyValue(name, 'Binary');
    return { DataType, BinaryValue };
  }
  const StringValue = textOf(input, 'StringValue') ?? '';
  if (StringValue === '') throw emptyValue(name, 'String');
  if (!isAllowedText(StringValue)) {
    throw invalidParameter(
      `Invalid binary character was found in the message attribute value of '${name}', the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`,
    );
  }
  if (kind === 'Number' && !isNumber(StringValue)) {
    throw invalidParameter(
      `Can't cast the value of message (user) attribute '${name}' to a number.`,
    );
  }
  return { DataType, StringValue };
}

function isNumber(text: string): boolean {
  // Digits can be read in one way only: a long text that is no number must not be tried again from each of them.
  return /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$/.test(text.trim());
}

function emptyValue(name: string, kind: string): Error {
  return invalidParameter(
    `Message (user) attribute '${name}' must contain a non-empty value of type '${kind}'.`,
  );
}

/** As docs/message-mapping.md says. */
export function writeMessageAttributes(writer: HeaderWriter, attributes: MessageAttributes): void {
  for (const name of Object.keys(attributes)) {
    const { DataType, StringValue, BinaryValue } = attributes[name]!;
    const label = DataType.length > 7 ? DataType.slice(7) : undefined;
    writer.name(name);
    if (BinaryValue !== undefined) {
      const bytes = Buffer.from(BinaryValue, 'base64');
      writer.valueSlice(bytes, 0, bytes.length, fieldType.bytes, label);
    } else {
      const type = DataType.startsWith('Number') ? fieldType.number : fieldType.text;
      writer.valueText(StringValue ?? '', type, label);
    }
  }
}

/** Properties that the API has words of its own for. */
const ownProperties = new Set([
  property.deliverAt,
  property.expiresAt,
  property.group,
  property.dedupId,
  property.traceHeader,
]);

/** The attributes of a stored message that a receiver wants, its application's own first, at most `attributesMax`. */
export function readMessageAttributes(
  reader: HeaderReader,
  bytes: Uint8Array,
  at: number,
  end: number,
  wants: (name: string) => boolean,
): Record<string, MessageAttribute> | undefined {
  let found: Record<string, MessageAttribute> | undefined;
  let count = 0;
  for (const isProperty of [false, true]) {
    reader.begin(bytes, at, end);
    while (reader.next()) {
      const id = reader.property;
      if (id >= 0 !== isProperty || count >= attributesMax || reader.valueBytes <= 0) continue;
      if (isProperty && (!isPassable(id) || ownProperties.has(id))) continue;
      const name = isProperty ? headerNameOf(id) : reader.name;
      if (!isAttributeName(name) || !wants(name) || (found !== undefined && name in found))
        continue;
      const attribute = isProperty
        ? { DataType: 'String', StringValue: reader.text }
        : attributeOf(reader);
      if (attribute === undefined) continue;
      found ??= Object.create(null) as Record<string, MessageAttribute>;
      found[name] = attribute;
      count++;
    }
  }
  return found;
}

const numberTypes = new Set([
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float',
  'double',
  'decimal',
  'number',
]);

function attributeOf(reader: HeaderReader): MessageAttribute | undefined {
  const type = fieldTypeNames[reader.type] ?? 'text';
  const label = reader.typeLabel;
  const suffix = label === undefined ? '' : `.${label}`;
  if (type === 'void') return undefined;
  if (type === 'bytes') {
    return { DataType: `Binary${suffix}`, BinaryValue: reader.value?.toString('base64') ?? '' };
  }
  const text = reader.text;
  if (!isAllowedText(text)) return undefined;
  if (type === 'text') return { DataType: `String${suffix}`, StringValue: text };
  if (numberTypes.has(type) && isNumber(text)) {
    return { DataType: type === 'number' ? `Number${suffix}` : 'Number', StringValue: text };
  }
  return { DataType: 'String', StringValue: text };
}

/** Whether a receiver that asked for these names wants an attribute. `All`, `.*`, `*` and prefixes `foo.*`. */
export function compileWants(names: readonly string[]): ((name: string) => boolean) | undefined {
  if (names.length === 0) return undefined;
  if (names.some((name) => name === 'All' || name === '.*' || name === '*')) return () => true;
  const exact = new Set(names);
  const prefixes = names.filter((name) => name.endsWith('.*')).map((name) => name.slice(0, -2));
  return (name) => exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}
