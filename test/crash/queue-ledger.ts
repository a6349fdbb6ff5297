/** What a test's message says of itself. */
export interface Note {
  /** Numbered by its publisher, from 0. */
  number: number;
  /** Not to be given out before, ms since the epoch; 0: at once. */
  dueMs: number;
  /** Ordered by number among those of the same lane. */
  lane: number;
}

export function noteBytes(note: Note): Buffer {
  return Buffer.from(JSON.stringify(note));
}

export function readNote(content: Uint8Array): Note {
  // A cast: the tests write nothing else into these queues.
  return JSON.parse(Buffer.from(content).toString()) as Note;
}

/** What was promised about the messages of one queue, and whether it was kept. */
export class QueueLedger {
  readonly queue: string;
  /** What went wrong; looked at after each life, for it is found in callbacks of a client. */
  readonly faults: string[] = [];
  sentCount = 0;
  confirmedCount = 0;
  settledCount = 0;
  redeliveredCount = 0;
  readonly #confirmed = new Set<number>();
  readonly #delivered = new Set<number>();
  readonly #settled = new Set<number>();
  readonly #ofThisLife = new Set<number>();

  readonly #mayHaveCopies: boolean;

  /**
   * `mayHaveCopies`: of a queue of dead letters. A crash between the letter's arrival and the end of the message that it was
   * made from makes another letter: each is a message of its own.
   */
  constructor(queue: string, mayHaveCopies = false) {
    this.queue = queue;
    this.#mayHaveCopies = mayHaveCopies;
  }

  /** Confirmed and never seen. */
  get missing(): number[] {
    return [...this.#confirmed].filter((number) => !this.#delivered.has(number));
  }

  get settled(): ReadonlySet<number> {
    return this.#settled;
  }

  isConfirmed(number: number): boolean {
    return this.#confirmed.has(number);
  }

  confirm(number: number): void {
    this.#confirmed.add(number);
    this.confirmedCount = this.#confirmed.size;
  }

  /** The broker has promised that it will not come again. */
  settle(number: number): void {
    this.#settled.add(number);
    this.settledCount = this.#settled.size;
  }

  /** The server was started again: what was not settled may come again, and not as a redelivery if it was given out just before. */
  beginLife(): void {
    this.#ofThisLife.clear();
  }

  deliver(note: Note, isRedelivered: boolean): void {
    const { number, dueMs } = note;
    if (number >= this.sentCount) this.#complain(`${number} was never sent`);
    if (Date.now() < dueMs - clockToleranceMs) {
      this.#complain(`${number} came ${dueMs - Date.now()} ms too early`);
    }
    if (!this.#mayHaveCopies) this.#checkOnce(number);
    this.#ofThisLife.add(number);
    if (isRedelivered) this.redeliveredCount += 1;
    this.#delivered.add(number);
  }

  #checkOnce(number: number): void {
    if (this.#settled.has(number)) this.#complain(`${number} was settled and came again`);
    if (this.#ofThisLife.has(number)) this.#complain(`${number} came twice in one life`);
  }

  /** For one consumer that gives nothing back: what it gets is in order, whatever was delivered before. */
  orderCheck(): (note: Note) => void {
    const last = new Map<number, number>();
    return ({ number, lane }) => {
      const before = last.get(lane) ?? -1;
      if (number <= before) this.#complain(`${number} came behind ${before}`);
      last.set(lane, number);
    };
  }

  #complain(what: string): void {
    this.faults.push(`${this.queue}: ${what}`);
  }
}

/** The server's clock is read once for many messages. */
const clockToleranceMs = 20;
