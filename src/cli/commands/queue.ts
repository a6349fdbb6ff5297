import { Command, InvalidArgumentError, Option } from 'commander';
import { duration, integer } from '../../server/index.ts';
import { addAdminFlag, AdminClient } from '../admin-client.ts';
import { parserOf } from '../flag-value.ts';
import { asObjects, printJson } from '../json.ts';
import { printTable } from '../table.ts';

/** `pabal queue create|list|describe|delete|purge|peek|retry-damaged|rewind`. */
export function queueCommand(): Command {
  return new Command('queue')
    .description('create, list, look into, empty, replay and delete queues')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(describeCommand())
    .addCommand(peekCommand())
    .addCommand(purgeCommand())
    .addCommand(retryDamagedCommand())
    .addCommand(rewindCommand())
    .addCommand(deleteCommand());
}

interface Flags {
  readonly [flag: string]: unknown;
  readonly namespace?: string;
  readonly subscription?: string;
  readonly to?: number;
  readonly toOffset?: number;
}

const whole = parserOf(integer(0, Number.MAX_SAFE_INTEGER));
const milliseconds = parserOf(duration(0, 100 * 365 * 24 * 3600 * 1000));

function createCommand(): Command {
  const command = new Command('create')
    .description('create a queue; one that exists stays as it is')
    .argument('<queue>')
    .option('-p, --partitions <number>', 'partitions of its topic', whole)
    .option('--max-failures <number>', 'failed deliveries that a message survives', whole)
    .option('--retry-delay <time>', 'wait before a failed message is given out again', milliseconds)
    .option('--ttl <time>', 'messages expire after this long', milliseconds)
    .option('--max-length <number>', 'messages that may be ready', whole)
    .addOption(
      new Option('--overflow <what>', 'what happens above it').choices([
        'drop-head',
        'reject',
        'reject-dead-letter',
      ]),
    )
    .option('--dead-letter <queue>', 'queue that gets the messages that die')
    .option('--lease <time>', 'time that a consumer has for a message', milliseconds)
    .option('--keep-settled <time>', 'so long "queue rewind" can go back', milliseconds)
    .option('--dedup-window <time>', 'a deduplication id counts for so long', milliseconds)
    .option('--max-priority <number>', 'priorities that are told apart', whole)
    .option('--grouped', 'one message of a group at a time, in order')
    .option('--single-active', 'one consumer at a time gets messages');
  return addQueueFlags(command).action(async (name: string, flags: Flags) => {
    const client = new AdminClient(flags);
    const body = {
      ...whereOf(flags),
      name,
      ...given({ partitions: flags['partitions'] }),
      settings: settingsOf(flags),
      form: given({ priorityMax: flags['maxPriority'], isGrouped: flags['grouped'] }),
    };
    const { status } = await client.request('POST', '/api/v1/queues', body);
    process.stdout.write(
      status === 201 ? `created ${name}\n` : `${name} exists already; it stays as it is\n`,
    );
  });
}

function listCommand(): Command {
  const command = new Command('list')
    .description('list queues')
    .option('--namespace <name>', 'of this namespace; default: of all')
    .option('--json', 'print JSON');
  return addAdminFlag(command).action(async (flags: Flags) => {
    const queues = await listAll(new AdminClient(flags), flags);
    if (flags['json'] === true) return printJson(queues);
    if (queues.length === 0) {
      process.stderr.write('there are no queues\n');
      return;
    }
    const columns = ['ready', 'delayed', 'leased', 'consumers'];
    printTable(
      ['QUEUE', ...columns.map((column) => column.toUpperCase())],
      queues.map((queue) => [nameOf(queue)].concat(columns.map((column) => Number(queue[column])))),
    );
  });
}

function describeCommand(): Command {
  const command = new Command('describe')
    .description("show a queue's counts and settings")
    .argument('<queue>')
    .option('--json', 'print JSON');
  return addQueueFlags(command).action(async (name: string, flags: Flags) => {
    const queue = await new AdminClient(flags).call('GET', pathOf(name, flags));
    if (flags['json'] === true) return printJson(queue);
    printTable(['COUNT', 'VALUE'], rowsOf(queue['counts']));
    process.stdout.write('\n');
    printTable(['SETTING', 'VALUE'], [...rowsOf(queue['settings']), ...rowsOf(queue['form'])]);
  });
}

function peekCommand(): Command {
  const command = new Command('peek')
    .description('print messages as they would be given out, without taking them')
    .argument('<queue>')
    .option('-n, --limit <number>', 'messages', parserOf(integer(1, 1000)), 10)
    .option('--skip <number>', 'messages to pass over', whole, 0)
    .option('--json', 'print JSON, one message on each line');
  return addQueueFlags(command).action(async (name: string, flags: Flags) => {
    const query = { limit: String(flags['limit']), skip: String(flags['skip']) };
    const path = pathOf(name, flags, '/messages', query);
    const answer = await new AdminClient(flags).call('GET', path);
    for (const message of asObjects(answer['messages'])) {
      const { value } = message;
      const text = typeof value === 'string' ? value : '';
      process.stdout.write(`${flags['json'] === true ? JSON.stringify(message) : text}\n`);
    }
  });
}

function purgeCommand(): Command {
  const command = new Command('purge')
    .description('settle everything that is ready, delayed or damaged')
    .argument('<queue>');
  return addQueueFlags(command).action(async (name: string, flags: Flags) => {
    const answer = await new AdminClient(flags).call('POST', pathOf(name, flags, '/purge'));
    process.stdout.write(`purged ${printCount(answer['purgedCount'])} from ${name}\n`);
  });
}

function retryDamagedCommand(): Command {
  const command = new Command('retry-damaged')
    .description('give out again what could not be read, after its file was restored')
    .argument('<queue>');
  return addQueueFlags(command).action(async (name: string, flags: Flags) => {
    const answer = await new AdminClient(flags).call('POST', pathOf(name, flags, '/retry-damaged'));
    process.stdout.write(`${printCount(answer['retriedCount'])} of ${name} are tried again\n`);
  });
}

function rewindCommand(): Command {
  const command = new Command('rewind')
    .description('give settled messages out again, as far back as they are kept')
    .argument('<queue>')
    .option(
      '--to <time>',
      'from this time on: 2026-01-31T12:00:00Z, or 10m for ten minutes ago',
      parseTime,
    )
    .option('--to-offset <number>', 'from this offset on, of a queue with one partition', whole);
  return addQueueFlags(command).action(async (name: string, flags: Flags) => {
    const { to, toOffset } = flags;
    if ((to === undefined) === (toOffset === undefined)) {
      throw new Error('say where to: --to TIME or --to-offset NUMBER');
    }
    const body = to === undefined ? { toOffset } : { toTime: to };
    const client = new AdminClient(flags);
    const queue = await client.call('POST', pathOf(name, flags, '/rewind'), body);
    process.stdout.write(`rewound ${name}: ${printCount(queue['ready'])} ready\n`);
  });
}

function deleteCommand(): Command {
  const command = new Command('delete')
    .description('delete queues and their messages')
    .argument('<queue...>')
    .option('--if-empty', 'only when no message is ready')
    .option('--if-unused', 'only when nobody consumes');
  return addQueueFlags(command).action(async (names: readonly string[], flags: Flags) => {
    const client = new AdminClient(flags);
    const conditions = {
      ...(flags['ifEmpty'] === true ? { ifEmpty: 'true' } : {}),
      ...(flags['ifUnused'] === true ? { ifUnused: 'true' } : {}),
    };
    for (const name of names) {
      const answer = await client.call('DELETE', pathOf(name, flags, '', conditions));
      process.stdout.write(`deleted ${name} with ${printCount(answer['readyCount'])}\n`);
    }
  });
}

function addQueueFlags(command: Command): Command {
  return addAdminFlag(
    command
      .option('--namespace <name>', 'namespace of the queue')
      .option('--subscription <name>', 'one of several queues over the same topic'),
  );
}

function settingsOf(flags: Flags): Record<string, unknown> {
  const { deadLetter } = flags;
  return given({
    failuresMax: flags['maxFailures'],
    retryDelayMs: flags['retryDelay'],
    messageTtlMs: flags['ttl'],
    readyMax: flags['maxLength'],
    overflow: flags['overflow'],
    deadLetter: deadLetter === undefined ? undefined : { exchange: '', key: deadLetter },
    leaseMs: flags['lease'],
    keepSettledMs: flags['keepSettled'],
    dedupWindowMs: flags['dedupWindow'],
    isSingleActive: flags['singleActive'],
  });
}

/** Without what was not given. */
function given(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function whereOf({ namespace, subscription }: Flags): Record<string, unknown> {
  return given({ namespace, subscription });
}

function pathOf(
  name: string,
  flags: Flags,
  action = '',
  query: Record<string, string> = {},
): string {
  const parameters = new URLSearchParams(query);
  for (const [key, value] of Object.entries(whereOf(flags))) parameters.set(key, String(value));
  const suffix = parameters.size === 0 ? '' : `?${parameters.toString()}`;
  return `/api/v1/queues/${encodeURIComponent(name)}${action}${suffix}`;
}

async function listAll(client: AdminClient, flags: Flags): Promise<Array<Record<string, unknown>>> {
  const queues: Array<Record<string, unknown>> = [];
  for (let from: unknown = 0; typeof from === 'number'; ) {
    const parameters = new URLSearchParams({ from: String(from), limit: '10000' });
    if (flags.namespace !== undefined) parameters.set('namespace', flags.namespace);
    const page = await client.call('GET', `/api/v1/queues?${parameters.toString()}`);
    queues.push(...asObjects(page['queues']));
    from = page['next'];
  }
  return queues;
}

function nameOf(queue: Record<string, unknown>): string | number {
  const { namespace, name, subscription } = queue;
  const full = namespace === '' ? String(name) : `${String(namespace)}: ${String(name)}`;
  return subscription === '' ? full : `${full} (${String(subscription)})`;
}

function rowsOf(object: unknown): Array<[string, string | number]> {
  return Object.entries(Object(object)).map(([name, value]) => [
    name,
    typeof value === 'number' ? value : printValue(value),
  ]);
}

function printValue(value: unknown): string {
  if (value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function printCount(count: unknown): string {
  return count === 1 ? '1 message' : `${String(count)} messages`;
}

/** A time, or so long ago. */
function parseTime(text: string): number {
  if (/^\d+(?:ms|s|m|h|d|w)$/.test(text)) return Date.now() - milliseconds(text);
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) {
    throw new InvalidArgumentError('Expected an ISO 8601 time, or a time ago like 10m.');
  }
  return atMs;
}
