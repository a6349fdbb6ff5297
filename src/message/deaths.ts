import { limits } from '../base/index.ts';

/** One entry of a message's history (`pabal.deaths`): all its deaths in one queue for one reason. */
export interface Death {
  /** As its users name it. */
  readonly queue: string;
  /** `rejected`, `expired`, `maxlen`, `delivery-limit`. */
  readonly reason: string;
  readonly count: number;
  /** Through which it had come to the queue; '' for the default exchange. */
  readonly exchange: string;
  /** Its routing keys then, its own first. */
  readonly keys: readonly string[];
  /** Milliseconds since the epoch, of the first and of the last of them. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** The time to live that it had, as it was written. */
  readonly expiration?: string | undefined;
}

/** The history with one more death, newest first. Beyond `limits.deathsMax` entries the oldest is forgotten. */
export function addDeath(
  deaths: readonly Death[],
  death: Omit<Death, 'count' | 'firstMs' | 'lastMs'> & { readonly timeMs: number },
): Death[] {
  const { timeMs, ...rest } = death;
  const same = (other: Death): boolean =>
    other.queue === death.queue && other.reason === death.reason;
  const before = deaths.find(same);
  const entry: Death =
    before === undefined
      ? { ...rest, count: 1, firstMs: timeMs, lastMs: timeMs }
      : { ...before, count: before.count + 1, lastMs: timeMs };
  return [entry, ...deaths.filter((other) => !same(other))].slice(0, limits.deathsMax);
}

export function encodeDeaths(deaths: readonly Death[]): string {
  return JSON.stringify(deaths);
}

/** What the text does not say in the right form is left out: a log producer may have written it. */
export function decodeDeaths(text: string): Death[] {
  return parseArray(text).flatMap((entry) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const {
      queue,
      reason,
      count,
      exchange = '',
      keys = [],
      firstMs,
      lastMs = firstMs,
      expiration,
    } = { ...entry } as Readonly<Record<string, unknown>>;
    if (
      typeof queue !== 'string' ||
      typeof reason !== 'string' ||
      !isCount(count) ||
      typeof exchange !== 'string' ||
      !isTextArray(keys) ||
      !isCount(firstMs) ||
      !isCount(lastMs)
    ) {
      return [];
    }
    const death = { queue, reason, count, exchange, keys, firstMs, lastMs };
    return [typeof expiration === 'string' ? { ...death, expiration } : death];
  });
}

/** `pabal.copies`. */
export function encodeCopies(keys: readonly string[]): string {
  return JSON.stringify(keys);
}

/** Empty for what is no JSON array of strings. */
export function decodeCopies(text: string): readonly string[] {
  const keys: unknown = parseArray(text);
  return isTextArray(keys) ? keys : [];
}

function parseArray(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTextArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
