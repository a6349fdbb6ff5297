/** Frame types. AMQP 0-9-1 §4.2.3. */
export const frameType = {
  method: 1,
  header: 2,
  body: 3,
  heartbeat: 8,
} as const;

/** The octet behind every frame's payload. */
export const frameEnd = 0xce;
/** Type, channel and size in front of the payload. */
export const frameHeadBytes = 7;
/** What a frame has beside its payload; `frame_max` counts it, too. */
export const frameOverheadBytes = 8;
/** No peer may ask for less. AMQP 0-9-1 §1.4.2.6. */
export const frameBytesLeast = 4096;

/** Numbers of the classes. */
export const classId = {
  connection: 10,
  channel: 20,
  access: 30,
  exchange: 40,
  queue: 50,
  basic: 60,
  confirm: 85,
  tx: 90,
} as const;

/** Reply codes by the name with which the reply texts begin. AMQP 0-9-1 §1.1, and what RabbitMQ uses of it. */
export const replyCodes = {
  REPLY_SUCCESS: 200,
  CONTENT_TOO_LARGE: 311,
  NO_ROUTE: 312,
  NO_CONSUMERS: 313,
  CONNECTION_FORCED: 320,
  INVALID_PATH: 402,
  ACCESS_REFUSED: 403,
  NOT_FOUND: 404,
  RESOURCE_LOCKED: 405,
  PRECONDITION_FAILED: 406,
  FRAME_ERROR: 501,
  SYNTAX_ERROR: 502,
  COMMAND_INVALID: 503,
  CHANNEL_ERROR: 504,
  UNEXPECTED_FRAME: 505,
  RESOURCE_ERROR: 506,
  NOT_ALLOWED: 530,
  NOT_IMPLEMENTED: 540,
  INTERNAL_ERROR: 541,
} as const;

export type ReplyName = keyof typeof replyCodes;

/** Those that close the connection; the others close the channel. */
const hardNames: ReadonlySet<ReplyName> = new Set<ReplyName>([
  'CONNECTION_FORCED',
  'INVALID_PATH',
  'FRAME_ERROR',
  'SYNTAX_ERROR',
  'COMMAND_INVALID',
  'CHANNEL_ERROR',
  'UNEXPECTED_FRAME',
  'RESOURCE_ERROR',
  'NOT_ALLOWED',
  'NOT_IMPLEMENTED',
  'INTERNAL_ERROR',
]);

export function isHardError(name: ReplyName): boolean {
  return hardNames.has(name);
}
