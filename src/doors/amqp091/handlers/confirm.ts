import { register } from '../handler.ts';
import { messagesOf } from './basic-messages.ts';

/** confirm.select (https://www.rabbitmq.com/docs/confirms#publisher-confirms). */
export const confirmSelect = register('confirmSelect', (channel, { nowait }) => {
  messagesOf(channel).publisher.selectConfirms();
  if (!nowait) channel.reply('confirmSelectOk', {});
});
