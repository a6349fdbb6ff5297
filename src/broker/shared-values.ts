import { limits } from '../base/index.ts';

/**
 * One object for many that say the same: a hundred thousand queues differ in their names and hardly in anything else. What is
 * given out is frozen, for it is others' too.
 */
export class SharedValues {
  readonly #values = new Map<string, object>();

  /** The value, or an equal one that was shared before. Members must be what JSON can say; undefined ones count. */
  share<T extends object>(value: T): T {
    const key = JSON.stringify(value, (_name, member: unknown) => member ?? null);
    const known = this.#values.get(key);
    // Equal texts come of values with the same members: of one type, too.
    if (known !== undefined) return known as T;
    // Whoever has a value keeps it; those that come are shared among themselves.
    if (this.#values.size >= limits.sharedValuesMax) this.#values.clear();
    this.#values.set(key, Object.freeze(value));
    return value;
  }
}
