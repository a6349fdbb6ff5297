import {
  arrayOf,
  body,
  count,
  encoding,
  json,
  object,
  ref,
  refused,
  text,
  textOrNull,
  timeMs,
  wholeNumber,
  type Schema,
} from './openapi-parts.ts';
import { queueParameters, queuePaths, queueSchemas } from './openapi-queues.ts';
import { userParameters, userPaths, userSchemas } from './openapi-users.ts';

/** The document at `/openapi.json`: OpenAPI 3.1, of everything in routes.ts (a test compares them). */
export function openApiDocument(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Pabal',
      version,
      description:
        'Health, metrics and administration of a Pabal broker. Errors are application/problem+json ' +
        '(RFC 9457) with a stable `code`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'health', description: 'For load balancers and monitoring' },
      { name: 'topics', description: 'Topics, their settings and their messages' },
      { name: 'queues', description: 'Queues: messages that go to one consumer each' },
      { name: 'groups', description: 'Consumer groups and how far they have read' },
      { name: 'users', description: 'Users and what they may do' },
      { name: 'cluster', description: 'The broker itself' },
    ],
    paths: {
      ...healthPaths,
      ...topicPaths,
      ...queuePaths,
      ...groupPaths,
      ...userPaths,
      ...clusterPaths,
    },
    components: {
      schemas: { ...schemas, ...queueSchemas, ...userSchemas },
      parameters: { ...parameters, ...queueParameters, ...userParameters },
      responses,
    },
  };
}

const schemas: Readonly<Record<string, Schema>> = {
  Problem: object({
    type: text,
    title: text,
    status: wholeNumber,
    code: { type: 'string', description: 'Stable; for programs: topic-not-found, overloaded, ...' },
    detail: { type: 'string', description: 'What is wrong and what to do; for people' },
  }),
  Health: object(
    {
      status: { type: 'string', enum: ['live', 'ready', 'not ready'] },
      reasons: arrayOf(text),
      warnings: { ...arrayOf(text), description: 'What is damaged while the broker works' },
    },
    ['reasons', 'warnings'],
  ),
  TopicOptions: object(
    {
      retentionMs: {
        type: ['integer', 'null'],
        description: 'Records older are dropped; -1: kept',
      },
      retentionBytes: {
        type: ['integer', 'null'],
        description: 'Oldest records are dropped while a partition is larger; -1: no limit',
      },
      cleanup: {
        type: ['string', 'null'],
        enum: ['delete', 'compact', 'compact,delete', 'none', null],
        description: 'compact keeps the newest record of each key; none keeps all',
      },
      batchBytesMax: { type: ['integer', 'null'], description: 'Largest record batch accepted' },
      timestampType: {
        type: ['string', 'null'],
        enum: ['create', 'append', null],
        description: 'Who stamps records: the producer or the broker',
      },
      timestampBehindMaxMs: { type: ['integer', 'null'] },
      timestampAheadMaxMs: { type: ['integer', 'null'] },
      tombstoneRetentionMs: {
        type: ['integer', 'null'],
        description: 'With compact: how long a key without a value is kept',
      },
      compactionLagMinMs: {
        type: ['integer', 'null'],
        description: 'With compact: how long every record is kept',
      },
      compactionLagMaxMs: {
        type: ['integer', 'null'],
        description: 'With compact: how long it may wait',
      },
      dirtyShareMin: {
        type: ['number', 'null'],
        description: 'With compact: the part of the log that is new when it is compacted again',
      },
      activeBytesMax: {
        type: ['integer', 'null'],
        description: 'With compact: the newest part may be compacted when it is so large',
      },
      activeMs: {
        type: ['integer', 'null'],
        description: 'With compact: the newest part may be compacted when it is so old',
      },
      compression: {
        type: ['string', 'null'],
        enum: ['producer', 'none', 'gzip', 'snappy', 'lz4', 'zstd', null],
        description: 'How batches are stored; producer: as they come',
      },
    },
    [
      'retentionMs',
      'retentionBytes',
      'cleanup',
      'batchBytesMax',
      'timestampType',
      'timestampBehindMaxMs',
      'timestampAheadMaxMs',
      'tombstoneRetentionMs',
      'compactionLagMinMs',
      'compactionLagMaxMs',
      'dirtyShareMin',
      'activeBytesMax',
      'activeMs',
      'compression',
    ],
  ),
  TopicSummary: object({
    name: text,
    id: { type: 'string', format: 'uuid' },
    partitionCount: count,
    recordCount: { ...count, description: 'About: offsets between log start and high watermark' },
    sizeBytes: count,
    createdMs: timeMs,
  }),
  Partition: object({
    partition: count,
    logStartOffset: count,
    highWatermark: { ...count, description: 'First offset that is not durable yet' },
    lastStableOffset: count,
    leaderEpoch: count,
    sizeBytes: count,
  }),
  Topic: {
    allOf: [
      ref('TopicSummary'),
      object({
        options: ref('TopicOptions'),
        ownOptions: { ...ref('TopicOptions'), description: 'Those that were set for this topic' },
        attributes: { type: 'object', additionalProperties: text },
        partitions: arrayOf(ref('Partition')),
      }),
    ],
  },
  NewTopic: object(
    {
      name: text,
      partitions: { type: 'integer', minimum: 1 },
      options: ref('TopicOptions'),
      isDryRun: { type: 'boolean', description: 'Check only; nothing is created' },
    },
    ['partitions', 'options', 'isDryRun'],
  ),
  TopicChange: object(
    {
      partitions: { type: 'integer', description: 'The new total, larger than now' },
      options: { ...ref('TopicOptions'), description: 'null takes a setting back to its default' },
    },
    ['partitions', 'options'],
  ),
  Header: object({ name: text, value: textOrNull, encoding }, ['encoding']),
  Message: object({
    partition: count,
    offset: count,
    timestampMs: timeMs,
    key: textOrNull,
    keyEncoding: encoding,
    value: textOrNull,
    valueEncoding: encoding,
    headers: arrayOf(ref('Header')),
  }),
  NewMessage: object(
    {
      key: textOrNull,
      keyEncoding: encoding,
      value: textOrNull,
      valueEncoding: encoding,
      headers: arrayOf(ref('Header')),
      partition: { ...count, description: 'Default: by the key, or any when there is none' },
      timestampMs: timeMs,
    },
    ['key', 'keyEncoding', 'value', 'valueEncoding', 'headers', 'partition', 'timestampMs'],
  ),
  MessagePage: object({
    messages: arrayOf(ref('Message')),
    positions: arrayOf(object({ partition: count, nextOffset: count, highWatermark: count })),
  }),
  Published: object({ results: arrayOf(object({ partition: count, offset: count })) }),
  GroupSummary: object({
    groupId: text,
    isManaged: { type: 'boolean' },
    state: ref('GroupState'),
    protocolType: text,
  }),
  GroupState: {
    type: 'string',
    enum: [
      'empty',
      'assigning',
      'reconciling',
      'preparing-rebalance',
      'completing-rebalance',
      'stable',
      'dead',
    ],
  },
  Group: object({
    groupId: text,
    state: ref('GroupState'),
    protocolType: text,
    protocolName: text,
    members: arrayOf(
      object({ memberId: text, instanceId: textOrNull, clientId: text, clientHost: text }),
    ),
    lag: { ...count, description: 'Records that the group has not read yet' },
    offsets: arrayOf(
      object({
        topic: text,
        partition: count,
        offset: count,
        highWatermark: { type: ['integer', 'null'] },
        lag: { type: ['integer', 'null'] },
        metadata: text,
        commitTimeMs: timeMs,
      }),
    ),
  }),
  Cluster: object({
    storeId: { type: 'string', format: 'uuid' },
    brokerId: count,
    version: text,
    doors: arrayOf(object({ name: text, host: text, port: count })),
    problems: arrayOf(text),
    isOverloaded: { type: 'boolean' },
    topicCount: count,
    partitionCount: count,
    groupCount: count,
    storage: object({
      path: text,
      journalBytes: count,
      segmentBytes: count,
      freeBytes: count,
      totalBytes: count,
    }),
  }),
};

const parameters: Readonly<Record<string, Schema>> = {
  topicName: { name: 'name', in: 'path', required: true, schema: text },
  groupId: { name: 'id', in: 'path', required: true, schema: text },
};

const responses: Readonly<Record<string, Schema>> = {
  Problem: {
    description: 'Refused',
    content: { 'application/problem+json': { schema: ref('Problem') } },
  },
};

const topicName = { $ref: '#/components/parameters/topicName' };
const groupId = { $ref: '#/components/parameters/groupId' };

const healthPaths = {
  '/': {
    get: {
      operationId: 'showHome',
      summary: 'A page that names what is served',
      responses: { 200: { description: 'HTML', content: { 'text/html': { schema: text } } } },
    },
  },
  '/health/live': {
    get: {
      operationId: 'showLive',
      tags: ['health'],
      summary: 'Whether the process answers',
      responses: { 200: json('It does', ref('Health')) },
    },
  },
  '/health/ready': {
    get: {
      operationId: 'showReady',
      tags: ['health'],
      summary: 'Whether the broker should be given work',
      responses: { 200: json('Ready', ref('Health')), 503: json('Not ready', ref('Health')) },
    },
  },
  '/metrics': {
    get: {
      operationId: 'showMetrics',
      tags: ['health'],
      summary: 'Metrics in the text format of Prometheus',
      responses: { 200: { description: 'Metrics', content: { 'text/plain': { schema: text } } } },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'showOpenApi',
      summary: 'This document',
      responses: { 200: json('OpenAPI 3.1', { type: 'object' }) },
    },
  },
};

const topicPaths = {
  '/api/v1/topics': {
    get: {
      operationId: 'listTopics',
      tags: ['topics'],
      summary: 'All topics, in order of name',
      responses: {
        200: json('Topics', object({ topics: arrayOf(ref('TopicSummary')) })),
        ...refused,
      },
    },
    post: {
      operationId: 'createTopic',
      tags: ['topics'],
      summary: 'Creates a topic; answers when that is durable',
      requestBody: body(ref('NewTopic')),
      responses: {
        200: json('A dry run: it could be created', ref('TopicSummary')),
        201: json('Created', ref('Topic'), { location: { schema: text } }),
        ...refused,
      },
    },
  },
  '/api/v1/topics/{name}': {
    parameters: [topicName],
    get: {
      operationId: 'describeTopic',
      tags: ['topics'],
      summary: 'One topic, with its settings and the offsets of its partitions',
      responses: { 200: json('The topic', ref('Topic')), ...refused },
    },
    patch: {
      operationId: 'changeTopic',
      tags: ['topics'],
      summary: 'Adds partitions, changes settings',
      requestBody: body(ref('TopicChange')),
      responses: { 200: json('The topic as it is now', ref('Topic')), ...refused },
    },
    delete: {
      operationId: 'deleteTopic',
      tags: ['topics'],
      summary: 'Deletes a topic and its messages',
      responses: { 204: { description: 'Deleted' }, ...refused },
    },
  },
  '/api/v1/topics/{name}/messages': {
    parameters: [topicName],
    get: {
      operationId: 'browseMessages',
      tags: ['topics'],
      summary: 'Looks at messages without consuming them; default: the latest of each partition',
      parameters: [
        {
          name: 'partition',
          in: 'query',
          description: 'Default: all of them',
          schema: count,
        },
        {
          name: 'offset',
          in: 'query',
          description: 'First offset, of one partition',
          schema: count,
        },
        {
          name: 'time',
          in: 'query',
          description: 'From this time on: milliseconds since the epoch, or ISO 8601',
          schema: text,
        },
        {
          name: 'from',
          in: 'query',
          schema: { type: 'string', enum: ['earliest', 'latest'], default: 'latest' },
        },
        {
          name: 'limit',
          in: 'query',
          description: 'Messages of each partition',
          schema: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
        },
      ],
      responses: { 200: json('Messages', ref('MessagePage')), ...refused },
    },
    post: {
      operationId: 'publishMessages',
      tags: ['topics'],
      summary: 'Publishes up to 1000 messages; answers when they are durable',
      requestBody: body(
        object({
          messages: { type: 'array', minItems: 1, maxItems: 1000, items: ref('NewMessage') },
        }),
      ),
      responses: { 201: json('Where each of them is, in order', ref('Published')), ...refused },
    },
  },
};

const groupPaths = {
  '/api/v1/groups': {
    get: {
      operationId: 'listGroups',
      tags: ['groups'],
      summary: 'All consumer groups',
      responses: {
        200: json('Groups', object({ groups: arrayOf(ref('GroupSummary')) })),
        ...refused,
      },
    },
  },
  '/api/v1/groups/{id}': {
    parameters: [groupId],
    get: {
      operationId: 'describeGroup',
      tags: ['groups'],
      summary: 'One group: members, committed offsets, lag',
      responses: { 200: json('The group', ref('Group')), ...refused },
    },
    delete: {
      operationId: 'deleteGroup',
      tags: ['groups'],
      summary: 'Deletes a group that has no members, with its offsets',
      responses: { 204: { description: 'Deleted' }, ...refused },
    },
  },
};

const clusterPaths = {
  '/api/v1/cluster': {
    get: {
      operationId: 'showCluster',
      tags: ['cluster'],
      summary: 'What this broker is, where it listens, how much it stores',
      responses: { 200: json('Status', ref('Cluster')), ...refused },
    },
  },
};
