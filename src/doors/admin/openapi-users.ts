import { arrayOf, body, json, object, ref, refused, type Schema, text } from './openapi-parts.ts';

const pattern: Schema = {
  ...text,
  description: 'Regular expression over names, matching anywhere; empty: none',
};
const password: Schema = { type: 'string', minLength: 1, writeOnly: true };
const patterns = { configure: pattern, write: pattern, read: pattern };
const namespace: Schema = { ...text, description: 'Empty: the default namespace' };

export const userSchemas: Readonly<Record<string, Schema>> = {
  User: object({
    name: text,
    tags: arrayOf(text),
    hasPassword: { type: 'boolean' },
    limits: { type: 'object', additionalProperties: { type: 'integer' } },
    permissions: arrayOf(object({ namespace, ...patterns })),
  }),
  NewUser: object({ name: text, password, tags: arrayOf(text) }, ['password', 'tags']),
  UserChange: object(
    {
      password: {
        type: ['string', 'null'],
        writeOnly: true,
        description: 'null: nobody can log in with a password',
      },
      tags: arrayOf(text),
    },
    ['password', 'tags'],
  ),
  NewPermission: object({ namespace, ...patterns }, ['namespace', 'configure', 'write', 'read']),
};

export const userParameters: Readonly<Record<string, Schema>> = {
  userName: { name: 'name', in: 'path', required: true, schema: text },
};

const userName = { $ref: '#/components/parameters/userName' };
const user = (description: string): Schema => json(description, ref('User'));

export const userPaths = {
  '/api/v1/users': {
    get: {
      operationId: 'listUsers',
      tags: ['users'],
      summary: 'All users and what they may do',
      responses: { 200: json('Users', object({ users: arrayOf(ref('User')) })), ...refused },
    },
    post: {
      operationId: 'createUser',
      tags: ['users'],
      summary: 'Creates a user; answers when that is durable',
      requestBody: body(ref('NewUser')),
      responses: {
        201: json('Created', ref('User'), { location: { schema: text } }),
        ...refused,
      },
    },
  },
  '/api/v1/users/{name}': {
    parameters: [userName],
    get: {
      operationId: 'describeUser',
      tags: ['users'],
      summary: 'One user and what it may do',
      responses: { 200: user('The user'), ...refused },
    },
    patch: {
      operationId: 'changeUser',
      tags: ['users'],
      summary: 'Changes password or tags',
      requestBody: body(ref('UserChange')),
      responses: { 200: user('The user as it is now'), ...refused },
    },
    delete: {
      operationId: 'deleteUser',
      tags: ['users'],
      summary: 'Deletes a user with its permissions',
      responses: { 204: { description: 'Deleted' }, ...refused },
    },
  },
  '/api/v1/users/{name}/permissions': {
    parameters: [userName],
    post: {
      operationId: 'permitUser',
      tags: ['users'],
      summary: 'Says what a user may do in a namespace, in place of what was said before',
      requestBody: body(ref('NewPermission')),
      responses: { 200: user('The user as it is now'), ...refused },
    },
    delete: {
      operationId: 'forbidUser',
      tags: ['users'],
      summary: 'Takes a namespace away from a user',
      parameters: [{ name: 'namespace', in: 'query', schema: namespace }],
      responses: { 204: { description: 'Taken away, or not there' }, ...refused },
    },
  },
};
