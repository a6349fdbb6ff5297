import { limits } from '../../base/index.ts';
import { type Input, isObject, type Shape, type Structure } from './shape.ts';
import { invalidParameter, SqsError } from './sqs-error.ts';

const queryNamespace = 'http://queue.amazonaws.com/doc/2012-11-05/';

/** Parameters of a request by name, and which names there are below a prefix. */
export class QueryParameters {
  readonly #values = new Map<string, string>();
  /** Every part of a name up to a dot: `Foo`, `Foo.1`. */
  readonly #prefixes = new Set<string>();

  /** `texts`: form-encoded. Of a repeated name the first counts. Throws SqsError for too many. */
  constructor(...texts: readonly string[]) {
    for (const text of texts) {
      for (const [name, value] of new URLSearchParams(text)) {
        if (this.#values.has(name)) continue;
        if (this.#values.size >= limits.webParametersMax) {
          throw invalidParameter('The request has too many parameters.');
        }
        this.#values.set(name, value);
        let dot = name.indexOf('.');
        for (let parts = 0; dot >= 0 && parts < 8; parts++) {
          this.#prefixes.add(name.slice(0, dot));
          dot = name.indexOf('.', dot + 1);
        }
      }
    }
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  has(prefix: string): boolean {
    return this.#values.has(prefix) || this.#prefixes.has(prefix);
  }

  read(shape: Structure): Input {
    return this.#readStructure(shape, '');
  }

  #readStructure(shape: Structure, prefix: string): Input {
    const input: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(shape.members)) {
      const value = this.#readValue(member, prefix, name);
      if (value !== undefined) input[name] = value;
    }
    return input;
  }

  #readValue(shape: Shape, prefix: string, name: string): unknown {
    const path = prefix + name;
    switch (shape.kind) {
      case 'string':
        return this.get(path);
      case 'integer':
        return readInteger(this.get(path), path);
      case 'boolean':
        return readBoolean(this.get(path), path);
      case 'list':
        return this.#readList(shape.of, prefix + shape.entry);
      case 'map':
        return this.#readMap(shape, prefix + shape.entry);
      default:
        return this.has(path) ? this.#readStructure(shape, `${path}.`) : undefined;
    }
  }

  #readList(of: Shape, entry: string): unknown[] | undefined {
    const items: unknown[] = [];
    for (let index = 1; this.has(`${entry}.${index}`); index++) {
      items.push(
        of.kind === 'structure'
          ? this.#readStructure(of, `${entry}.${index}.`)
          : this.#readValue(of, `${entry}.`, String(index)),
      );
    }
    if (items.length > 0) return items;
    // A single item may come without its number, as clients of earlier versions of the API send it.
    return of.kind === 'string' && this.#values.has(entry) ? [this.get(entry)] : undefined;
  }

  #readMap(shape: Shape & { kind: 'map' }, entry: string): Input | undefined {
    const { keyName, valueName, of } = shape;
    const object: Record<string, unknown> = {};
    // A single entry may come without its number.
    if (this.has(`${entry}.${keyName}`))
      this.#readEntry(object, `${entry}.`, keyName, valueName, of);
    for (let index = 1; this.has(`${entry}.${index}`); index++) {
      this.#readEntry(object, `${entry}.${index}.`, keyName, valueName, of);
    }
    return Object.keys(object).length > 0 ? object : undefined;
  }

  #readEntry(
    object: Record<string, unknown>,
    prefix: string,
    keyName: string,
    valueName: string,
    of: Shape,
  ): void {
    const key = this.get(prefix + keyName);
    if (key === undefined)
      throw new SqsError(
        'MissingRequiredParameterException',
        `The request must contain the parameter ${prefix}${keyName}.`,
      );
    const value = this.#readValue(of, prefix, valueName) ?? (of.kind === 'string' ? '' : {});
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
}

function readInteger(text: string | undefined, name: string): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) {
    throw invalidParameter(
      `Value ${text} for parameter ${name} is invalid. Reason: Must be an integer.`,
    );
  }
  return Number(text);
}

function readBoolean(text: string | undefined, name: string): boolean | undefined {
  if (text === undefined) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  throw invalidParameter(
    `Value ${text} for parameter ${name} is invalid. Reason: Must be a boolean.`,
  );
}

export function renderResponse(
  action: string,
  shape: Structure,
  output: Input,
  requestId: string,
): string {
  const result = renderStructure(shape, output);
  let body = '';
  if (result !== '') body = `<${action}Result>${result}</${action}Result>`;
  else if (Object.keys(shape.members).length > 0) body = `<${action}Result/>`;
  return (
    `<?xml version="1.0"?><${action}Response xmlns="${queryNamespace}">${body}` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`
  );
}

export function renderError(error: SqsError, requestId: string): string {
  const type = error.isSenderFault ? 'Sender' : 'Receiver';
  return (
    `<?xml version="1.0"?><ErrorResponse xmlns="${queryNamespace}"><Error><Type>${type}</Type>` +
    `<Code>${escapeXml(error.queryCode)}</Code><Message>${escapeXml(error.queryMessage)}</Message><Detail/></Error>` +
    `<RequestId>${requestId}</RequestId></ErrorResponse>`
  );
}

/** Lists that have another name in JSON. */
const jsonNames: Readonly<Record<string, string>> = {
  Messages: 'messages',
  QueueUrls: 'queueUrls',
};

/**
 * What a caller of this protocol gets who accepts JSON: what the XML has, with maps as lists of names and values, and null for
 * what is not there.
 */
export function renderJsonResponse(
  action: string,
  shape: Structure,
  output: Input,
  requestId: string,
): string {
  const ResponseMetadata = { RequestId: requestId };
  const isEmpty = Object.keys(shape.members).length === 0;
  const result = isEmpty ? {} : { [`${action}Result`]: toJson(shape, output) };
  return JSON.stringify({ [`${action}Response`]: { ...result, ResponseMetadata } });
}

export function renderJsonError(error: SqsError, requestId: string): string {
  const Type = error.isSenderFault ? 'Sender' : 'Receiver';
  return JSON.stringify({
    Error: { Code: error.queryCode, Message: error.queryMessage, Type },
    RequestId: requestId,
  });
}

function toJson(shape: Shape, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  switch (shape.kind) {
    case 'list':
      return Array.isArray(value) ? value.map((item) => toJson(shape.of, item)) : null;
    case 'map':
      if (!isObject(value)) return null;
      return Object.entries(value).map(([key, item]) => ({
        [shape.keyName]: key,
        [shape.valueName]: toJson(shape.of, item),
      }));
    case 'structure': {
      if (!isObject(value)) return null;
      const members = Object.entries(shape.members);
      return Object.fromEntries(
        members.map(([name, member]) => [jsonNames[name] ?? name, toJson(member, value[name])]),
      );
    }
    default:
      return value;
  }
}

function renderStructure(shape: Structure, output: Input): string {
  let text = '';
  for (const [name, member] of Object.entries(shape.members)) {
    const value = output[name];
    if (value !== undefined) text += renderMember(member, name, value);
  }
  return text;
}

function renderMember(shape: Shape, name: string, value: unknown): string {
  switch (shape.kind) {
    case 'list':
      return Array.isArray(value)
        ? value.map((item) => renderMember(shape.of, shape.entry, item)).join('')
        : '';
    case 'map':
      if (!isObject(value)) return '';
      return Object.entries(value)
        .map(
          ([key, item]) =>
            `<${shape.entry}><${shape.keyName}>${escapeXml(key)}</${shape.keyName}>` +
            `${renderMember(shape.of, shape.valueName, item)}</${shape.entry}>`,
        )
        .join('');
    case 'structure':
      return isObject(value) ? `<${name}>${renderStructure(shape, value)}</${name}>` : '';
    default:
      return `<${name}>${escapeXml(String(value))}</${name}>`;
  }
}

const xmlEscapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // A parser would make a line feed of it.
  '\r': '&#xD;',
};

export function escapeXml(text: string): string {
  return /[&<>"\r]/.test(text)
    ? text.replaceAll(/[&<>"\r]/g, (one) => xmlEscapes[one] ?? one)
    : text;
}
