import type { Queue } from '../../../broker/index.ts';
import type { Counters } from './samples.ts';

/** Messages of a queue in RabbitMQ's words; zeros without one. Who fetched and who was sent one is not told apart. */
export function messageCounters(queue: Queue | undefined): Counters {
  const counts = queue?.counts();
  const delivered = counts?.delivered ?? 0;
  return {
    ack: counts?.accepted ?? 0,
    deliver: delivered,
    deliver_get: delivered,
    deliver_no_ack: 0,
    get: 0,
    get_empty: 0,
    get_no_ack: 0,
    publish: counts?.published ?? 0,
    redeliver: counts?.redelivered ?? 0,
  };
}

export function lengthCounters(queue: Queue): Counters {
  const { ready, leased } = queue.counts();
  return { messages: ready + leased, messages_ready: ready, messages_unacknowledged: leased };
}
