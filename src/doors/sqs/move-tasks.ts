import { AssertionError, BrokerError, type Clock, limits, type Random } from '../../base/index.ts';
import type { BrokerPort, OutgoingMessage, Queue } from '../../broker/index.ts';
import { property, readProperty, Schedule } from '../../message/index.ts';
import type { Log } from '../../net/index.ts';
import type { AcquiredMessage } from '../../shard/index.ts';

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

/**
 * Moves messages from one queue to others, in transactions, so that each is in exactly one queue whatever happens. Tasks do
 * not outlive the process: what they have not moved stays where it is.
 */
export class MoveTasks {
  readonly #broker: BrokerPort;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  /** Of each source, newest first. */
  readonly #bySource = new Map<string, MoveTask[]>();
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

  start(source: Queue, destination: string | undefined, perSecond: number | undefined): MoveTask {
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
    const tasks = [task, ...this.list(source)].slice(0, tasksShown);
    this.#bySource.delete(source.topic.id);
    this.#bySource.set(source.topic.id, tasks);
    this.#forgetOld();
    this.#runningCount++;
    void this.#run(task);
    return task;
  }

  async #run(task: MoveTask): Promise<void> {
    try {
      while (task.status === 'RUNNING' && !this.#isClosed && (await this.#step(task)));
      task.status = task.status === 'CANCELLING' ? 'CANCELLED' : 'COMPLETED';
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      task.status = 'FAILED';
      task.failure = error instanceof BrokerError ? error.message : 'InternalError';
      this.#log.warn({ err: error, queue: task.source.name }, 'a message move task failed');
    } finally {
      this.#runningCount--;
    }
  }

  /** False when nothing is left. */
  async #step(task: MoveTask): Promise<boolean> {
    const { source, perSecond } = task;
    const left = task.total - task.moved;
    const count = Math.min(batchMax, left, perSecond ?? batchMax);
    if (count <= 0 || source.isDropped) return false;
    const messages = await source.acquire({
      count,
      bytesMax: limits.deadLettersBytesMax,
      leaseMs,
      isAutoSettled: false,
      waitMs: 0,
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
      transaction.publish(target.topic, outgoing(message, this.#clock.nowMs()));
      transaction.accept(message.queue, message.lease);
    }
    await transaction.commit();
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

/** The message as it is, stored anew. */
function outgoing(message: AcquiredMessage, timestampMs: number): OutgoingMessage {
  const { bytes, keyAt, keyBytes, valueAt, valueBytes, headersAt, headersBytes, headerCount } =
    message;
  const schedule = new Schedule();
  schedule.read(bytes, headersAt, headerCount);
  return {
    key: keyBytes < 0 ? null : bytes.subarray(keyAt, keyAt + keyBytes),
    body: valueBytes <= 0 ? [] : [bytes.subarray(valueAt, valueAt + valueBytes)],
    bodyBytes: Math.max(0, valueBytes),
    headers: bytes.subarray(headersAt, headersAt + headersBytes),
    headerCount,
    timestampMs,
    priority: schedule.priority < 0 ? undefined : schedule.priority,
    expiresAtMs: schedule.expiresAtMs < 0 ? undefined : schedule.expiresAtMs,
    deliverAtMs: schedule.deliverAtMs < 0 ? undefined : schedule.deliverAtMs,
    groupId: schedule.group,
    dedupId: schedule.dedupId,
  };
}
