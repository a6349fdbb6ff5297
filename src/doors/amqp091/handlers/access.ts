import { register } from '../handler.ts';

/** Realms went with AMQP 0-9-1; old clients still ask for a ticket before they declare, and put it into what they send. */
export const accessHandlers = [
  register('accessRequest', (channel) => {
    channel.reply('accessRequestOk', { ticket: 1 });
  }),
];
