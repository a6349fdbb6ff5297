import type { Queue } from '../../broker/index.ts';
import type { MoveTask } from './move-tasks.ts';
import { isObject } from './shape.ts';

/** Attribute of a source in which its tasks are kept: a JSON array, newest first, of their members but the source. */
export const taskRecordsAttribute = 'sqs.moveTasks';

const statuses: ReadonlySet<string> = new Set([
  'RUNNING',
  'COMPLETED',
  'CANCELLING',
  'CANCELLED',
  'FAILED',
] satisfies Array<MoveTask['status']>);

export function writeTaskRecords(tasks: readonly MoveTask[]): string {
  return JSON.stringify(tasks, (name, value: unknown) => (name === 'source' ? undefined : value));
}

/** What cannot be read is left out. */
export function readTaskRecords(source: Queue): MoveTask[] {
  const text = source.attributes[taskRecordsAttribute];
  if (text === undefined) return [];
  const records = parse(text);
  return Array.isArray(records)
    ? records.map((record) => readRecord(source, record)).filter((task) => task !== undefined)
    : [];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readRecord(source: Queue, record: unknown): MoveTask | undefined {
  if (!isObject(record)) return undefined;
  const { id, destination, perSecond, startedMs, total, status, moved, failure } = record;
  if (typeof id !== 'string' || !isStatus(status)) return undefined;
  if (typeof startedMs !== 'number' || typeof total !== 'number' || typeof moved !== 'number')
    return undefined;
  return {
    id,
    source,
    destination: typeof destination === 'string' ? destination : undefined,
    perSecond: typeof perSecond === 'number' ? perSecond : undefined,
    startedMs,
    total,
    status,
    moved,
    failure: typeof failure === 'string' ? failure : undefined,
  };
}

function isStatus(value: unknown): value is MoveTask['status'] {
  return typeof value === 'string' && statuses.has(value);
}
