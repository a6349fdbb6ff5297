import { AssertionError, BrokerError, type Clock, limits, type Random } from '../../base/index.ts';
import type { BrokerPort, OutgoingMessage, Queue } from '../../broker/index.ts';
import { HeaderWriter, property, propertyCount, readProperty } from '../../message/index.ts';
import type { Log } from '../../net/index.ts';
import type { AcquiredMessage } from '../../shard/index.ts';
import { readTaskRecords, taskRecordsAttribute, writeTaskRecords } from './move-task-record.ts';
import { messageIdOfMessage } from './receipt-handle.ts';

export interface MoveTask {
  readonly id: string;
  readonly source: Queue;
  /** Undefined: each message goes back to where it died. */
  readonly destination: string | undefined;
  /** At most so many messages in a second; undefined: as many as go. */
  readonly perSecond: number | undefined;
  readonly startedMs: number;
  readonly total: number;
  status: 'RUNNING' | 'COMPLETED' | 'CANCELLING' | 'CANCELLED' | 'FAILED';
  moved: number;
  failure: string | undefined;
}

const batchMax = 100;
const leaseMs = 30_000;
const tasksShown = 10;
/** How far a task has come is stored this often; what a crash takes of it is told too low. */
const storeEveryMs = 1000;

/**
 * Moves messages from one queue to others, in transactions, so that each is in exactly one queue whatever happens. A task is
 * stored with its source before anybody is told of it; what a restart interrupts goes on.
 */
export class MoveTasks {
  readonly #broker: BrokerPort;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  /** Of each source, newest first. */
  readonly #bySource = new Map<string, MoveTask[]>();
  /** Those that a caller or a move has changed are stored one after the other. */
  readonly #storing = new Map<string, Promise<void>>();
  #runningCount = 0;
  #isClosed = false;

  constructor(broker: BrokerPort, clock: Clock, random: Random, log: Log) {
    this.#broker = broker;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  get isFull(): boolean {
    return this.#runningCount >= limits.webMoveTasksMax;
  }

  /** Goes on with what the last process left. */
  resume(): void {
    for (const source of this.#broker.queues.list('')) {
      const tasks = readTaskRecords(source);
      if (tasks.length === 0) continue;
      this.#bySource.set(source.topic.id, tasks);
      for (const task of tasks) {
        // Who cancelled it was told so.
        if (task.status === 'CANCELLING') task.status = 'CANCELLED';
        if (task.status === 'RUNNING') this.#begin(task);
      }
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  list(source: Queue): readonly MoveTask[] {
    return this.#bySource.get(source.topic.id) ?? [];
  }

  find(id: string): MoveTask | undefined {
    for (const tasks of this.#bySource.values()) {
      const found = tasks.find((task) => task.id === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Resolves when the task is durable, and runs. */
  async start(
    source: Queue,
    destination: string | undefined,
    perSecond: number | undefined,
  ): Promise<MoveTask> {
    const task: MoveTask = {
      id: this.#random.nextUuid(),
      source,
      destination,
      perSecond,
      startedMs: this.#clock.nowMs(),
      total: source.counts().ready,
      status: 'RUNNING',
      moved: 0,
      failure: undefined,
    };
    const before = this.list(source);
    this.#bySource.delete(source.topic.id);
    this.#bySource.set(source.topic.id, [task, ...before].slice(0, tasksShown));
    try {
      await this.#store(source);
    } catch (error) {
      this.#bySource.set(source.topic.id, [...before]);
      throw error;
    }
    this.#forgetOld();
    this.#begin(task);
    return task;
  }

  /** Resolves when that is durable. */
  async cancel(task: MoveTask): Promise<void> {
    task.status = 'CANCELLING';
    await this.#store(task.source);
  }

  #begin(task: MoveTask): void {
    this.#runningCount++;
    void this.#run(task);
  }

  async #run(task: MoveTask): Promise<void> {
    try {
      let storedMs = this.#clock.monotonicMs();
      while (task.status === 'RUNNING' && !this.#isClosed && (await this.#step(task))) {
        if (this.#clock.monotonicMs() < storedMs + storeEveryMs) continue;
        await this.#store(task.source);
        storedMs = this.#clock.monotonicMs();
      }
      if (task.status === 'CANCELLING') task.status = 'CANCELLED';
      // The next process goes on with it.
      else if (!this.#isClosed) task.status = 'COMPLETED';
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      task.status = 'FAILED';
      task.failure = failureOf(error);
      this.#log.warn({ err: error, queue: task.source.name }, 'a message move task failed');
    } finally {
      this.#runningCount--;
    }
    try {
      await this.#store(task.source);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      // It will be found running, and go on or fail again.
      this.#log.warn({ err: error, queue: task.source.name }, 'a message move task is not stored');
    }
  }

  /** False when nothing is left. */
  async #step(task: MoveTask): Promise<boolean> {
    const { source, perSecond } = task;
    if (source.isDropped) throw new BrokerError('queue-not-found', source.name);
    const left = task.total - task.moved;
    const count = Math.min(batchMax, left, perSecond ?? batchMax);
    if (count <= 0) return false;
    const messages = await source.acquire({
      count,
      bytesMax: limits.deadLettersBytesMax,
      leaseMs,
      isAutoSettled: false,
      waitMs: 0,
      takesRuns: true,
    });
    if (messages.length === 0) return false;
    try {
      await this.#move(task, messages);
    } catch (error) {
      for (const { queue, lease } of messages)
        queue.release(lease, { delayMs: 0, isFailure: false });
      throw error;
    }
    task.moved += messages.length;
    if (perSecond !== undefined) {
      await new Promise<void>((resolve) => {
        this.#clock.setTimer((messages.length * 1000) / perSecond, resolve);
      });
    }
    return true;
  }

  async #move(task: MoveTask, messages: readonly AcquiredMessage[]): Promise<void> {
    const transaction = this.#broker.transactions.begin();
    for (const message of messages) {
      const end = message.headersAt + message.headersBytes;
      const name =
        task.destination ??
        readProperty(message.bytes, message.headersAt, end, property.lastDeathQueue);
      const target = name === undefined ? undefined : this.#broker.queues.find('', name);
      if (target === undefined) {
        transaction.rollback();
        throw new BrokerError('queue-not-found', name ?? 'the source of a message is not known');
      }
      const dedupId = target.form.isGrouped ? messageIdOfMessage(task.source, message) : undefined;
      transaction.publish(target.topic, outgoing(message, dedupId, this.#clock.nowMs()));
      transaction.accept(message.queue, message.lease);
    }
    await transaction.commit();
  }

  /** What is known of a source's tasks, durably; what changes meanwhile is stored after that. */
  #store(source: Queue): Promise<void> {
    const { id } = source.topic;
    const before = this.#storing.get(id) ?? Promise.resolve();
    const storing = before
      .catch(() => undefined)
      .then(async () => {
        if (source.isDropped) return;
        await this.#broker.queues.configure(source, {
          attributes: { [taskRecordsAttribute]: writeTaskRecords(this.list(source)) },
        });
      })
      .finally(() => {
        if (this.#storing.get(id) === storing) this.#storing.delete(id);
      });
    this.#storing.set(id, storing);
    return storing;
  }

  #forgetOld(): void {
    for (const [id, tasks] of this.#bySource) {
      if (this.#bySource.size <= limits.webMoveTasksMax * 2) return;
      if (tasks.every(({ status }) => status !== 'RUNNING' && status !== 'CANCELLING')) {
        this.#bySource.delete(id);
      }
    }
  }
}

function failureOf(error: unknown): string {
  if (!(error instanceof BrokerError)) return 'InternalError';
  const isMissing = error.code === 'queue-not-found' || error.code === 'topic-not-found';
  return isMissing ? 'AWS.SimpleQueueService.NonExistentQueue' : error.message;
}

/** A message that is moved is a new one: it has not died, nor been anywhere. */
const leftOut = new Uint8Array(propertyCount);
for (const id of [
  property.deaths,
  property.firstDeathQueue,
  property.firstDeathReason,
  property.firstDeathExchange,
  property.lastDeathQueue,
  property.lastDeathReason,
  property.lastDeathExchange,
  property.origin,
  property.expiresAt,
  property.deliverAt,
  property.dedupId,
])
  leftOut[id] = 1;

function outgoing(
  message: AcquiredMessage,
  dedupId: string | undefined,
  timestampMs: number,
): OutgoingMessage {
  const { bytes, keyAt, keyBytes, valueAt, valueBytes, headersAt, headersBytes } = message;
  const writer = new HeaderWriter();
  if (dedupId !== undefined) writer.text(property.dedupId, dedupId);
  writer.copy(bytes, headersAt, headersAt + headersBytes, (id) => leftOut[id] === 1);
  return {
    key: keyBytes < 0 ? null : bytes.subarray(keyAt, keyAt + keyBytes),
    body: valueBytes <= 0 ? [] : [bytes.subarray(valueAt, valueAt + valueBytes)],
    bodyBytes: Math.max(0, valueBytes),
    headers: writer.finish(),
    headerCount: writer.count,
    timestampMs,
    priority: writer.priority,
    expiresAtMs: undefined,
    deliverAtMs: undefined,
    groupId: writer.groupId,
    dedupId: writer.dedupId,
  };
}
