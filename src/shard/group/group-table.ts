import { BrokerError, limits } from '../../base/index.ts';
import { Group } from './group.ts';
import type { GroupStore } from './types.ts';

/** Every group that has members, expects some, or has something stored. */
export class GroupTable {
  readonly #groups = new Map<string, Group>();
  readonly #store: GroupStore;
  readonly #groupsMax: number;

  constructor(store: GroupStore, groupsMax: number) {
    this.#store = store;
    this.#groupsMax = groupsMax;
  }

  get size(): number {
    return this.#groups.size;
  }

  find(groupId: string): Group | undefined {
    return this.#groups.get(groupId);
  }

  all(): MapIterator<Group> {
    return this.#groups.values();
  }

  /** Throws `overloaded` when the broker has as many groups as it may, unless they were stored before. */
  getOrAdd(groupId: string, isStored = false): Group {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      if (!isStored && this.#groups.size >= this.#groupsMax) {
        throw new BrokerError('overloaded', `there are ${this.#groupsMax} groups`);
      }
      group = new Group(groupId);
      this.#groups.set(groupId, group);
    }
    return group;
  }

  remove(group: Group): void {
    if (this.#groups.get(group.groupId) === group) this.#groups.delete(group.groupId);
  }

  /** Forgets a group that has no members, expects none, and has nothing stored. */
  removeWhenIdle(group: Group): void {
    if (
      group.state === 'empty' &&
      group.pending.size === 0 &&
      !group.isStored &&
      this.#store.listOffsets(group.groupId).length === 0 &&
      !this.#store.hasPending(group.groupId)
    ) {
      group.state = 'dead';
      this.remove(group);
    }
  }
}

/** Offsets may be kept under an empty id, which some old clients use; members need one. */
export function checkGroupId(groupId: string, mayBeEmpty = false): void {
  if (groupId === '' && !mayBeEmpty) throw new BrokerError('group-id-invalid', 'it is empty');
  if (groupId.length > limits.groupIdCharsMax) {
    throw new BrokerError('group-id-invalid', `it is longer than ${limits.groupIdCharsMax}`);
  }
}
