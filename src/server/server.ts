import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AssertionError, BrokerError, SystemClock, SystemRandom } from '../base/index.ts';
import type { Broker } from '../broker/index.ts';
import type { GroupPresets } from '../doors/kafka/index.ts';
import { type DoorMetrics, isLoopbackHost, type Log } from '../net/index.ts';
import { CommitMetrics } from './commit-metrics.ts';
import { openDoors } from './config.ts';
import { StartFailure } from './failure.ts';
import { HeapPacing } from './heap-pacing.ts';
import { type Address, printAddress } from './kind.ts';
import { ProcessMetrics } from './process-metrics.ts';
import type { DoorName, Settings } from './settings.ts';
import { TlsStore } from './tls.ts';
import { openTokens } from './tokens.ts';
import { applyUsers } from './users.ts';

/** A broker with its doors. */
export interface Server {
  readonly dataPath: string;
  /** Where each door really listens. */
  readonly addresses: Readonly<Record<string, Address>>;
  /** Stops accepting, lets what is in flight be answered for at most `graceMs`, and closes the broker. Idempotent. */
  stop(graceMs: number): Promise<void>;
}

/** What a door is to the server. */
interface Door {
  readonly host: string;
  readonly port: number;
  readonly metrics: DoorMetrics;
  close(drainMs: number): Promise<void>;
}

/**
 * Opens the broker and then the doors; nothing is left open when it fails. Rejects with a StartFailure for whatever a
 * person can correct.
 */
export async function startServer(settings: Settings, log: Log): Promise<Server> {
  const doors = openDoors(settings);
  if (doors.length === 0) throw new StartFailure('every door is closed: nothing could come in');
  if (!settings.insecure) refuseExposure(settings, doors);
  // While the disk is waited for, the code of the doors is read.
  preload(doors);
  const commits = new CommitMetrics();
  const groups = await readProperties(settings);
  const broker = await openBroker(settings, groups, commits, log);
  const server = new RunningServer(settings, groups, broker, commits, log);
  try {
    await applyUsers(broker.access, settings.users);
    await server.importDefinitions();
    if (!settings.insecure) refuseOpenDoors(settings, doors, broker);
    for (const door of doors) await server.startDoor(door);
  } catch (error) {
    await server.stop(0);
    throw error;
  }
  return server;
}

class RunningServer implements Server {
  readonly #settings: Settings;
  readonly #groups: GroupPresets | undefined;
  readonly #broker: Broker;
  readonly #commits: CommitMetrics;
  readonly #log: Log;
  readonly #clock = new SystemClock();
  readonly #random = new SystemRandom();
  readonly #version = readVersion();
  readonly #process: ProcessMetrics;
  readonly #tls: TlsStore;
  readonly #heapPacing = new HeapPacing(this.#clock);
  readonly #doors = new Map<DoorName, Door>();
  #stopping: Promise<void> | undefined;

  constructor(
    settings: Settings,
    groups: GroupPresets | undefined,
    broker: Broker,
    commits: CommitMetrics,
    log: Log,
  ) {
    this.#settings = settings;
    this.#groups = groups;
    this.#broker = broker;
    this.#commits = commits;
    this.#log = log;
    this.#tls = new TlsStore(settings, this.#clock, log);
    this.#process = new ProcessMetrics(this.#version, this.#clock.nowMs());
  }

  get dataPath(): string {
    return this.#broker.storage().path;
  }

  get addresses(): Record<string, Address> {
    const addresses: Record<string, Address> = {};
    for (const [name, { host, port }] of this.#doors) addresses[name] = { host, port };
    return addresses;
  }

  async startDoor(name: DoorName): Promise<void> {
    try {
      const door = await this.#openDoor(name);
      this.#doors.set(name, door);
    } catch (error) {
      throw whyNotListening(name, this.#settings.listen[name], error);
    }
  }

  #openDoor(name: DoorName): Promise<Door> {
    switch (name) {
      case 'kafka':
        return this.#openKafka();
      case 'amqp':
        return this.#openAmqp();
      case 'rabbitmq-management':
        return this.#openManagement();
      case 'sqs':
        return this.#openSqs();
      default:
        return this.#openAdmin();
    }
  }

  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stopOnce(graceMs);
    return this.#stopping;
  }

  async #stopOnce(graceMs: number): Promise<void> {
    await Promise.all([...this.#doors.values()].map((door) => door.close(graceMs)));
    this.#tls.close();
    this.#process.close();
    this.#heapPacing.close();
    await this.#broker.close();
  }

  async #openKafka(): Promise<Door> {
    const { KafkaDoor } = await doorModules.kafka();
    const settings = this.#settings;
    const { listen, advertise, connectionsMax, peerStallMs, requestsPerSecondMax } = settings;
    return KafkaDoor.open({
      broker: this.#broker,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      ...listen.kafka,
      advertised: advertise.kafka,
      tls: await this.#tls.load('kafka'),
      certificateUser: settings.tlsUser,
      requiresLogin: wantsLogin(settings),
      tokens: await openTokens(settings, this.#clock, this.#log),
      groupPresets: this.#groups,
      reauthenticateMs: settings.kafkaReauthenticateMs,
      trustsEverybody: settings.insecure,
      limits: {
        connectionsMax,
        requestsPerSecondMax,
        frameStallMs: peerStallMs,
        sendStallMs: peerStallMs,
      },
    });
  }

  async #openAmqp(): Promise<Door> {
    const { AmqpDoor } = await doorModules.amqp();
    const settings = this.#settings;
    const { listen, connectionsMax, messageBytesMax, peerStallMs } = settings;
    return AmqpDoor.open({
      broker: this.#broker,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      version: this.#version,
      ...listen.amqp,
      tls: await this.#tls.load('amqp'),
      certificateUser: settings.tlsUser,
      trustsEverybody: settings.insecure,
      limits: {
        connectionsMax,
        messageBytesMax,
        frameStallMs: peerStallMs,
        sendStallMs: peerStallMs,
      },
    });
  }

  async #openSqs(): Promise<Door> {
    const { SqsDoor } = await doorModules.sqs();
    const {
      listen,
      advertise,
      connectionsMax,
      messageBytesMax,
      peerStallMs,
      sqsAccessKeys,
      sqsLimits,
      data,
      store,
    } = this.#settings;
    return SqsDoor.open({
      broker: this.#broker,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      ...listen.sqs,
      advertised: advertise.sqs,
      accessKeys: new Map(sqsAccessKeys.map(({ key, secret }) => [key, secret])),
      isRelaxed: sqsLimits === 'relaxed',
      signingKeyFile: store === 'memory' ? undefined : path.join(data, 'topic-signing-key.pem'),
      messageBytesMax,
      connectionsMax,
      peerStallMs,
    });
  }

  async #openManagement(): Promise<Door> {
    const { loadManagement } = await doorModules.amqp();
    const { ManagementDoor } = await loadManagement();
    const settings = this.#settings;
    const { listen, tls, tlsCertificate, connectionsMax, messageBytesMax, peerStallMs } = settings;
    return ManagementDoor.open({
      broker: this.#broker,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      version: this.#version,
      ...listen['rabbitmq-management'],
      trustsEverybody: settings.insecure,
      tls: await this.#tls.load('rabbitmq-management'),
      listDoors: () =>
        [...this.#doors].map(([name, { host, port }]) => ({
          name,
          host,
          port,
          isTls: tls.some((door) => door === name),
        })),
      findAmqpMetrics: () => this.#doors.get('amqp')?.metrics,
      certificates: tls.length === 0 ? [] : [await readFile(tlsCertificate, 'utf8')],
      freeBytesMin: settings.freeBytesMin,
      messageBytesMax,
      connectionsMax,
      peerStallMs,
    });
  }

  /** Rejects with a StartFailure that says what of the file cannot be made. */
  async importDefinitions(): Promise<void> {
    const { definitions } = this.#settings;
    if (definitions === '') return;
    const { loadManagement } = await doorModules.amqp();
    const { importDefinitionsText } = await loadManagement();
    try {
      await importDefinitionsText(
        {
          broker: this.#broker,
          clock: this.#clock,
          random: this.#random,
          log: this.#log,
          version: this.#version,
        },
        await readFile(definitions, 'utf8'),
      );
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StartFailure(`definitions: ${definitions}: ${reason}`, 1, { cause: error });
    }
  }

  async #openAdmin(): Promise<Door> {
    const { AdminDoor } = await doorModules.admin();
    const { listen, advertise, adminHosts, connectionsMax, peerStallMs } = this.#settings;
    const advertised = advertise.admin === undefined ? [] : [advertise.admin.host];
    return AdminDoor.open({
      ...listen.admin,
      hostNames: [...adminHosts, ...advertised],
      connectionsMax,
      peerStallMs,
      context: {
        broker: this.#broker,
        clock: this.#clock,
        random: this.#random,
        version: this.#version,
        listDoors: () => [...this.#doors].map(([name, { host, port }]) => ({ name, host, port })),
        findProblems: () => (this.#stopping === undefined ? [] : ['the server is shutting down']),
        renderMetrics: () => this.#renderMetrics(),
      },
      log: this.#log,
    });
  }

  async #renderMetrics(): Promise<string> {
    // Written when somebody asks for it, loaded when somebody first does.
    const { renderMetrics } = await import('./metrics-page.ts');
    const topics = this.#broker.topics;
    const doors = new Map<string, DoorMetrics>();
    for (const [name, { metrics }] of this.#doors) {
      metrics.retainTopics((topic) => topics.find(topic) !== undefined);
      doors.set(name, metrics);
    }
    return renderMetrics({
      broker: this.#broker,
      doors,
      commits: this.#commits,
      process: this.#process,
    });
  }
}

const doorModules = {
  kafka: () => import('../doors/kafka/index.ts'),
  amqp: () => import('../doors/amqp091/index.ts'),
  'rabbitmq-management': () => import('../doors/amqp091/index.ts'),
  sqs: () => import('../doors/sqs/index.ts'),
  admin: () => import('../doors/admin/index.ts'),
} as const satisfies Record<DoorName, () => Promise<unknown>>;

/** What fails here fails again where the module is wanted. */
function preload(doors: readonly DoorName[]): void {
  void Promise.allSettled(doors.map((door) => doorModules[door]()));
}

/** Without credentials or TLS, whoever reaches a door may do anything. */
function refuseExposure(settings: Settings, doors: readonly DoorName[]): void {
  for (const door of doors) {
    const { host } = settings.listen[door];
    // Who comes in there has to log in (see `refuseOpenDoors`), or to sign each request.
    if (isLoopbackHost(host) || asksForPasswords(door)) continue;
    if (door === 'sqs' && settings.sqsAccessKeys.length > 0) continue;
    throw new StartFailure(
      `${door}: ${printAddress(settings.listen[door])} can be reached from other machines, and neither credentials ` +
        'nor TLS are configured; listen on 127.0.0.1, or give --insecure to let anybody in',
    );
  }
}

function asksForPasswords(door: DoorName): boolean {
  return door !== 'admin' && door !== 'sqs';
}

/** Of the kafka door, which lets anybody in where only this machine can come from. */
function wantsLogin({ kafkaAuthentication, insecure, listen }: Settings): boolean {
  return kafkaAuthentication === 'required' || (!insecure && !isLoopbackHost(listen.kafka.host));
}

const scramMechanisms = ['sha-256', 'sha-512'] as const;

/** Some doors ask everybody for a password, which is of no use while only the one that everybody knows is set. */
function refuseOpenDoors(settings: Settings, doors: readonly DoorName[], broker: Broker): void {
  const open = doors.find(
    (door) =>
      asksForPasswords(door) &&
      !(door === 'kafka' && settings.tokenKeys !== '') &&
      !isLoopbackHost(settings.listen[door].host) &&
      !settings.tls.some((one) => one === door),
  );
  if (open === undefined) return;
  const hasUser = broker.access.listUsers().some(({ name, password }) => {
    const isProvable =
      password !== undefined ||
      scramMechanisms.some((mechanism) => broker.access.findScramKeys(name, mechanism));
    return isProvable && !settings.loopbackUsers.includes(name);
  });
  if (hasUser) return;
  throw new StartFailure(
    `${open}: ${printAddress(settings.listen[open])} can be reached from other machines, and neither credentials nor TLS are ` +
      'configured; listen on 127.0.0.1, make a user with a password (users), set up TLS (tls), or give --insecure to let ' +
      'anybody in',
  );
}

/** What `kafkaProperties` says; undefined: nothing. */
async function readProperties({ kafkaProperties }: Settings): Promise<GroupPresets | undefined> {
  if (kafkaProperties.length === 0) return undefined;
  const { presetGroups } = await doorModules.kafka();
  try {
    return presetGroups(new Map(kafkaProperties));
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new StartFailure(`kafkaProperties: ${error.message}`, 1, { cause: error });
  }
}

async function openBroker(
  settings: Settings,
  groups: GroupPresets | undefined,
  commits: CommitMetrics,
  log: Log,
): Promise<Broker> {
  const { Broker } = await import('../broker/index.ts');
  try {
    return await Broker.open({
      data: settings.data,
      store: settings.store,
      sync: settings.sync,
      defaultPartitions: settings.defaultPartitions,
      createTopicsOnUse: settings.createTopicsOnUse,
      loopbackUsers: settings.loopbackUsers,
      groupOptions: {
        offsetsRetentionMs: settings.offsetsRetentionMs,
        initialRebalanceDelayMs: settings.initialRebalanceDelayMs,
        ...(groups === undefined
          ? {}
          : {
              sessionTimeoutMinMs: groups.sessionTimeoutMinMs,
              sessionTimeoutMaxMs: groups.sessionTimeoutMaxMs,
            }),
      },
      tuning: {
        tailCacheBytes: settings.cache,
        journalFileBytes: settings.journalFileBytes,
        freeBytesMin: settings.freeBytesMin,
      },
      log: {
        info: (message) => log.info({}, message),
        warn: (message) => log.warn({}, message),
        error: (message) => log.error({}, message),
      },
      observer: commits,
    });
  } catch (error) {
    throw whyNotOpened(settings, error);
  }
}

function whyNotOpened(settings: Settings, cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  if (cause instanceof BrokerError && cause.code === 'storage-damaged') {
    const hint = `pabal verify --data ${settings.data}`;
    const text = cause.message.endsWith('pabal verify')
      ? cause.message.replace(/pabal verify$/, hint)
      : `${cause.message}; see what is intact with: ${hint}`;
    return new StartFailure(text, 2, { cause });
  }
  const code = codeOf(cause);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    const text = `cannot write to the data directory ${settings.data} (${code}): check its owner, or choose another with --data`;
    return new StartFailure(text, 1, { cause });
  }
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    const text = `the data directory ${settings.data} is not a directory: choose another with --data`;
    return new StartFailure(text, 1, { cause });
  }
  if (cause instanceof AssertionError) return cause;
  return new StartFailure(cause.message, 1, { cause });
}

function whyNotListening(door: DoorName, listen: Address, cause: unknown): unknown {
  const at = printAddress(listen);
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return new StartFailure(
        `${door}: ${at} is in use by another process; stop it, or choose another port with ` +
          `--listen ${door}=${printAddress({ host: listen.host, port: 0 })} (0: any free one)`,
        1,
        { cause },
      );
    case 'EACCES':
      return new StartFailure(
        `${door}: ${at} may not be listened on by this user; choose a port above 1023 with --listen`,
        1,
        { cause },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartFailure(`${door}: this machine has no address ${listen.host}`, 1, { cause });
    default:
      return cause;
  }
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The same in `src/server` and in `dist/server`. */
function readVersion(): string {
  const url = new URL('../../package.json', import.meta.url);
  const description: unknown = JSON.parse(readFileSync(url, 'utf8'));
  if (typeof description !== 'object' || description === null) return 'unknown';
  return 'version' in description ? String(description.version) : 'unknown';
}
