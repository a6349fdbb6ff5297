import { Command, Option } from 'commander';
import { limits } from '../../base/index.ts';
import { type Codec, codecs, type NewRecord, type RecordHeader } from '../../bytes/index.ts';
import type { Sender } from '../../client/index.ts';
import { integer, StartFailure } from '../../server/index.ts';
import { lineOf } from '../failure.ts';
import { collectPairs, parserOf } from '../flag-value.ts';
import { LineSplitter } from '../line-splitter.ts';
import { Progress, type ProgressState } from '../progress.ts';
import { addServerFlag, withClient } from '../server-flag.ts';

interface SendOptions {
  [flag: string]: unknown;
  file?: string;
  key?: string;
  keySeparator?: string;
  partition?: number;
  header?: Array<readonly [string, string]>;
  compression: Codec;
  quiet?: boolean;
}

/** `pabal send`: each line, or each message given, becomes one record. Ends when all of them are durable. */
export function sendCommand(): Command {
  const command = new Command('send')
    .description('send messages: those given, or each line of a file or of standard input')
    .argument('<topic>')
    .argument('[message...]', 'messages; none: lines are read')
    .option('-f, --file <file>', 'read lines from a file instead of standard input')
    .option('-k, --key <text>', 'the key of all messages')
    .option('--key-separator <text>', 'a line is KEY, this text, and the value')
    .option(
      '-p, --partition <number>',
      'partition; default: by the key, or spread',
      parserOf(integer(0, 1_000_000)),
    )
    .option('-H, --header <name=value>', 'a header of all messages; may be repeated', collectPairs)
    .addOption(
      new Option('--compression <codec>', 'compress batches').choices(codecs).default('none'),
    )
    .option('-q, --quiet', 'say nothing about what was sent');
  return addServerFlag(command).action(
    async (topic: string, messages: readonly string[], options: SendOptions) => {
      // Before a connection and a topic are made for nothing.
      const file = options.file === undefined ? undefined : await openFile(options.file);
      await withClient(options, async (client) => {
        const { Sender } = await import('../../client/index.ts');
        const sender = await Sender.open(client, { topic, compression: options.compression });
        const input = messages.length > 0 ? fromArguments(messages) : (file ?? fromStandardInput());
        await sendAll(sender, input, options);
      });
    },
  );
}

async function sendAll(sender: Sender, input: Input, options: SendOptions): Promise<void> {
  const progress = new Progress(process.stderr, 'sent', input.bytesTotal);
  const taken: ProgressState = { messages: 0, bytes: 0 };
  const makeRecord = recordMaker(options);
  try {
    for await (const lines of input.chunks) {
      for (const line of lines) {
        const full = sender.add(makeRecord(line, taken.messages + 1), options.partition);
        taken.messages++;
        taken.bytes += line.length + 1;
        if (full !== undefined) await full;
      }
      progress.update({ messages: sender.acknowledged, bytes: taken.bytes });
    }
    await sender.flush();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // A bad line is no reason to lose those before it; after a failure of the sender's this fails at once.
    await sender.flush().catch(() => undefined);
    const inDoubt = taken.messages - sender.acknowledged;
    const doubt = inDoubt === 0 ? '' : `; of ${inDoubt} more it is not known`;
    throw new Error(`${reason} (${sender.acknowledged} messages were stored${doubt})`, {
      cause: error,
    });
  }
  if (options.quiet !== true) progress.finish(taken);
}

interface Input {
  /** Lines as they come, several at a time: a promise for each of millions would cost more than sending it. */
  chunks: AsyncIterable<Iterable<Buffer>> | Iterable<Iterable<Buffer>>;
  /** 0: not known. */
  bytesTotal: number;
}

function fromArguments(messages: readonly string[]): Input {
  return { chunks: [messages.map((message) => Buffer.from(message))], bytesTotal: 0 };
}

function fromStandardInput(): Input {
  if (process.stdin.isTTY) process.stderr.write('one message on each line; Ctrl-D ends\n');
  return { chunks: readLines(process.stdin), bytesTotal: 0 };
}

async function openFile(path: string): Promise<Input> {
  const { open } = await import('node:fs/promises');
  const handle = await open(path).catch((error: unknown) => {
    throw new StartFailure(`--file: cannot read ${path}: ${lineOf(error)}`, 1, { cause: error });
  });
  const { size } = await handle.stat();
  return {
    chunks: readLines(handle.createReadStream({ highWaterMark: 1 << 20 })),
    bytesTotal: size,
  };
}

async function* readLines(stream: AsyncIterable<unknown>): AsyncGenerator<Iterable<Buffer>> {
  const splitter = new LineSplitter(limits.frameBytesMax / 2);
  for await (const chunk of stream) {
    if (Buffer.isBuffer(chunk)) yield splitter.split(chunk);
  }
  const last = splitter.end();
  if (last !== undefined) yield [last];
}

function recordMaker(options: SendOptions): (line: Buffer, lineNumber: number) => NewRecord {
  const headers = (options.header ?? []).map(
    ([name, value]): RecordHeader => [name, Buffer.from(value)],
  );
  const fixedKey = options.key === undefined ? null : Buffer.from(options.key);
  const separator =
    options.keySeparator === undefined ? undefined : Buffer.from(options.keySeparator);
  return (line, lineNumber) => {
    const record = { key: fixedKey, value: line, headers, timestampMs: Date.now() };
    if (separator === undefined) return record;
    const at = line.indexOf(separator);
    if (at < 0) {
      throw new Error(`line ${lineNumber} has no "${separator.toString()}" between key and value`);
    }
    return { ...record, key: line.subarray(0, at), value: line.subarray(at + separator.length) };
  };
}
