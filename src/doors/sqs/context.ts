import type { Clock, Random } from '../../base/index.ts';
import { type BrokerPort, emptyMessage, type Queue } from '../../broker/index.ts';
import { HeaderReader, HeaderWriter } from '../../message/index.ts';
import type { ReadyJson } from './json-text.ts';
import type { Log } from '../../net/index.ts';
import { MoveTasks } from './move-tasks.ts';
import { ReceiptHandles } from './receipt-handle.ts';
import { Memory } from './memory.ts';
import { SentMemory } from './sent-memory.ts';

/** The only account there is. */
export const accountId = '000000000000';

export interface SqsServices {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** AWS's limits do not count: delays and sizes, the waiting times after purging and deleting. */
  readonly isRelaxed: boolean;
  readonly messageBytesMax: number;
  /** Where the key of topics' signatures is kept; undefined: nowhere, and each process has its own. */
  readonly signingKeyFile?: string | undefined;
}

/** What all requests of a door share. */
export class SqsContext {
  readonly broker: BrokerPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly isRelaxed: boolean;
  readonly messageBytesMax: number;
  readonly signingKeyFile: string | undefined;
  readonly receipts: ReceiptHandles;
  readonly writer = new HeaderWriter();
  readonly reader = new HeaderReader();
  readonly outgoing = emptyMessage();
  /** When queues were deleted and purged, by name and by topic. */
  readonly deleted: Memory<number>;
  readonly purged: Memory<number>;
  /** Messages with a deduplication id that are not durable yet: as many as requests wait for. */
  readonly sending = new Map<string, Sending>();
  /** What the newest messages' senders were told. */
  readonly sent = new SentMemory();
  /** When messages were received first. */
  readonly received: Memory<number>;
  /** What was answered to attempts to receive. */
  readonly attempts: Memory<readonly AttemptedMessage[]>;
  readonly moves: MoveTasks;

  constructor(services: SqsServices) {
    this.broker = services.broker;
    this.clock = services.clock;
    this.random = services.random;
    this.log = services.log;
    this.isRelaxed = services.isRelaxed;
    this.messageBytesMax = services.messageBytesMax;
    this.signingKeyFile = services.signingKeyFile;
    this.receipts = new ReceiptHandles(services.broker.storeId);
    this.deleted = new Memory(this.clock, 60_000);
    this.purged = new Memory(this.clock, 60_000);
    this.received = new Memory(this.clock, 43_200_000);
    this.attempts = new Memory(this.clock, 300_000);
    this.moves = new MoveTasks(this.broker, this.clock, this.random, this.log);
    this.moves.resume();
  }
}

/** Where a message's partition and offset will be found: `at` and behind it. */
export interface Sending {
  readonly places: Promise<readonly number[]>;
  readonly at: number;
}

export interface AttemptedMessage {
  readonly partition: number;
  readonly lease: number;
  readonly answer: Readonly<Record<string, unknown>> | ReadyJson;
}

/** One request, as handlers see it. */
export interface SqsRequest {
  readonly context: SqsContext;
  /** `http://HOST:PORT`, as the caller wrote it. */
  readonly baseUrl: string;
  readonly region: string;
  /** The answer will be JSON: parts of it may be `ReadyJson`. */
  readonly isJson: boolean;
  /** Access key of the caller where keys are verified, else the account's number. */
  readonly callerId: string;
  /** `X-Amzn-Trace-Id`: what messages get that say no trace of their own. */
  readonly traceHeader: string | undefined;
  /** Set by a handler that waits: called when the caller goes away. */
  onGone: (() => void) | undefined;
  isGone: boolean;
}

export function queueUrl(request: SqsRequest, name: string): string {
  return `${request.baseUrl}/${accountId}/${encodeURIComponent(name)}`;
}

export function queueArn(request: SqsRequest, name: string): string {
  return `arn:aws:sqs:${request.region}:${accountId}:${name}`;
}

export function isFifo(queue: Queue): boolean {
  return queue.form.isGrouped;
}
