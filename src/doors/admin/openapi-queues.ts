import {
  arrayOf,
  body,
  count,
  encoding,
  json,
  object,
  ref,
  refused,
  type Schema,
  text,
  textOrNull,
  timeMs,
  wholeNumber,
} from './openapi-parts.ts';

const truth: Schema = { type: 'boolean' };
const texts: Schema = { type: 'object', additionalProperties: text };

/** Every member may be absent. */
function partial(properties: Readonly<Record<string, Schema>>): Schema {
  return object(properties, Object.keys(properties));
}

const counts = {
  ready: { ...count, description: 'Can be delivered now' },
  readyBytes: count,
  delayed: { ...count, description: 'Wait for their time' },
  leased: { ...count, description: 'Are in the hands of consumers' },
  consumers: count,
};

const schedule = {
  contentType: text,
  correlationId: text,
  replyTo: text,
  messageId: text,
  type: text,
  group: { ...text, description: 'In grouped queues: one message of a group at a time' },
  dedupId: { ...text, description: 'Where the queue has a deduplication window: stored once' },
  priority: count,
  delayMs: count,
  deliverAtMs: timeMs,
  ttlMs: count,
};

export const queueSchemas: Readonly<Record<string, Schema>> = {
  DeadLetterTarget: partial({
    exchange: { ...text, description: 'Empty: the queue whose name is the key' },
    key: { ...text, description: 'Absent: the keys that the message had' },
    notes: {
      type: 'object',
      readOnly: true,
      description:
        'Names of headers that a protocol wants on dead messages, and its words for reasons',
    },
    isBare: { ...truth, readOnly: true, description: 'Without key, headers and body' },
  }),
  QueueSettings: partial({
    failuresMax: { ...wholeNumber, description: 'Failures that a message survives; -1: any' },
    retryDelayMs: { ...count, description: 'Wait before a failed message is given out again' },
    retryDelayFactor: { type: 'number', description: 'By which the wait grows with each failure' },
    retryDelayMaxMs: count,
    messageTtlMs: { ...wholeNumber, description: 'A message expires after this long; -1: never' },
    readyMax: { ...wholeNumber, description: 'Messages that may be ready; -1: any number' },
    readyBytesMax: wholeNumber,
    overflow: { type: 'string', enum: ['drop-head', 'reject', 'reject-dead-letter'] },
    deadLetter: { oneOf: [ref('DeadLetterTarget'), { type: 'null' }] },
    dropsExpired: {
      ...truth,
      description: 'What expires is dropped, not dead-lettered; dead messages keep their time',
    },
    keepsFailed: {
      ...truth,
      description: 'What failed too often dies when it would be given out next, not at once',
    },
    isSingleActive: { ...truth, description: 'One consumer at a time gets messages' },
    givesUncommitted: {
      ...truth,
      description: 'Open transactions hold nothing back, and aborted ones take nothing away',
    },
    keepSettledMs: { ...count, description: 'So long can be gone back' },
    leaseMs: { ...wholeNumber, description: '-1: until it is settled or the consumer goes' },
    leasedMax: {
      ...wholeNumber,
      description: 'Messages that may be leased at once; -1: any number',
    },
    dedupWindowMs: count,
    filter: { oneOf: [object({ language: text, text }), { type: 'null' }] },
  }),
  QueueForm: partial({
    priorityMax: { ...count, description: 'Greatest priority that is told apart; 0: none' },
    priorityDefault: count,
    isGrouped: truth,
    isFair: truth,
  }),
  QueueSummary: object({
    name: text,
    namespace: text,
    subscription: { ...text, description: "Empty: the topic's default one" },
    partitionCount: count,
    ...counts,
    createdMs: timeMs,
  }),
  Queue: {
    allOf: [
      ref('QueueSummary'),
      object({
        topicId: { type: 'string', format: 'uuid' },
        retention: { type: 'string', enum: ['by-limits', 'until-settled'] },
        isTemporary: truth,
        isAutoDelete: truth,
        isExclusive: truth,
        idleExpiryMs: {
          ...wholeNumber,
          description: 'Deleted after it was idle so long; -1: never',
        },
        settings: ref('QueueSettings'),
        form: ref('QueueForm'),
        attributes: texts,
        counts: object({
          ...counts,
          leasedBytes: count,
          damaged: { ...count, description: 'Cannot be read; kept until a purge or another try' },
          published: { ...count, description: 'This and the following: since the broker started' },
          delivered: count,
          redelivered: count,
          accepted: count,
          released: count,
          dead: count,
          oldestTimestampMs: { type: ['integer', 'null'] },
        }),
        partitions: arrayOf(
          object({
            partition: count,
            ready: count,
            delayed: count,
            leased: count,
            damaged: count,
            logStartOffset: count,
            highWatermark: count,
          }),
        ),
      }),
    ],
  },
  NewQueue: object(
    {
      name: text,
      namespace: text,
      subscription: { ...text, description: 'For a further queue over one topic' },
      partitions: { type: 'integer', minimum: 1, description: 'Of the topic, where there is none' },
      settings: ref('QueueSettings'),
      form: { ...ref('QueueForm'), description: 'Fixed from here on' },
      isTemporary: { ...truth, description: 'Gone after a restart' },
      isAutoDelete: { ...truth, description: 'Gone with its last consumer' },
      idleExpiryMs: wholeNumber,
      attributes: texts,
      from: { type: 'string', enum: ['earliest', 'latest'], default: 'earliest' },
    },
    [
      'namespace',
      'subscription',
      'partitions',
      'settings',
      'form',
      'isTemporary',
      'isAutoDelete',
      'idleExpiryMs',
      'attributes',
      'from',
    ],
  ),
  QueueChange: partial({
    settings: { ...ref('QueueSettings'), description: 'null takes a setting back to its default' },
    idleExpiryMs: wholeNumber,
    attributes: texts,
  }),
  NewQueueMessage: partial({
    key: textOrNull,
    keyEncoding: encoding,
    value: textOrNull,
    valueEncoding: encoding,
    headers: {
      type: 'object',
      additionalProperties: { type: ['string', 'number', 'boolean'] },
    },
    ...schedule,
  }),
  QueueMessage: object({
    offset: count,
    timestampMs: timeMs,
    deliveries: count,
    failures: count,
    key: textOrNull,
    keyEncoding: encoding,
    value: textOrNull,
    valueEncoding: encoding,
    properties: texts,
    headers: arrayOf(object({ name: text, type: text, value: textOrNull, encoding })),
  }),
  ReceivedMessage: {
    allOf: [
      object({ receipt: { ...text, description: 'Good as long as this delivery is' } }),
      ref('QueueMessage'),
    ],
  },
  Settlement: object(
    {
      receipt: text,
      outcome: {
        type: 'string',
        enum: ['accept', 'release', 'reject', 'extend'],
        default: 'accept',
      },
      delayMs: { ...count, description: 'For release; default: the retry delay' },
      isFailure: { ...truth, description: 'For release; default true' },
      leaseMs: { ...count, description: 'For extend: from now' },
    },
    ['outcome', 'delayMs', 'isFailure', 'leaseMs'],
  ),
};

function inQuery(name: string, schema: Schema, description?: string): Schema {
  return { name, in: 'query', schema, ...(description === undefined ? {} : { description }) };
}

export const queueParameters: Readonly<Record<string, Schema>> = {
  queueName: { name: 'name', in: 'path', required: true, schema: text },
  namespace: inQuery('namespace', text),
  subscription: inQuery('subscription', text, "Default: the topic's default one"),
};

const ofQueue = [
  { $ref: '#/components/parameters/queueName' },
  { $ref: '#/components/parameters/namespace' },
  { $ref: '#/components/parameters/subscription' },
];

const messageArray = (name: string): Schema =>
  object({ messages: { type: 'array', minItems: 1, maxItems: 1000, items: ref(name) } });

export const queuePaths = {
  '/api/v1/topics/{name}/subscriptions': {
    parameters: [
      { $ref: '#/components/parameters/topicName' },
      { $ref: '#/components/parameters/namespace' },
    ],
    get: {
      operationId: 'listSubscriptions',
      tags: ['queues'],
      summary: 'The queues over a topic',
      responses: {
        200: json('Queues', object({ subscriptions: arrayOf(ref('QueueSummary')) })),
        ...refused,
      },
    },
  },
  '/api/v1/queues': {
    get: {
      operationId: 'listQueues',
      tags: ['queues'],
      summary: 'Queues in order of namespace, name and subscription, a page at a time',
      parameters: [
        inQuery('namespace', text, 'Default: all of them'),
        inQuery('from', count, 'Queues to pass over: `next` of the page before'),
        inQuery('limit', { type: 'integer', minimum: 1, maximum: 10_000, default: 1000 }),
      ],
      responses: {
        200: json(
          'Queues',
          object({
            total: count,
            next: { type: ['integer', 'null'] },
            queues: arrayOf(ref('QueueSummary')),
          }),
        ),
        ...refused,
      },
    },
    post: {
      operationId: 'createQueue',
      tags: ['queues'],
      summary: 'Creates a queue; answers when that is durable',
      requestBody: body(ref('NewQueue')),
      responses: {
        200: json('It is there already, and stays as it is', ref('Queue')),
        201: json('Created', ref('Queue'), { location: { schema: text } }),
        ...refused,
      },
    },
  },
  '/api/v1/queues/{name}': {
    parameters: ofQueue,
    get: {
      operationId: 'describeQueue',
      tags: ['queues'],
      summary: 'One queue, with its settings and counts',
      responses: { 200: json('The queue', ref('Queue')), ...refused },
    },
    patch: {
      operationId: 'changeQueue',
      tags: ['queues'],
      summary: 'Changes settings',
      requestBody: body(ref('QueueChange')),
      responses: { 200: json('The queue as it is now', ref('Queue')), ...refused },
    },
    delete: {
      operationId: 'deleteQueue',
      tags: ['queues'],
      summary: 'Deletes a queue, and its topic when that was made for it',
      parameters: [inQuery('ifUnused', truth), inQuery('ifEmpty', truth)],
      responses: {
        200: json('Deleted, with so many messages ready', object({ readyCount: count })),
        ...refused,
      },
    },
  },
  '/api/v1/queues/{name}/purge': {
    parameters: ofQueue,
    post: {
      operationId: 'purgeQueue',
      tags: ['queues'],
      summary: 'Settles everything that is ready, delayed or damaged',
      responses: { 200: json('Purged', object({ purgedCount: count })), ...refused },
    },
  },
  '/api/v1/queues/{name}/retry-damaged': {
    parameters: ofQueue,
    post: {
      operationId: 'retryDamaged',
      tags: ['queues'],
      summary: 'Gives out again what could not be read, after its file was restored',
      responses: { 200: json('Ready again', object({ retriedCount: count })), ...refused },
    },
  },
  '/api/v1/queues/{name}/rewind': {
    parameters: ofQueue,
    post: {
      operationId: 'rewindQueue',
      tags: ['queues'],
      summary:
        'Gives out again what was settled, from a time or an offset on, as far as it is kept',
      requestBody: body(
        partial({
          toTime: { type: ['integer', 'string'], description: 'Milliseconds, or ISO 8601' },
          toOffset: { ...count, description: 'Of a queue with one partition' },
          offsets: { type: 'object', additionalProperties: count, description: 'By partition' },
        }),
      ),
      responses: { 200: json('The queue as it is now', ref('Queue')), ...refused },
    },
  },
  '/api/v1/queues/{name}/messages': {
    parameters: ofQueue,
    get: {
      operationId: 'peekMessages',
      tags: ['queues'],
      summary: 'Looks at messages in the order in which they would be given out',
      parameters: [
        inQuery('skip', count),
        inQuery('limit', { type: 'integer', minimum: 1, maximum: 1000, default: 10 }),
      ],
      responses: { 200: json('Messages', messageArray('QueueMessage')), ...refused },
    },
    post: {
      operationId: 'sendMessages',
      tags: ['queues'],
      summary: 'Publishes up to 1000 messages; answers when they are durable',
      requestBody: body(messageArray('NewQueueMessage')),
      responses: {
        201: json(
          'What became of each of them, in order',
          object({
            results: arrayOf(
              object({ outcome: { type: 'string', enum: ['stored', 'duplicate', 'rejected'] } }),
            ),
          }),
        ),
        ...refused,
      },
    },
  },
  '/api/v1/queues/{name}/receive': {
    parameters: ofQueue,
    post: {
      operationId: 'receiveMessages',
      tags: ['queues'],
      summary: 'Leases messages to the caller, who settles them by their receipts',
      requestBody: body(
        partial({
          max: { type: 'integer', minimum: 1, maximum: 1000, default: 1 },
          waitMs: { type: 'integer', minimum: 0, maximum: 20_000, default: 0 },
          leaseMs: { type: 'integer', minimum: 1, description: "Default: the queue's, or 30,000" },
        }),
      ),
      responses: {
        200: json(
          'Messages; none when there were none in time',
          object({ leaseMs: count, messages: arrayOf(ref('ReceivedMessage')) }),
        ),
        ...refused,
      },
    },
  },
  '/api/v1/queues/{name}/settle': {
    parameters: ofQueue,
    post: {
      operationId: 'settleMessages',
      tags: ['queues'],
      summary: 'Settles messages, or gives them more time; answers when that is durable',
      requestBody: body(object({ settlements: arrayOf(ref('Settlement')) })),
      responses: {
        200: json(
          'For each whether its receipt was still good',
          object({ results: arrayOf(object({ receipt: text, isSettled: truth })) }),
        ),
        ...refused,
      },
    },
  },
};
