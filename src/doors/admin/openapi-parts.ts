/** Pieces of which the OpenAPI document is made. */
export type Schema = Readonly<Record<string, unknown>>;

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

export function arrayOf(items: Schema): Schema {
  return { type: 'array', items };
}

/** An object all of whose members are always there, unless they are listed as optional. */
export function object(
  properties: Readonly<Record<string, Schema>>,
  optional: string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', ...(required.length > 0 ? { required } : {}), properties };
}

export function json(description: string, schema: Schema, headers?: Schema): Schema {
  return {
    description,
    content: { 'application/json': { schema } },
    ...(headers === undefined ? {} : { headers }),
  };
}

export function body(schema: Schema): Schema {
  return { required: true, content: { 'application/json': { schema } } };
}

export const text: Schema = { type: 'string' };
export const textOrNull: Schema = { type: ['string', 'null'] };
export const count: Schema = { type: 'integer', minimum: 0 };
export const wholeNumber: Schema = { type: 'integer' };
export const timeMs: Schema = { type: 'integer', description: 'Milliseconds since the Unix epoch' };
export const encoding: Schema = {
  type: 'string',
  enum: ['utf8', 'base64'],
  description: 'How the text beside it is to be read; base64 where the bytes are not UTF-8',
};

/** Every operation may be refused. */
export const refused = { default: { $ref: '#/components/responses/Problem' } };
