import { type Clock, limits, type Timer } from '../../base/index.ts';
import { AmqpError } from './amqp-error.ts';
import type { DeliverySources } from './consumer-sources.ts';
import type { MessageChannel } from './message-channel.ts';
import type { UnsettledTable } from './unsettled.ts';

/**
 * Closes a channel whose client holds a delivery for too long
 * (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout). One timer for a channel that has deliveries out; how
 * often it looks follows from the shortest time that was given.
 */
export class UnsettledTimeout {
  readonly #channel: MessageChannel;
  readonly #clock: Clock;
  readonly #table: UnsettledTable;
  readonly #sources: DeliverySources;
  #shortestMs = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(channel: MessageChannel, table: UnsettledTable, sources: DeliverySources) {
    this.#channel = channel;
    this.#clock = channel.link.services.clock;
    this.#table = table;
    this.#sources = sources;
  }

  /** A consumer with this time (0: none) is there. */
  note(timeoutMs: number): void {
    if (timeoutMs === 0 || timeoutMs >= this.#shortestMs) return;
    this.#shortestMs = timeoutMs;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Something is unsettled. */
  watch(): void {
    if (this.#timer !== undefined || this.#shortestMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(this.#shortestMs / 4, looksMsMin), looksMsMax);
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#shortestMs = Number.POSITIVE_INFINITY;
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    let exceededMs = 0;
    this.#table.forEachBefore(nowMs - this.#shortestMs, (source, timeMs) => {
      const timeoutMs = this.#sources.at(source).consumer?.timeoutMs ?? limits.unsettledMs;
      if (timeoutMs === 0 || nowMs - timeMs <= timeoutMs) return true;
      exceededMs = timeoutMs;
      return false;
    });
    if (exceededMs > 0) {
      this.#channel.fail(
        new AmqpError(
          'PRECONDITION_FAILED',
          `delivery acknowledgement on channel ${this.#channel.number} timed out. ` +
            `Timeout value used: ${exceededMs} ms. ` +
            'This timeout value can be configured, see consumers doc guide to learn more',
        ),
      );
      return;
    }
    if (this.#table.count > 0) this.watch();
  }
}

const looksMsMin = 100;
const looksMsMax = 60_000;
