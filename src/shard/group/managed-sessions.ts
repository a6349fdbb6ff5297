import type { Clock } from '../../base/index.ts';
import type { DeadlineQueue } from './deadline-queue.ts';
import type { ManagedGroup } from './managed-group.ts';
import type { ManagedMember } from './managed-member.ts';

/** Called for a member that was not heard of, or did not do in time what it was told. */
export type OnLost = (group: ManagedGroup, member: ManagedMember) => void;

/** By when members of managed groups must be heard of, and must have done what they were told. */
export class ManagedSessions {
  readonly #clock: Clock;
  readonly #deadlines: DeadlineQueue;
  readonly #onLost: OnLost;

  constructor(clock: Clock, deadlines: DeadlineQueue, onLost: OnLost) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#onLost = onLost;
  }

  /** A member gave a sign of life. */
  touch(group: ManagedGroup, member: ManagedMember): void {
    const nowMs = this.#clock.monotonicMs();
    member.expiresAtMs = nowMs + member.sessionTimeoutMs;
    const { sessionDeadline } = member;
    if (sessionDeadline !== undefined && sessionDeadline.atMs <= member.expiresAtMs) return;
    this.#deadlines.cancel(sessionDeadline);
    this.#watch(group, member, member.expiresAtMs);
  }

  /** The member has this long for its next step, from now on. */
  expectStep(group: ManagedGroup, member: ManagedMember): void {
    this.endStep(member);
    const atMs = this.#clock.monotonicMs() + member.rebalanceTimeoutMs;
    member.stepDeadline = this.#deadlines.schedule(atMs, () => {
      member.stepDeadline = undefined;
      if (group.find(member.memberId) === member) this.#onLost(group, member);
    });
  }

  endStep(member: ManagedMember): void {
    this.#deadlines.cancel(member.stepDeadline);
    member.stepDeadline = undefined;
  }

  forget(member: ManagedMember): void {
    this.#deadlines.cancel(member.sessionDeadline);
    member.sessionDeadline = undefined;
    this.endStep(member);
  }

  #watch(group: ManagedGroup, member: ManagedMember, atMs: number): void {
    member.sessionDeadline = this.#deadlines.schedule(atMs, () => {
      member.sessionDeadline = undefined;
      if (group.find(member.memberId) !== member) return;
      if (this.#clock.monotonicMs() < member.expiresAtMs) {
        this.#watch(group, member, member.expiresAtMs);
      } else this.#onLost(group, member);
    });
  }
}
