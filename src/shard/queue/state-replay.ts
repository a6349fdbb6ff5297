import type { QueueReplay } from './queue-changes.ts';
import { owners, type QueueState } from './queue-state.ts';
import { emptyRuns, purgeBefore, rewindTo, trimBefore } from './state-sweep.ts';

/** Does to a state what the journal says. */
export class StateReplay implements QueueReplay {
  readonly #state: QueueState;

  constructor(state: QueueState) {
    this.#state = state;
  }

  replayAcquired(
    from: number,
    count: number,
    deadlineMs: number,
    bodyBytes: number,
    rank: number,
    isExtended: boolean,
    isDying: boolean,
  ): void {
    const state = this.#state;
    for (let offset = from; offset < from + count; offset++) {
      const leases = state.openLeases();
      const slot = leases.findByOffset(offset);
      if (slot >= 0) {
        if (isExtended) leases.setDeadline(slot, deadlineMs);
        continue;
      }
      if (isExtended || state.settled.has(offset)) continue;
      state.takeAway(offset);
      const deliveries = isDying ? state.deliveries : state.deliveries + 1;
      leases.add(offset, bodyBytes, deliveries, state.failures, deadlineMs, owners.none, rank);
    }
  }

  replayReturned(from: number, count: number, isFailure: boolean, dueMs: number): void {
    for (let offset = from; offset < from + count; offset++) {
      const slot = this.#state.leases?.findByOffset(offset) ?? -1;
      if (slot >= 0) this.#state.giveBack(slot, isFailure, dueMs);
    }
  }

  replaySettled(from: number, count: number): void {
    const state = this.#state;
    for (let offset = from; offset < from + count; offset++) {
      const slot = state.leases?.findByOffset(offset) ?? -1;
      if (slot >= 0) state.leases?.remove(slot);
      else if (!state.settled.has(offset)) state.takeAway(offset);
      state.settled.add(offset);
    }
  }

  replayDamaged(from: number, count: number): void {
    const state = this.#state;
    for (let offset = from; offset < from + count; offset++) {
      const slot = state.leases?.findByOffset(offset) ?? -1;
      if (slot >= 0) state.leases?.remove(slot);
      else if (state.settled.has(offset)) continue;
      else state.takeAway(offset);
      state.damage(offset, 0);
    }
  }

  replaySettledBytes(bytes: number): void {
    this.#state.spendBytes(bytes);
  }

  replayDue(nowMs: number, count: number): void {
    this.#state.takeDue(nowMs, count);
  }

  replayPurged(offset: number, bodyBytes: number): void {
    this.#state.ingestPlain(offset);
    purgeBefore(this.#state, offset, bodyBytes);
  }

  replayEmptied(runs: readonly number[], bodyBytes: number): void {
    this.#state.ingestPlain(runs.at(-1) ?? 0);
    emptyRuns(this.#state, runs, bodyBytes);
  }

  replayDelayed(offset: number, dueMs: number, bodyBytes: number, rank: number): void {
    const state = this.#state;
    if (state.settled.has(offset)) return;
    state.takeAway(offset);
    state.delay(offset, dueMs, bodyBytes, rank);
  }

  replayRetried(bodyBytes: number): void {
    this.#state.retryDamaged(bodyBytes);
  }

  replayForgotten(): void {
    this.#state.dedup = undefined;
  }

  replayTrimmed(offset: number, bodyBytes: number): void {
    // A recovery has trimmed it, and stored a snapshot before this entry.
    if (offset <= this.#state.settled.floor) return;
    trimBefore(this.#state, offset);
    this.#state.spendBytes(bodyBytes);
  }

  replayRewound(offset: number, bodyBytes: number): void {
    rewindTo(this.#state, offset, bodyBytes);
  }

  replayRanked(from: number, count: number, rank: number): void {
    this.#state.rankRun(from, count, rank);
  }
}
