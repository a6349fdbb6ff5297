import { keyOf, type TaskKeys, type TaskRoles } from './tasks.ts';

/** What the assignor needs to know of a member. Members of one process share its state directory. */
export interface AssignableMember {
  readonly memberId: string;
  readonly processId: string;
  /** What the last target gave it. */
  readonly previous: TaskRoles;
  /** Tasks of which its process has state on its disk, by the offsets that it told. */
  readonly stateOffsets: ReadonlyMap<string, number>;
}

/** The work to be dealt out. */
export interface AssignableSubtopology {
  readonly subtopologyId: string;
  readonly taskCount: number;
  /** Whether it has state, that is, changelogs: only then do standbys make sense. */
  readonly isStateful: boolean;
}

interface Seat {
  readonly member: AssignableMember;
  readonly process: Process;
  readonly active: Set<string>;
  readonly standby: Set<string>;
}

interface Process {
  readonly seats: Seat[];
  /** Tasks of either role: no process has one twice. */
  readonly tasks: Set<string>;
}

/**
 * Deals tasks out (KIP-1071, "sticky"): every task has one active member; numbers of active tasks differ by one at most,
 * those of tasks with state, too; a task stays where it was as far as that allows, or goes where a copy of its state is.
 * Standbys go to other processes than their task's.
 */
export function assignTasks(
  members: readonly AssignableMember[],
  subtopologies: readonly AssignableSubtopology[],
  standbyCount: number,
): Map<string, TaskRoles> {
  const seats = seat(members);
  if (seats.length === 0) return new Map();
  const stateful = listTasks(subtopologies.filter(({ isStateful }) => isStateful));
  const stateless = listTasks(subtopologies.filter(({ isStateful }) => !isStateful));
  dealActive(seats, stateful, stateful.length);
  dealActive(seats, stateless, stateful.length + stateless.length);
  for (let turn = 0; turn < standbyCount; turn += 1) dealStandbys(seats, stateful);
  return new Map(
    seats.map(({ member, active, standby }) => [member.memberId, { active, standby }]),
  );
}

function seat(members: readonly AssignableMember[]): Seat[] {
  const processes = new Map<string, Process>();
  const sorted = members.toSorted((left, right) => (left.memberId < right.memberId ? -1 : 1));
  return sorted.map((member) => {
    const process = processes.get(member.processId) ?? { seats: [], tasks: new Set<string>() };
    processes.set(member.processId, process);
    const made: Seat = { member, process, active: new Set(), standby: new Set() };
    process.seats.push(made);
    return made;
  });
}

/** Partition by partition, so that subtopologies are mixed among the members. */
function listTasks(subtopologies: readonly AssignableSubtopology[]): string[] {
  const keys: string[] = [];
  const most = Math.max(0, ...subtopologies.map(({ taskCount }) => taskCount));
  for (let partition = 0; partition < most; partition += 1) {
    for (const { subtopologyId, taskCount } of subtopologies) {
      if (partition < taskCount) keys.push(keyOf(subtopologyId, partition));
    }
  }
  return keys;
}

/** Deals `keys` out so that all members together have `total` active tasks, in shares that differ by one at most. */
function dealActive(seats: readonly Seat[], keys: readonly string[], total: number): void {
  const quota = new Quota(seats.length, total);
  for (const { active } of seats) quota.count(active.size);
  const give = (to: Seat, key: string): void => {
    quota.grow(to.active.size);
    to.active.add(key);
    to.process.tasks.add(key);
  };
  const holders = indexHolders(seats, ({ previous }) => previous.active);
  const homeless: string[] = [];
  for (const key of keys) {
    const holder = holders.get(key)?.[0];
    if (holder !== undefined && quota.hasRoom(holder.active.size)) give(holder, key);
    else homeless.push(key);
  }
  const standbys = indexHolders(seats, ({ previous }) => previous.standby);
  const left: string[] = [];
  for (const key of homeless) {
    const candidates = [...(standbys.get(key) ?? []), ...rankByState(seats, key)];
    const found = candidates.find(({ active }) => quota.hasRoom(active.size));
    if (found === undefined) left.push(key);
    else give(found, key);
  }
  for (const key of left) {
    const least = seats.reduce((best, each) => (isLighter(each, best) ? each : best));
    give(least, key);
  }
}

/** How many active tasks members may have: all the lower share, and as many of them one more as it takes. */
class Quota {
  readonly #share: number;
  #extra: number;

  constructor(members: number, total: number) {
    this.#share = Math.floor(total / members);
    this.#extra = total % members;
  }

  /** A member that has this many already. */
  count(size: number): void {
    if (size > this.#share) this.#extra -= 1;
  }

  hasRoom(size: number): boolean {
    return size < this.#share || (size === this.#share && this.#extra > 0);
  }

  grow(size: number): void {
    if (size === this.#share) this.#extra -= 1;
  }
}

function indexHolders(
  seats: readonly Seat[],
  tasksOf: (member: AssignableMember) => TaskKeys,
): Map<string, Seat[]> {
  const holders = new Map<string, Seat[]>();
  for (const each of seats) {
    for (const key of tasksOf(each.member)) {
      const list = holders.get(key);
      if (list === undefined) holders.set(key, [each]);
      else list.push(each);
    }
  }
  return holders;
}

/** Members whose disks have state of the task, the one that has come furthest first. */
function rankByState(seats: readonly Seat[], key: string): Seat[] {
  return seats
    .filter(({ member }) => member.stateOffsets.has(key))
    .toSorted(
      (left, right) =>
        (right.member.stateOffsets.get(key) ?? 0) - (left.member.stateOffsets.get(key) ?? 0),
    );
}

/** By its own tasks first, then by those of its process. */
function isLighter(left: Seat, right: Seat): boolean {
  if (left.active.size !== right.active.size) return left.active.size < right.active.size;
  return loadOf(left.process) < loadOf(right.process);
}

function loadOf({ tasks, seats }: Process): number {
  return tasks.size / seats.length;
}

/** One more standby for each task, as long as there is a process that has nothing of it. */
function dealStandbys(seats: readonly Seat[], keys: readonly string[]): void {
  const holders = indexHolders(seats, ({ previous }) => previous.standby);
  const formerly = indexHolders(seats, ({ previous }) => previous.active);
  const processes = [...new Set(seats.map(({ process }) => process))];
  const total = processes.reduce((sum, { tasks }) => sum + tasks.size, 0) + keys.length;
  const most = Math.ceil(total / seats.length);
  for (const key of keys) {
    const free = processes.filter(({ tasks }) => !tasks.has(key));
    if (free.length === 0) continue;
    const known = [...(holders.get(key) ?? []), ...(formerly.get(key) ?? [])];
    const kept = known.find(
      ({ process }) => !process.tasks.has(key) && loadOf(process) < most,
    )?.process;
    const chosen = kept ?? free.reduce((best, each) => (loadOf(each) < loadOf(best) ? each : best));
    const holder = known.find(({ process }) => process === chosen);
    const lightest = chosen.seats.reduce((best, each) =>
      sizeOf(each) < sizeOf(best) ? each : best,
    );
    const taker = holder !== undefined && sizeOf(holder) <= sizeOf(lightest) ? holder : lightest;
    taker.standby.add(key);
    chosen.tasks.add(key);
  }
}

function sizeOf({ active, standby }: Seat): number {
  return active.size + standby.size;
}
