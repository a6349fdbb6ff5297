import { type Clock, limits, type Timer } from '../../../base/index.ts';

/** Numbers of one object by name. */
export type Counters = Readonly<Record<string, number>>;

/** What is measured: under the key of each object, its numbers now. */
export type Measure = () => Iterable<readonly [key: string, counters: Counters]>;

/** For this window, samples at this distance are asked for. */
export interface Window {
  readonly ageMs: number;
  readonly incrementMs: number;
}

const sampleMs = 5000;
/** Without anybody who asks for this long, nothing is measured. */
const idleMs = 60_000;

interface Sample {
  readonly atMs: number;
  readonly counters: Counters;
}

/**
 * Rates of what is counted, from samples that are taken every five seconds while somebody is asking for them: of every object
 * two, of the one with the key `totals` as many as an hour has.
 */
export class Samples {
  readonly #clock: Clock;
  readonly #measure: Measure;
  #before = new Map<string, Sample>();
  #latest = new Map<string, Sample>();
  #totals: Sample[] = [];
  #timer: Timer | undefined;
  #askedMs = 0;
  #isClosed = false;

  constructor(clock: Clock, measure: Measure) {
    this.#clock = clock;
    this.#measure = measure;
  }

  /** Somebody asks for what has rates. */
  touch(): void {
    this.#askedMs = this.#clock.monotonicMs();
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#take();
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#forget();
  }

  /** A second, of the last two samples. */
  rate(key: string, name: string): number {
    const latest = this.#latest.get(key);
    const before = this.#before.get(key);
    if (latest === undefined || before === undefined) return 0;
    return rateBetween(before, latest, name);
  }

  /** Each number as it is now, and beside it `..._details` with its rate. */
  describe(key: string, counters: Counters, window?: Window): Record<string, unknown> {
    const described: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(counters)) {
      described[name] = value;
      described[`${name}_details`] = this.#details(key, name, value, window);
    }
    return described;
  }

  /** What has not been measured yet has one sample, of now: clients look at the first one without asking. */
  #details(key: string, name: string, value: number, window?: Window): Record<string, unknown> {
    const rate = this.rate(key, name);
    if (window === undefined) return { rate };
    const samples = this.#samplesOf(key, name, window);
    if (samples.length === 0) samples.push({ sample: value, timestamp: this.#clock.nowMs() });
    const first = samples.at(-1)!;
    const last = samples[0]!;
    const seconds = (last.timestamp - first.timestamp) / 1000;
    return {
      rate,
      samples,
      avg: samples.reduce((sum, { sample }) => sum + sample, 0) / samples.length,
      avg_rate: seconds > 0 ? (last.sample - first.sample) / seconds : 0,
    };
  }

  /** Newest first. */
  #samplesOf(
    key: string,
    name: string,
    { ageMs, incrementMs }: Window,
  ): Array<{ sample: number; timestamp: number }> {
    const all = key === totalsKey ? this.#totals : this.#few(key);
    const nowMs = this.#clock.monotonicMs();
    const wallMs = this.#clock.nowMs() - nowMs;
    const found: Array<{ sample: number; timestamp: number }> = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { atMs, counters } of all.toReversed()) {
      if (atMs < nowMs - ageMs) break;
      if (atMs > nextMs) continue;
      nextMs = atMs - incrementMs + sampleMs / 2;
      found.push({ sample: counters[name] ?? 0, timestamp: Math.round(wallMs + atMs) });
    }
    return found;
  }

  #few(key: string): readonly Sample[] {
    return [this.#before.get(key), this.#latest.get(key)].filter((one) => one !== undefined);
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(sampleMs, () => {
      if (this.#clock.monotonicMs() - this.#askedMs > idleMs) {
        this.#timer = undefined;
        this.#forget();
        return;
      }
      this.#take();
      this.#schedule();
    });
  }

  #take(): void {
    const atMs = this.#clock.monotonicMs();
    this.#before = this.#latest;
    this.#latest = new Map();
    for (const [key, counters] of this.#measure()) {
      // The totals come last.
      if (key !== totalsKey && this.#latest.size >= limits.managementSampledMax) continue;
      this.#latest.set(key, { atMs, counters });
    }
    const totals = this.#latest.get(totalsKey);
    if (totals === undefined) return;
    this.#totals.push(totals);
    if (this.#totals.length > limits.managementSamplesMax) this.#totals.shift();
  }

  #forget(): void {
    this.#before.clear();
    this.#latest.clear();
    this.#totals = [];
  }
}

export const totalsKey = 'totals';

function rateBetween(before: Sample, latest: Sample, name: string): number {
  const seconds = (latest.atMs - before.atMs) / 1000;
  if (seconds <= 0) return 0;
  return ((latest.counters[name] ?? 0) - (before.counters[name] ?? 0)) / seconds;
}

/** `lengths_age` and `lengths_incr`, or those of another kind, in seconds. */
export function windowOf(query: URLSearchParams, kind: string): Window | undefined {
  const age = Number(query.get(`${kind}_age`) ?? Number.NaN);
  const increment = Number(query.get(`${kind}_incr`) ?? Number.NaN);
  if (!(age > 0) || !(increment > 0)) return undefined;
  return { ageMs: age * 1000, incrementMs: increment * 1000 };
}
