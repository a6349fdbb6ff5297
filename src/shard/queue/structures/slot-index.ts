/** Marks a place that holds no slot. */
const none = -1;
const placesMin = 16;

type Slots = Int32Array<ArrayBuffer>;

/**
 * Finds the slot of an offset among slots whose offsets stand in an array of the caller's: a hash table with linear
 * probing, four bytes a place, at most half full.
 */
export class SlotIndex {
  #places: Slots = new Int32Array(0);
  #count = 0;

  get memoryBytes(): number {
    return this.#places.byteLength;
  }

  /** The slot of `offset`, or -1. */
  find(offset: number, offsets: Float64Array): number {
    const places = this.#places;
    if (this.#count === 0) return none;
    const mask = places.length - 1;
    for (let place = hash(offset) & mask; ; place = (place + 1) & mask) {
      const slot = places[place]!;
      if (slot === none || offsets[slot] === offset) return slot;
    }
  }

  /** Adds a slot whose offset stands in `offsets` already and is not in the table. */
  add(slot: number, offsets: Float64Array): void {
    if ((this.#count + 1) * 2 > this.#places.length) this.#resize(this.#places.length * 2, offsets);
    this.#count++;
    insert(this.#places, slot, offsets);
  }

  /** Removes a slot whose offset still stands in `offsets`. */
  remove(slot: number, offsets: Float64Array): void {
    const places = this.#places;
    const mask = places.length - 1;
    let hole = hash(offsets[slot]!) & mask;
    while (places[hole] !== slot) {
      if (places[hole] === none) return;
      hole = (hole + 1) & mask;
    }
    // What follows moves up, unless it would get before its own place: then no mark of a deletion is needed.
    for (let next = (hole + 1) & mask; places[next] !== none; next = (next + 1) & mask) {
      const home = hash(offsets[places[next]!]!) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      places[hole] = places[next]!;
      hole = next;
    }
    places[hole] = none;
    this.#count--;
  }

  clear(): void {
    this.#places = new Int32Array(0);
    this.#count = 0;
  }

  /** Gives back memory that is of no use for so few. */
  shrink(offsets: Float64Array): void {
    let places = placesMin;
    while (places < this.#count * 2 + 2) places *= 2;
    if (this.#count === 0) this.clear();
    else if (places < this.#places.length) this.#resize(places, offsets);
  }

  #resize(count: number, offsets: Float64Array): void {
    const before = this.#places;
    this.#places = new Int32Array(Math.max(count, placesMin)).fill(none);
    for (const slot of before) if (slot !== none) insert(this.#places, slot, offsets);
  }
}

function insert(places: Slots, slot: number, offsets: Float64Array): void {
  const mask = places.length - 1;
  let place = hash(offsets[slot]!) & mask;
  while (places[place] !== none) place = (place + 1) & mask;
  places[place] = slot;
}

/** Neighbours stay apart: offsets that follow each other with holes between them would else make long chains. */
function hash(offset: number): number {
  const high = Math.floor(offset / 0x100000000);
  const mixed = Math.imul((offset | 0) ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
