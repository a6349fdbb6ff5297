import type { Clock, Timer } from '../base/index.ts';

/** Callbacks of one turn that are always made at once. */
const perTurnMin = 4;
const turnMs = 1;
/** When more have come due, each turn makes this part of them: hundreds are late by some tens of milliseconds. */
const turnsOfBacklog = 20;

/**
 * Timers of which only some fire together. Peers that were answered at one time ask again at one time, and their next
 * waits would all end together, ever more of them with every round: whoever asks for something else meanwhile waits for
 * all of them. Here a few come to their end in each millisecond, later ones stand back, and stay apart from then on.
 */
export class PacedTimers {
  readonly #clock: Clock;
  /** Came due and not fired yet, in order; as many as there are timers, at most. */
  #due: PacedTimer[] = [];
  /** That may fire before the next turn. */
  #left = perTurnMin;
  #isTurning = false;
  readonly #turn = (): void => this.#runTurn();
  readonly #isDue = (timer: PacedTimer): void => this.#fire(timer);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `callback` once after at least `delayMs`, and somewhat later while many others come due. */
  setTimer(delayMs: number, callback: () => void): Timer {
    return new PacedTimer(this.#clock, delayMs, callback, this.#isDue);
  }

  #fire(timer: PacedTimer): void {
    if (this.#left === 0) this.#due.push(timer);
    else {
      this.#left--;
      timer.fire();
    }
    this.#beginTurn();
  }

  #beginTurn(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    this.#clock.setTimer(turnMs, this.#turn);
  }

  #runTurn(): void {
    this.#isTurning = false;
    this.#left = Math.max(perTurnMin, Math.ceil(this.#due.length / turnsOfBacklog));
    if (this.#due.length === 0) return;
    const now = this.#due.splice(0, this.#left);
    this.#left -= now.length;
    this.#beginTurn();
    for (const timer of now) timer.fire();
  }
}

class PacedTimer implements Timer {
  #callback: (() => void) | undefined;
  readonly #timer: Timer;

  constructor(
    clock: Clock,
    delayMs: number,
    callback: () => void,
    isDue: (timer: PacedTimer) => void,
  ) {
    this.#callback = callback;
    this.#timer = clock.setTimer(delayMs, () => isDue(this));
  }

  fire(): void {
    const callback = this.#callback;
    this.#callback = undefined;
    callback?.();
  }

  cancel(): void {
    this.#callback = undefined;
    this.#timer.cancel();
  }
}
