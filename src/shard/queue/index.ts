export { defaultQueueForm, defaultQueueSettings } from './queue-defaults.ts';
export type { FilterCompiler, QueueHost, QueueTableParts } from './queue-table.ts';
export { QueueTable } from './queue-table.ts';
export type * from './types.ts';
