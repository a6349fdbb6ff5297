import type { QueueForm, QueueSettings } from './types.ts';

/** A queue that nothing was said about: no limits, no dead letters, failed messages return at once for ever. */
export const defaultQueueSettings: QueueSettings = {
  failuresMax: -1,
  retryDelayMs: 0,
  retryDelayFactor: 1,
  retryDelayMaxMs: 24 * 3600 * 1000,
  messageTtlMs: -1,
  readyMax: -1,
  readyBytesMax: -1,
  overflow: 'drop-head',
  deadLetter: undefined,
  dropsExpired: false,
  keepsFailed: false,
  isSingleActive: false,
  givesUncommitted: false,
  keepSettledMs: 0,
  leaseMs: -1,
  leasedMax: -1,
  dedupWindowMs: 0,
  filter: undefined,
};

/** First in, first out. */
export const defaultQueueForm: QueueForm = {
  priorityMax: 0,
  priorityDefault: 0,
  isGrouped: false,
  isFair: false,
};

/** Later than anybody waits for; what holds times takes no greater ones. */
const timeMaxMs = 2 ** 48;

/** The whole millisecond that is so long after `nowMs`. Fractions count as whole ones. */
export function timeAfter(nowMs: number, ms: number): number {
  return Math.min(nowMs + Math.ceil(ms), timeMaxMs);
}

/** Milliseconds until a message that has failed so often may be given out again. */
export function retryDelayMs(settings: QueueSettings, failures: number): number {
  if (settings.retryDelayMs <= 0) return 0;
  const delayMs = settings.retryDelayMs * settings.retryDelayFactor ** Math.max(failures - 1, 0);
  return Math.floor(Math.min(delayMs, settings.retryDelayMaxMs));
}
