import { register } from '../handler.ts';
import { messagesOf } from './basic-messages.ts';

/*
 * tx.select, commit, rollback (§1.9). What RabbitMQ does not promise is kept here: publishes and acks of one transaction
 * become visible together, or not at all, in any number of queues.
 */

export const txSelect = register('txSelect', (channel) => {
  messagesOf(channel).selectTransaction();
  channel.reply('txSelectOk', {});
});

export const txCommit = register('txCommit', async (channel) => {
  await messagesOf(channel).commit();
  channel.reply('txCommitOk', {});
});

export const txRollback = register('txRollback', (channel) => {
  messagesOf(channel).rollback();
  channel.reply('txRollbackOk', {});
});
