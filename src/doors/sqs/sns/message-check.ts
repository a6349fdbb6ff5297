import { type Input, isObject, textOf } from '../shape.ts';
import { SnsError } from './sns-error.ts';

/**
 * Refuses attributes of a message in the service's words, which are not those of queues. `path` is where they stand in
 * the request. Throws SnsError.
 */
export function checkAttributesOfMessage(attributes: Input, path: string): void {
  for (const [name, raw] of Object.entries(attributes)) {
    checkName(name);
    checkValue(name, isObject(raw) ? raw : {}, path);
  }
}

function checkName(name: string): void {
  if (name.length > 256) {
    throw invalidValue('Length of message attribute name must be less than 256 bytes.');
  }
  const strange = /[^A-Za-z0-9_\-.]/u.exec(name)?.[0];
  if (strange !== undefined) {
    const code = strange.codePointAt(0)!.toString(16).toUpperCase();
    throw invalidValue(
      `Invalid non-alphanumeric character '#x${code}' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.`,
    );
  }
  if (name.startsWith('.')) {
    throw invalidValue("Invalid message attribute name starting with character '.' was found.");
  }
  if (name.endsWith('.')) {
    throw invalidValue("Invalid message attribute name ending with character '.' was found.");
  }
  if (name.includes('..')) {
    throw invalidValue("Message attribute name can not have successive '.' character.");
  }
}

function checkValue(name: string, attribute: Input, path: string): void {
  const type = textOf(attribute, 'DataType') ?? '';
  if (type === '') {
    throw new SnsError(
      'ValidationError',
      `1 validation error detected: Value null at '${path}.${name}.member.dataType' failed to satisfy constraint: Member must not be null`,
    );
  }
  const kind = /^(String|Number|Binary)(\..+)?$/.exec(type)?.[1];
  if (kind === undefined) {
    throw invalidValue(
      `The message attribute '${name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.`,
    );
  }
  const field = kind === 'Binary' ? 'Binary' : 'String';
  const other = kind === 'Binary' ? 'String' : 'Binary';
  if (textOf(attribute, `${field}Value`) !== undefined) {
    if (textOf(attribute, `${field}Value`) !== '') return;
  } else if ((textOf(attribute, `${other}Value`) ?? '') !== '') {
    throw invalidValue(
      `The message attribute '${name}' with type '${type}' must use field '${field}'.`,
    );
  }
  throw invalidValue(
    `The message attribute '${name}' must contain non-empty message attribute value for message attribute type '${type}'.`,
  );
}

function invalidValue(message: string): SnsError {
  return new SnsError('ParameterValueInvalid', message);
}
