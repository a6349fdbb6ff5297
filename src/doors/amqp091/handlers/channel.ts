import { AmqpError } from '../amqp-error.ts';
import { register } from '../handler.ts';

/*
 * channel.open and channel.close are the channel's own (`channel.ts`).
 * channel.flow: as in RabbitMQ, a client cannot stop deliveries with it: that is what prefetch and basic.cancel are for.
 */
export const channelHandlers = [
  register('channelFlow', (channel, { active }) => {
    if (!active) throw new AmqpError('NOT_IMPLEMENTED', 'active=false');
    channel.reply('channelFlowOk', { active: true });
  }),
];
