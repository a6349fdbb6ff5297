import type { BrokerError, Clock } from '../../../src/base/index.ts';
import type {
  GroupStore,
  OffsetCommit,
  PartitionKey,
  StoredOffset,
} from '../../../src/shard/group/index.ts';

type Offsets = Map<string, PartitionKey & StoredOffset>;

interface State {
  groups: Map<string, Uint8Array>;
  members: Map<string, ReadonlyMap<string, Uint8Array>>;
  offsets: Map<string, Offsets>;
}

interface Pending {
  apply: (state: State) => void;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Takes everything at once and makes it durable, in order, `delayMs` later; a crash loses the rest. */
export class DelayedStore implements GroupStore {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #durable: State;
  readonly #current: State;
  readonly #pending: Pending[] = [];
  /** The next write fails with this. */
  failure: BrokerError | undefined;
  /** Nothing becomes durable while this is set. */
  isStuck = false;

  constructor(clock: Clock, delayMs = 1, durable = createState()) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#durable = durable;
    this.#current = copyState(durable);
  }

  /** What a restart finds. */
  crash(): DelayedStore {
    return new DelayedStore(this.#clock, this.#delayMs, copyState(this.#durable));
  }

  saveGroup(groupId: string, state: Uint8Array | undefined): Promise<void> {
    return this.#write(({ groups, members }) => {
      members.delete(groupId);
      if (state === undefined) groups.delete(groupId);
      else groups.set(groupId, state);
    });
  }

  saveMembers(
    groupId: string,
    state: Uint8Array,
    changed: ReadonlyMap<string, Uint8Array | undefined>,
    isWhole: boolean,
  ): Promise<void> {
    return this.#write(({ groups, members }) => {
      groups.set(groupId, state);
      const own = new Map(isWhole ? [] : members.get(groupId));
      for (const [memberId, bytes] of changed) {
        if (bytes === undefined) own.delete(memberId);
        else own.set(memberId, bytes);
      }
      members.set(groupId, own);
    });
  }

  saveOffsets(groupId: string, commits: readonly OffsetCommit[]): Promise<void> {
    const commitTimeMs = this.#clock.nowMs();
    return this.#write(({ offsets }) => {
      const own: Offsets = offsets.get(groupId) ?? new Map();
      offsets.set(groupId, own);
      for (const commit of commits) own.set(keyOf(commit), { ...commit, commitTimeMs });
    });
  }

  deleteOffsets(groupId: string, keys: readonly PartitionKey[]): Promise<void> {
    return this.#write(({ offsets }) => {
      const own = offsets.get(groupId);
      for (const key of keys) own?.delete(keyOf(key));
      if (own?.size === 0) offsets.delete(groupId);
    });
  }

  savePending(): Promise<void> {
    return Promise.resolve();
  }

  hasPending(): boolean {
    return false;
  }

  barrier(): Promise<void> {
    return this.#pending.length === 0 ? Promise.resolve() : this.#write(() => undefined);
  }

  findOffset(groupId: string, key: PartitionKey): StoredOffset | undefined {
    return this.#current.offsets.get(groupId)?.get(keyOf(key));
  }

  listOffsets(groupId: string): Array<PartitionKey & StoredOffset> {
    return [...(this.#current.offsets.get(groupId)?.values() ?? [])];
  }

  findGroup(groupId: string): Uint8Array | undefined {
    return this.#current.groups.get(groupId);
  }

  listMembers(groupId: string): ReadonlyMap<string, Uint8Array> {
    return this.#current.members.get(groupId) ?? new Map();
  }

  listGroupIds(): string[] {
    return [...new Set([...this.#current.groups.keys(), ...this.#current.offsets.keys()])];
  }

  /** Makes everything durable that was written so far. */
  flush(): void {
    for (const { apply, resolve } of this.#pending.splice(0)) {
      apply(this.#durable);
      resolve();
    }
  }

  #write(apply: (state: State) => void): Promise<void> {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) return Promise.reject(failure);
    apply(this.#current);
    return new Promise((resolve, reject) => {
      const pending = { apply, resolve, reject };
      this.#pending.push(pending);
      this.#clock.setTimer(this.#delayMs, () => {
        if (!this.isStuck && this.#pending.includes(pending)) this.#flushUpTo(pending);
      });
    });
  }

  #flushUpTo(last: Pending): void {
    for (const { apply, resolve } of this.#pending.splice(0, this.#pending.indexOf(last) + 1)) {
      apply(this.#durable);
      resolve();
    }
  }
}

function keyOf({ topicId, partition }: PartitionKey): string {
  return `${topicId}/${partition}`;
}

function createState(): State {
  return { groups: new Map(), members: new Map(), offsets: new Map() };
}

function copyState({ groups, members, offsets }: State): State {
  const copies = [...offsets].map(([groupId, own]) => [groupId, new Map(own)] as const);
  return { groups: new Map(groups), members: new Map(members), offsets: new Map(copies) };
}
