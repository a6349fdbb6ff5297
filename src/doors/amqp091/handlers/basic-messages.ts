import { AssertionError } from '../../../base/index.ts';
import { ChannelMessages } from '../channel-messages.ts';
import type { ChannelContext } from '../handler.ts';

/** The message half of a handler's channel. */
export function messagesOf(channel: ChannelContext): ChannelMessages {
  const { messages } = channel;
  if (messages instanceof ChannelMessages) return messages;
  throw new AssertionError('a channel has another message half than the door made');
}
