import { assert, BrokerError, limits } from '../../base/index.ts';
import { Group } from './group.ts';
import type { ManagedGroup } from './managed-group.ts';
import type { GroupStore } from './types.ts';

/** Of either kind: its members divide the work, or its coordinator does. */
export type AnyGroup = Group | ManagedGroup;

/** Every group that has members, expects some, or has something stored. */
export class GroupTable {
  readonly #groups = new Map<string, AnyGroup>();
  readonly #store: GroupStore;
  readonly #groupsMax: number;

  constructor(store: GroupStore, groupsMax: number) {
    this.#store = store;
    this.#groupsMax = groupsMax;
  }

  get size(): number {
    return this.#groups.size;
  }

  find(groupId: string): AnyGroup | undefined {
    return this.#groups.get(groupId);
  }

  /** Of the kind whose members divide the work. */
  findClassic(groupId: string): Group | undefined {
    const group = this.#groups.get(groupId);
    return group?.kind === 'classic' ? group : undefined;
  }

  findManaged(groupId: string): ManagedGroup | undefined {
    const group = this.#groups.get(groupId);
    return group?.kind === 'managed' ? group : undefined;
  }

  all(): MapIterator<AnyGroup> {
    return this.#groups.values();
  }

  /** Throws `overloaded` when the broker has as many groups as it may, unless they were stored before. */
  getOrAdd(groupId: string, isStored = false): AnyGroup {
    const group = this.#groups.get(groupId);
    if (group !== undefined) return group;
    if (!isStored) this.checkRoom();
    const added = new Group(groupId);
    this.#groups.set(groupId, added);
    return added;
  }

  /** As `getOrAdd`, of an id that is no managed group's. */
  getOrAddClassic(groupId: string): Group {
    const group = this.getOrAdd(groupId);
    assert(group.kind === 'classic', 'Only a classic group takes classic members');
    return group;
  }

  /** Throws `overloaded` when the broker has as many groups as it may. */
  checkRoom(): void {
    if (this.#groups.size >= this.#groupsMax) {
      throw new BrokerError('overloaded', `there are ${this.#groupsMax} groups`);
    }
  }

  /** In place of the one of that id, if there is one. */
  put(group: AnyGroup): void {
    this.#groups.set(group.groupId, group);
  }

  remove(group: AnyGroup): void {
    if (this.#groups.get(group.groupId) === group) this.#groups.delete(group.groupId);
  }

  /** Forgets a group that has no members, expects none, and has nothing stored. */
  removeWhenIdle(group: AnyGroup): void {
    if (
      group.kind === 'classic' &&
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
