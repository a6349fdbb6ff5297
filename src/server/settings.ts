import { limits } from '../base/index.ts';
import {
  type Address,
  accessKey,
  address,
  byteSize,
  choice,
  integer,
  type Kind,
  plainText,
  properties,
  several,
  truth,
} from './kind.ts';
import { type ConfiguredUser, userList } from './users.ts';

/** The doors of this build, their standard ports and what comes in by them. */
export const doorTable = {
  kafka: { port: 9092, about: 'clients of Apache Kafka' },
  amqp: { port: 5672, about: 'clients of RabbitMQ: AMQP 0-9-1' },
  'rabbitmq-management': { port: 15_672, about: 'tools of RabbitMQ: its management HTTP API' },
  sqs: { port: 9324, about: 'clients of Amazon SQS: HTTP, JSON and Query' },
  admin: { port: 7222, about: 'HTTP API, health, metrics' },
} as const satisfies Record<string, { port: number; about: string }>;

export type DoorName = keyof typeof doorTable;

export const doorNames = namesOf(doorTable);

/** A setting that has one value. `flag` is derived from the key: `logLevel`, `--log-level`, `PABAL_LOG_LEVEL`. */
interface Setting<T> {
  readonly kind: Kind<T>;
  readonly initial: T;
  readonly about: string;
}

/** A setting with one value for each door: `listen.kafka`, `--listen kafka=HOST:PORT`. */
interface DoorSetting<T> {
  readonly kind: Kind<T>;
  readonly initial: { readonly [door in DoorName]?: T };
  readonly about: string;
}

const MIB = 1024 * 1024;
const door = choice(...doorNames);
/** Doors that can speak TLS themselves. */
const tlsDoor = choice('amqp', 'rabbitmq-management', 'kafka');

function setting<T>(kind: Kind<T>, initial: T, about: string): Setting<T> {
  return { kind, initial, about };
}

/** Everything that can be set, in the order in which it is listed. */
export const settingTable = {
  data: setting(plainText('<dir>'), './data', 'directory of the stored data'),
  store: setting(
    choice('file', 'memory'),
    'file',
    'where data are kept; memory forgets all when it stops',
  ),
  sync: setting(
    choice('always', 'os'),
    'always',
    'always: on disk before it is acknowledged; os: when the operating system writes it',
  ),
  noListen: setting(several(door, '<door,...>'), [], 'doors that stay closed'),
  only: setting(several(door, '<door,...>'), [], 'the only doors to open'),
  insecure: setting(
    truth(),
    false,
    'allow listening beyond loopback without credentials or TLS: anybody who reaches it may do anything',
  ),
  users: setting<readonly ConfiguredUser[]>(
    userList(),
    [],
    'users that are made, or changed to what is said here, at the start; better in a file',
  ),
  definitions: setting(
    plainText('<file>'),
    '',
    'definitions file of RabbitMQ (JSON) that is imported at every start, before the doors open',
  ),
  loopbackUsers: setting(
    several(plainText('<user>'), '<user,...>'),
    ['guest'],
    'users who may connect from this machine only',
  ),
  tls: setting(
    several(tlsDoor, '<door,...>'),
    [],
    'doors that speak TLS, and nothing else, on their port',
  ),
  tlsCertificate: setting(
    plainText('<file>'),
    '',
    'PEM file: the certificate of TLS, those of its issuers behind it',
  ),
  tlsKey: setting(plainText('<file>'), '', 'PEM file: the private key of the certificate'),
  tlsAuthorities: setting(
    plainText('<file>'),
    '',
    "PEM file: issuers whose clients' certificates are believed; default: those that the system trusts",
  ),
  tlsVerifyPeer: setting(
    choice('none', 'request', 'require'),
    'none',
    "clients' certificates: not asked for; checked where one is shown; one must be shown",
  ),
  tlsUser: setting(
    choice('distinguished-name', 'common-name'),
    'distinguished-name',
    "what of a client's certificate names its user",
  ),
  kafkaAuthentication: setting(
    choice('auto', 'required'),
    'auto',
    'kafka door: required: everybody logs in; auto: who comes to a loopback address, or to any with insecure, need not',
  ),
  kafkaReauthenticateMs: setting(
    integer(0, 7 * 24 * 3_600_000),
    0,
    'kafka door: after this long a client must log in again on its connection; 0: never',
  ),
  kafkaProperties: setting<ReadonlyArray<readonly [string, string]>>(
    properties(),
    [],
    "kafka door: what a broker's properties of Kafka say of groups: group.share.record.lock.duration.ms, ...",
  ),
  tokenKeys: setting(
    plainText('<file|url>'),
    '',
    'JSON Web Key Set, a file or URL: tokens that one of its keys has signed are believed (kafka door: OAUTHBEARER)',
  ),
  tokenIssuer: setting(plainText('<text>'), '', 'issuer that tokens must name; default: any'),
  tokenAudience: setting(
    plainText('<text>'),
    '',
    'audience for which tokens must be meant; default: any',
  ),
  tokenUserClaim: setting(plainText('<claim>'), 'sub', 'claim of a token that names its user'),
  readyFile: setting(
    plainText('<file>'),
    '',
    'once every door accepts, write {door: {host, port}} there as JSON',
  ),
  log: setting(
    choice('auto', 'text', 'json'),
    'auto',
    'form of the log; auto: text on a terminal, else JSON',
  ),
  logLevel: setting(choice('debug', 'info', 'warn', 'error'), 'info', 'least level that is logged'),
  adminHosts: setting(
    several(plainText('<host>'), '<host,...>'),
    [],
    'names, beside loopback and the listen address, by which a browser may call the admin door',
  ),
  defaultPartitions: setting(
    integer(1, limits.partitionsPerTopicMax),
    1,
    'partitions of a topic that is created without a number',
  ),
  createTopicsOnUse: setting(truth(), true, 'create a topic when a client first asks for it'),
  cache: setting(
    byteSize(MIB, 64 * 1024 * MIB),
    limits.tailCacheBytes,
    'memory for the newest records, from which most reads are answered',
  ),
  journalFileBytes: setting(
    byteSize(MIB, 1024 * MIB),
    limits.journalFileBytes,
    'size at which a file of the journal is sealed and the next one begins',
  ),
  freeBytesMin: setting(
    byteSize(0, 1024 * 1024 * MIB),
    limits.freeBytesMin,
    'publishing is refused below this much free space, so that commits and deletes still have room',
  ),
  messageBytesMax: setting(
    byteSize(1024, limits.messageBytesMost),
    limits.messageBytesMax,
    'largest body of a message that the amqp door takes',
  ),
  sqsAccessKeys: setting(
    several(accessKey(), '<key:secret,...>'),
    [],
    'access keys of the sqs door with their secrets; with any, every request must be signed; better in a file',
  ),
  sqsLimits: setting(
    choice('aws', 'relaxed'),
    'aws',
    'limits of the sqs door; relaxed: any delay, messages up to messageBytesMax, no waiting after purging and deleting',
  ),
  peerStallMs: setting(
    integer(100, 3_600_000),
    limits.frameStallMs,
    'a peer that has begun a request and does not finish it, or takes no bytes, for this long is disconnected',
  ),
  connectionsMax: setting(
    integer(1, 1_000_000),
    limits.connectionsMax,
    'connections of one door; the next is closed at once',
  ),
  requestsPerSecondMax: setting(
    integer(1, 100_000_000),
    limits.requestsPerSecondMax,
    'requests of one connection of the kafka door in a second; above it the connection waits',
  ),
  offsetsRetentionMs: setting(
    integer(60_000, Number.MAX_SAFE_INTEGER),
    limits.offsetsRetentionMs,
    "a group's offsets are forgotten when it has had no members for this long and they are this old",
  ),
  initialRebalanceDelayMs: setting(
    integer(0, 300_000),
    limits.initialRebalanceDelayMs,
    'the first members of a group wait this long for each other, again while more come',
  ),
} as const satisfies Record<string, Setting<unknown>>;

/** Settings with one value for each door. */
export const doorSettingTable = {
  listen: {
    kind: address(0),
    initial: {
      kafka: { host: '127.0.0.1', port: doorTable.kafka.port },
      amqp: { host: '127.0.0.1', port: doorTable.amqp.port },
      'rabbitmq-management': {
        host: '127.0.0.1',
        port: doorTable['rabbitmq-management'].port,
      },
      sqs: { host: '127.0.0.1', port: doorTable.sqs.port },
      admin: { host: '127.0.0.1', port: doorTable.admin.port },
    },
    about: 'where a door listens; port 0 picks a free one',
  },
  advertise: {
    kind: address(1),
    initial: {},
    about: 'the address that clients of a door are told; default: the one they connected to',
  },
} as const satisfies Record<string, DoorSetting<unknown>>;

export type SettingKey = keyof typeof settingTable;
export type DoorSettingKey = keyof typeof doorSettingTable;

type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** The effective configuration. */
export type Settings = {
  -readonly [key in SettingKey]: ValueOf<(typeof settingTable)[key]>;
} & {
  listen: { [name in DoorName]: Address };
  advertise: { [name in DoorName]?: Address };
};

export const settingKeys = namesOf(settingTable);
export const doorSettingKeys = namesOf(doorSettingTable);

/** `noListen` as its flag is written: `no-listen`. */
export function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `noListen` as its environment variable is written: `PABAL_NO_LISTEN`. */
export function variableOf(key: string): string {
  return `PABAL_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function namesOf<T extends object>(table: T): Array<keyof T & string> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our tables have no keys but those of their type
  return Object.keys(table) as Array<keyof T & string>;
}
