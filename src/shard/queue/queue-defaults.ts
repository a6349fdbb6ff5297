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
  isSingleActive: false,
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
