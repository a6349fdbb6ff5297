import { BrokerError } from '../../base/index.ts';
import type { QueueForm, QueueSettings } from '../../shard/index.ts';

/** Where a number of the settings must lie. */
const numberRanges = {
  failuresMax: [-1, Number.MAX_SAFE_INTEGER],
  retryDelayMs: [0, Number.MAX_SAFE_INTEGER],
  retryDelayMaxMs: [0, Number.MAX_SAFE_INTEGER],
  messageTtlMs: [-1, Number.MAX_SAFE_INTEGER],
  readyMax: [-1, Number.MAX_SAFE_INTEGER],
  readyBytesMax: [-1, Number.MAX_SAFE_INTEGER],
  keepSettledMs: [0, Number.MAX_SAFE_INTEGER],
  leaseMs: [-1, Number.MAX_SAFE_INTEGER],
  leasedMax: [-1, Number.MAX_SAFE_INTEGER],
  dedupWindowMs: [0, Number.MAX_SAFE_INTEGER],
} as const satisfies Partial<Record<keyof QueueSettings, readonly [number, number]>>;

const prioritiesMax = 0xffff;

/** Throws config-invalid for a value that a setting cannot have. */
export function checkQueueSettings(settings: Partial<QueueSettings>): void {
  for (const [name, [min, max]] of Object.entries(numberRanges)) {
    checkWhole(name, Reflect.get(settings, name), min, max);
  }
  const { retryDelayFactor, overflow, deadLetter, filter } = settings;
  if (retryDelayFactor !== undefined && !(retryDelayFactor >= 1 && retryDelayFactor <= 1000)) {
    throw invalid('retryDelayFactor', 'a number from 1 to 1000', retryDelayFactor);
  }
  if (overflow !== undefined && !overflows.includes(overflow)) {
    throw invalid('overflow', overflows.join(' or '), overflow);
  }
  for (const name of [
    'dropsExpired',
    'keepsFailed',
    'isSingleActive',
    'givesUncommitted',
  ] as const) {
    const value: unknown = settings[name];
    if (value !== undefined && typeof value !== 'boolean')
      throw invalid(name, 'true or false', value);
  }
  if (deadLetter !== undefined) {
    if (typeof deadLetter.exchange !== 'string') {
      throw invalid('deadLetter.exchange', 'a text', deadLetter.exchange);
    }
    if (deadLetter.key !== undefined && typeof deadLetter.key !== 'string') {
      throw invalid('deadLetter.key', 'a text', deadLetter.key);
    }
  }
  if (
    filter !== undefined &&
    (typeof filter.language !== 'string' || typeof filter.text !== 'string')
  ) {
    throw invalid('filter', 'a language and a text', filter);
  }
}

/** Throws config-invalid. */
export function checkQueueForm(form: Partial<QueueForm>): void {
  checkWhole('priorityMax', form.priorityMax, 0, prioritiesMax);
  checkWhole('priorityDefault', form.priorityDefault, 0, form.priorityMax ?? 0);
  for (const name of ['isGrouped', 'isFair'] as const) {
    const value = form[name];
    if (value !== undefined && typeof value !== 'boolean')
      throw invalid(name, 'true or false', value);
  }
  if (form.isGrouped === true && form.isFair === true) {
    throw new BrokerError('config-invalid', 'a queue is grouped or fair, not both');
  }
}

const overflows: readonly string[] = ['drop-head', 'reject', 'reject-dead-letter'];

function checkWhole(name: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return;
  const isInside = typeof value === 'number' && Number.isSafeInteger(value);
  if (!isInside || value < min || value > max) {
    throw invalid(name, `a whole number from ${min} to ${max}`, value);
  }
}

function invalid(name: string, expected: string, value: unknown): BrokerError {
  return new BrokerError(
    'config-invalid',
    `${name} must be ${expected}, not ${JSON.stringify(value)}`,
  );
}
