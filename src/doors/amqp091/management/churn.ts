import type { PeersPort, Queue, QueuesPort } from '../../../broker/index.ts';
import type { DoorMetrics } from '../../../net/index.ts';
import { messageCounters } from './queue-counters.ts';
import type { Counters } from './samples.ts';

/**
 * What has come and gone since the door opened, so that totals do not shrink when a queue goes. Connections and declarations are
 * counted by the AMQP door, where there is one.
 */
export class Churn {
  readonly #stop: () => void;
  readonly #peers: PeersPort;
  readonly #amqp: () => DoorMetrics | undefined;
  #created = 0;
  #deleted = 0;
  readonly #gone: Record<string, number> = {};

  constructor(queues: QueuesPort, peers: PeersPort, amqp: () => DoorMetrics | undefined) {
    this.#peers = peers;
    this.#amqp = amqp;
    this.#stop = queues.watch(({ kind, queue }) => {
      if (kind === 'created') this.#created += 1;
      else if (kind === 'deleted') this.#noteDeleted(queue);
    });
  }

  close(): void {
    this.#stop();
  }

  counters(): Counters {
    const amqp = this.#amqp();
    const accepted = amqp?.connectionsAccepted ?? this.#peers.list().length;
    const closed = accepted - (amqp?.connectionsOpen ?? this.#peers.list().length);
    let channels = 0;
    for (const connection of this.#peers.list()) channels += connection.channels().length;
    const opened = amqp?.requests.get('channelOpen')?.count ?? channels;
    return {
      channel_created: opened,
      channel_closed: Math.max(0, opened - channels),
      connection_created: accepted,
      connection_closed: closed,
      queue_created: this.#created,
      queue_declared: amqp?.requests.get('queueDeclare')?.count ?? this.#created,
      queue_deleted: this.#deleted,
    };
  }

  /** Messages of queues that are gone. */
  get gone(): Counters {
    return this.#gone;
  }

  #noteDeleted(queue: Queue): void {
    this.#deleted += 1;
    addTo(this.#gone, messageCounters(queue));
  }
}

export function addTo(sum: Record<string, number>, more: Counters): void {
  for (const [name, value] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + value;
}
