import type { Clock, Timer } from '../../base/index.ts';

/** A connection, as the beat sees it. */
export interface Beating {
  /** Called about four times a second with the monotonic time in milliseconds. */
  beat(nowMs: number): void;
}

/** One timer for the heartbeats and deadlines of all connections, and none while there is none. */
export class Heartbeats {
  readonly #clock: Clock;
  readonly #members = new Set<Beating>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  enter(member: Beating): void {
    this.#members.add(member);
    this.#timer ??= this.#clock.setTimer(beatMs, this.#beat);
  }

  leave(member: Beating): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #beat = (): void => {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const member of this.#members) member.beat(nowMs);
    if (this.#members.size > 0) this.#timer ??= this.#clock.setTimer(beatMs, this.#beat);
  };
}

// A second is the shortest interval; clients close when one passes in silence, so half of it has to be met closely.
const beatMs = 250;

/**
 * The negotiated heartbeat of one connection. AMQP 0-9-1 §4.2.7: any bytes count as one; a peer that is silent for two
 * intervals is gone.
 */
export class Heartbeat {
  #intervalMs = 0;
  #received = 0;
  #receivedSeen = 0;
  #receivedMs = 0;
  #sent = 0;
  #sentSeen = 0;
  #sentMs = 0;
  #checkedMs = 0;

  /** 0: none. */
  start(seconds: number, nowMs: number): void {
    this.#intervalMs = seconds * 1000;
    this.#receivedMs = nowMs;
    this.#sentMs = nowMs;
    this.#checkedMs = nowMs;
  }

  noteReceived(): void {
    this.#received += 1;
  }

  noteSent(): void {
    this.#sent += 1;
  }

  /** The peer was not read from: its silence says nothing. */
  forgive(nowMs: number): void {
    this.#receivedMs = nowMs;
  }

  /** What is due: a heartbeat of ours, the end, or nothing. */
  check(nowMs: number): 'send' | 'gone' | undefined {
    const intervalMs = this.#intervalMs;
    if (intervalMs === 0) return undefined;
    if (this.#received !== this.#receivedSeen) {
      this.#receivedSeen = this.#received;
      this.#receivedMs = nowMs;
    } else if (nowMs - this.#receivedMs > intervalMs * 2) {
      return 'gone';
    }
    const checkedMs = this.#checkedMs;
    this.#checkedMs = nowMs;
    if (this.#sent !== this.#sentSeen) {
      this.#sentSeen = this.#sent;
      // It went out after the last check, perhaps right after it.
      this.#sentMs = checkedMs;
      return undefined;
    }
    // Half of the interval, so that the peer sees one in each.
    return nowMs - this.#sentMs >= intervalMs / 2 ? 'send' : undefined;
  }
}
