import { Command, InvalidArgumentError, Option } from 'commander';
import type { GroupMember, LogClient, Position, Reader } from '../../client/index.ts';
import { duration, integer } from '../../server/index.ts';
import { parserOf } from '../flag-value.ts';
import { type FormatName, formatNames, recordFormat } from '../record-format.ts';
import { addServerFlag, withClient } from '../server-flag.ts';

interface ReceiveOptions {
  [flag: string]: unknown;
  fromBeginning?: boolean;
  from?: Start;
  follow?: boolean;
  group?: string;
  count?: number;
  timeout?: number;
  partition?: number;
  format: FormatName;
  keySeparator: string;
}

/** `pabal receive`: prints messages, once or as they come. */
export function receiveCommand(): Command {
  const command = new Command('receive')
    .description('print messages: those that are there, or with --follow those that come')
    .argument('<topic>')
    .option('--from-beginning', 'start with the oldest message (with --follow: else with the next)')
    .option(
      '--from <start>',
      'start at an offset, or at a time: 2026-01-31T12:00:00Z, or 10m for ten minutes ago',
      parseStart,
    )
    .option('-f, --follow', 'go on waiting for messages; Ctrl-C ends')
    .option('-g, --group <id>', 'share the messages with the members of a group, and remember')
    .option(
      '-n, --count <number>',
      'end after so many messages; waits for them',
      parserOf(integer(1, Number.MAX_SAFE_INTEGER)),
    )
    .option(
      '--timeout <time>',
      'end when nothing came for so long; fails if --count was not reached',
      parserOf(duration(1, 86_400_000)),
    )
    .option('-p, --partition <number>', 'only this partition', parserOf(integer(0, 1_000_000)))
    .addOption(new Option('--format <format>').choices(formatNames).default('value'))
    .option('--key-separator <text>', 'between key and value', '\t');
  return addServerFlag(command).action(async (topic: string, options: ReceiveOptions) => {
    if (options.group !== undefined && options.partition !== undefined) {
      command.error('error: a group decides itself who reads which partition: omit --partition');
    }
    if (options.fromBeginning === true && options.from !== undefined) {
      command.error('error: --from-beginning and --from are two places to start: omit one');
    }
    if (options.group !== undefined && options.from !== undefined) {
      command.error('error: a group goes on where it was: omit --from');
    }
    await withClient(options, (client) => receive(client, topic, options));
  });
}

async function receive(client: LogClient, topic: string, options: ReceiveOptions): Promise<void> {
  const { GroupMember, Reader } = await import('../../client/index.ts');
  const reader = new Reader(client, { onLost: 'earliest' });
  const printer = new Printer(options);
  const member =
    options.group === undefined
      ? undefined
      : new GroupMember(client, { groupId: options.group, topics: [topic] });
  if (member === undefined) reader.assign(await findPositions(client, topic, options));
  const end = await Ending.create(client, topic, options);
  try {
    while (!end.isReached(reader, printer)) {
      if (member?.mustJoin) await rejoin(member, reader, options, end);
      const count = await reader.poll((record, position) => printer.take(record, position));
      if (count > 0) end.notePrinted();
      await printer.flush();
      // After the output: what is committed was printed.
      if (count > 0) await member?.commit(reader.positions);
    }
  } finally {
    await member?.leave();
  }
  if (options.count !== undefined && printer.count < options.count && !end.wasInterrupted) {
    throw new Error(`received ${printer.count} of ${options.count} messages`);
  }
}

async function rejoin(
  member: GroupMember,
  reader: Reader,
  options: ReceiveOptions,
  end: Ending,
): Promise<void> {
  const startsAtEnd = options.follow === true && options.fromBeginning !== true;
  reader.assign(await member.join(startsAtEnd ? 'latest' : 'earliest'));
  end.notePrinted();
}

/** Prints records, and counts them. */
class Printer {
  count = 0;
  readonly #format: ReturnType<typeof recordFormat>;
  readonly #countMax: number;
  #output: Buffer[] = [];

  constructor(options: ReceiveOptions) {
    this.#format = recordFormat(options.format, options.keySeparator);
    this.#countMax = options.count ?? Number.POSITIVE_INFINITY;
    // A reader that has seen enough (`| head`) is no failure.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? 0 : 1);
    });
  }

  get isDone(): boolean {
    return this.count >= this.#countMax;
  }

  take(record: Parameters<ReturnType<typeof recordFormat>>[0], position: Position): boolean {
    this.#format(record, position, this.#output);
    this.count++;
    return !this.isDone;
  }

  async flush(): Promise<void> {
    if (this.#output.length === 0) return;
    const output = Buffer.concat(this.#output);
    this.#output = [];
    await new Promise<void>((resolve) => process.stdout.write(output, () => resolve()));
  }
}

/** Decides when it is enough. */
class Ending {
  wasInterrupted = false;
  readonly #ends: ReadonlyMap<number, number> | undefined;
  readonly #timeoutMs: number;
  #lastMs = performance.now();

  static async create(client: LogClient, topic: string, options: ReceiveOptions): Promise<Ending> {
    const waits = options.follow === true || options.count !== undefined;
    // Without waiting, what came after the command began is left to the next one.
    const ends = waits
      ? undefined
      : new Map((await client.listOffsets(topic)).map(({ partition, end }) => [partition, end]));
    return new Ending(ends, options.timeout ?? Number.POSITIVE_INFINITY);
  }

  private constructor(ends: ReadonlyMap<number, number> | undefined, timeoutMs: number) {
    this.#ends = ends;
    this.#timeoutMs = timeoutMs;
    const interrupt = (): void => {
      this.wasInterrupted = true;
    };
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
  }

  notePrinted(): void {
    this.#lastMs = performance.now();
  }

  isReached(reader: Reader, printer: Printer): boolean {
    if (this.wasInterrupted || printer.isDone) return true;
    if (performance.now() - this.#lastMs > this.#timeoutMs) return true;
    const ends = this.#ends;
    if (ends === undefined || reader.positions.length === 0) return false;
    return reader.positions.every(({ partition, offset }) => offset >= (ends.get(partition) ?? 0));
  }
}

/** A point in a log: an offset, or a time in milliseconds since the epoch. */
type Start = { offset: number } | { timeMs: number };

function parseStart(text: string): Start {
  if (/^\d+$/.test(text)) return { offset: Number(text) };
  if (/^\d+(?:ms|s|m|h|d|w)$/.test(text)) {
    return { timeMs: Date.now() - parserOf(duration(1, 36_525 * 86_400_000))(text) };
  }
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) {
    throw new InvalidArgumentError('Expected an offset, an ISO 8601 time, or a time ago like 10m.');
  }
  return { timeMs };
}

async function findPositions(
  client: LogClient,
  topic: string,
  options: ReceiveOptions,
): Promise<Position[]> {
  const offsets = await client.listOffsets(topic);
  const chosen = offsets.filter(
    ({ partition }) => options.partition === undefined || partition === options.partition,
  );
  if (chosen.length === 0) {
    throw new Error(`topic "${topic}" has partitions 0 to ${offsets.length - 1}`);
  }
  const { from } = options;
  if (from !== undefined && 'timeMs' in from) {
    const found = await client.findOffsets(topic, offsets.length, from.timeMs);
    return chosen.map(({ partition, end }) => ({
      topic,
      partition,
      offset: found[partition] ?? end,
    }));
  }
  const startsAtEnd = options.follow === true && options.fromBeginning !== true;
  return chosen.map(({ partition, start, end }) => {
    const offset =
      from === undefined ? (startsAtEnd ? end : start) : clamp(from.offset, start, end);
    return { topic, partition, offset };
  });
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
