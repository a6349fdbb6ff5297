/** Above this many targets a map finds one faster than a search does. */
const listMax = 16;

/** Targets with how often each was added: a short list, or a map once there are many. */
export class TargetBag<T> {
  #list: T[] | undefined = [];
  #counts: Map<T, number> | undefined;

  get isEmpty(): boolean {
    return (this.#list?.length ?? this.#counts?.size ?? 0) === 0;
  }

  add(target: T): void {
    if (this.#list !== undefined && this.#list.length < listMax) {
      this.#list.push(target);
      return;
    }
    this.#counts ??= this.#toCounts();
    this.#counts.set(target, (this.#counts.get(target) ?? 0) + 1);
  }

  remove(target: T): void {
    if (this.#list !== undefined) {
      const index = this.#list.indexOf(target);
      if (index >= 0) this.#list.splice(index, 1);
      return;
    }
    const count = this.#counts?.get(target) ?? 0;
    if (count > 1) this.#counts?.set(target, count - 1);
    else this.#counts?.delete(target);
  }

  collect(found: Set<T>): void {
    if (this.#list !== undefined) for (const target of this.#list) found.add(target);
    else for (const target of this.#counts?.keys() ?? []) found.add(target);
  }

  #toCounts(): Map<T, number> {
    const counts = new Map<T, number>();
    for (const target of this.#list ?? []) counts.set(target, (counts.get(target) ?? 0) + 1);
    this.#list = undefined;
    return counts;
  }
}
