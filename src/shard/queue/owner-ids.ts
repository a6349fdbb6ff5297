/** Numbers for those who hold leases of a queue; one is never given out twice. */
export class OwnerIds {
  #next: number;
  #known: WeakMap<object, number> | undefined;

  constructor(first: number) {
    this.#next = first;
  }

  next(): number {
    return this.#next++;
  }

  /** Always the same for one object, until it is forgotten. */
  of(owner: object): number {
    this.#known ??= new WeakMap();
    let id = this.#known.get(owner);
    if (id === undefined) {
      id = this.next();
      this.#known.set(owner, id);
    }
    return id;
  }

  /** The number that it had; undefined when it had none. */
  forget(owner: object): number | undefined {
    const id = this.#known?.get(owner);
    this.#known?.delete(owner);
    return id;
  }
}
