export type * from './access.ts';
export type * from './exchanges.ts';
export * from './operations.ts';
export type * from './peers.ts';
export * from './publisher.ts';
export type * from './queues.ts';
export type * from './quotas.ts';
