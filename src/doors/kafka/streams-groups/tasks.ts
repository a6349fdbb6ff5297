/** One task: a subtopology's work on one partition of its sources. */
export interface Task {
  readonly subtopologyId: string;
  readonly partition: number;
}

/** Tasks of one role, by `keyOf`: sets of them are compared and cut again and again. */
export type TaskKeys = ReadonlySet<string>;

/** What a member has, or is to have. Warm-up tasks are not dealt out, as in Kafka 4. */
export interface TaskRoles {
  readonly active: TaskKeys;
  readonly standby: TaskKeys;
}

export interface WireTasks {
  readonly subtopologyId: string;
  readonly partitions: number[];
}

const noKeys: TaskKeys = new Set();
export const noTasks: TaskRoles = { active: noKeys, standby: noKeys };

export function keyOf(subtopologyId: string, partition: number): string {
  return `${partition}/${subtopologyId}`;
}

export function taskOf(key: string): Task {
  const slash = key.indexOf('/');
  return { subtopologyId: key.slice(slash + 1), partition: Number(key.slice(0, slash)) };
}

export function toKeys(list: readonly WireTasks[]): Set<string> {
  const keys = new Set<string>();
  for (const { subtopologyId, partitions } of list) {
    for (const partition of partitions) keys.add(keyOf(subtopologyId, partition));
  }
  return keys;
}

/** In order of subtopology and partition. */
export function toWire(keys: TaskKeys): WireTasks[] {
  const bySubtopology = new Map<string, number[]>();
  for (const key of keys) {
    const { subtopologyId, partition } = taskOf(key);
    const partitions = bySubtopology.get(subtopologyId);
    if (partitions === undefined) bySubtopology.set(subtopologyId, [partition]);
    else partitions.push(partition);
  }
  return [...bySubtopology]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([subtopologyId, partitions]) => ({
      subtopologyId,
      partitions: partitions.toSorted((left, right) => left - right),
    }));
}

export function areSame(left: TaskKeys, right: TaskKeys): boolean {
  return left.size === right.size && isWithin(left, right);
}

export function isWithin(part: TaskKeys, whole: TaskKeys): boolean {
  for (const key of part) if (!whole.has(key)) return false;
  return true;
}

export function isDisjoint(left: TaskKeys, right: TaskKeys): boolean {
  for (const key of left) if (right.has(key)) return false;
  return true;
}
