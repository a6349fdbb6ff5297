export { EmbeddedTransaction, type TakenMessage } from './embedded-transaction.ts';
export type { MessagePlacement } from './message-transaction.ts';
export type { Places, ShardParts } from './shard-parts.ts';
export { Transactions } from './transactions.ts';
export type * from './types.ts';
