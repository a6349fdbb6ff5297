import { createHash, hash } from 'node:crypto';

/** A message attribute as the API has it; `BinaryValue` is base64. */
export interface MessageAttribute {
  readonly DataType: string;
  readonly StringValue?: string;
  readonly BinaryValue?: string;
}

export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

export function digestText(text: string): string {
  return hash('md5', text);
}

export function digestBytes(bytes: Uint8Array): string {
  return hash('md5', bytes);
}

/**
 * MD5 over the attributes in the order of their names, as clients compute it: for each, name and type with a length of four
 * bytes before each, one byte (1: text, 2: bytes), and the value with its length before it.
 */
export function digestAttributes(attributes: MessageAttributes): string {
  const digest = createHash('md5');
  const length = Buffer.alloc(4);
  const add = (bytes: Buffer): void => {
    length.writeUInt32BE(bytes.length);
    digest.update(length).update(bytes);
  };
  for (const name of Object.keys(attributes).toSorted()) {
    const { DataType, StringValue, BinaryValue } = attributes[name]!;
    add(Buffer.from(name, 'utf8'));
    add(Buffer.from(DataType, 'utf8'));
    if (DataType.startsWith('Binary')) {
      digest.update(binaryMark);
      add(Buffer.from(BinaryValue ?? '', 'base64'));
    } else {
      digest.update(textMark);
      add(Buffer.from(StringValue ?? '', 'utf8'));
    }
  }
  return digest.digest('hex');
}

const textMark = Buffer.of(1);
const binaryMark = Buffer.of(2);
