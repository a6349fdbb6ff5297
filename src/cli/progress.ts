/** Where progress is shown; `process.stderr` fits. */
export interface ProgressSink {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface ProgressState {
  messages: number;
  bytes: number;
}

const redrawMs = 100;

/** One line on a terminal that says how far long work is and how fast; nothing where no person looks. */
export class Progress {
  readonly #sink: ProgressSink;
  readonly #verb: string;
  /** 0 when nobody knows how much there is. */
  readonly #bytesTotal: number;
  readonly #startMs = performance.now();
  #drawnMs = Number.NEGATIVE_INFINITY;
  #isDrawn = false;

  constructor(sink: ProgressSink, verb: string, bytesTotal: number) {
    this.#sink = sink;
    this.#verb = verb;
    this.#bytesTotal = bytesTotal;
  }

  /** Cheap enough to be called for every batch. */
  update(state: ProgressState): void {
    if (this.#sink.isTTY !== true) return;
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < redrawMs) return;
    this.#drawnMs = nowMs;
    this.#isDrawn = true;
    const line = this.#line(state, nowMs - this.#startMs);
    this.#sink.write(`\r${line.slice(0, (this.#sink.columns ?? 80) - 1)}\u001b[K`);
  }

  /** Clears the line and says what was done in all. */
  finish(state: ProgressState): void {
    const elapsedMs = performance.now() - this.#startMs;
    if (this.#isDrawn) this.#sink.write('\r\u001b[K');
    const rate = printRate(state, elapsedMs);
    this.#sink.write(
      `${this.#verb} ${printCount(state.messages)} ${plural(state.messages)} (${printSize(state.bytes)}) in ${printSeconds(elapsedMs)}, ${rate}\n`,
    );
  }

  #line(state: ProgressState, elapsedMs: number): string {
    const done = `${printCount(state.messages)} ${plural(state.messages)}, ${printSize(state.bytes)}, ${printRate(state, elapsedMs)}`;
    if (this.#bytesTotal === 0) return done;
    const share = Math.min(1, state.bytes / this.#bytesTotal);
    const width = 24;
    const filled = Math.round(share * width);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
    const leftMs = share > 0 ? (elapsedMs * (1 - share)) / share : 0;
    return `${bar} ${Math.floor(share * 100)}%  ${done}, ${printSeconds(leftMs)} left`;
  }
}

export function printCount(count: number): string {
  return count.toLocaleString('en-US');
}

function printSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function printRate({ messages, bytes }: ProgressState, elapsedMs: number): string {
  const seconds = Math.max(elapsedMs, 1) / 1000;
  return `${printCount(Math.round(messages / seconds))}/s, ${printSize(Math.round(bytes / seconds))}/s`;
}

function printSeconds(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
}

function plural(count: number): string {
  return count === 1 ? 'message' : 'messages';
}
