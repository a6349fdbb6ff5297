import type { AcquiredMessage, AcquireRequest } from '../../../shard/index.ts';
import { AmqpError } from '../amqp-error.ts';
import { countHeaders } from '../consumer-frames.ts';
import { getQueue, queueNameOf } from '../consumer-queue.ts';
import { queueType } from '../declared-queue.ts';
import type { ChannelMessages } from '../channel-messages.ts';
import { type ChannelContext, register } from '../handler.ts';
import { checkAccess, nameOf } from '../resource-name.ts';
import {
  encodeMethod,
  frameEnd,
  frameOverheadBytes,
  headerFrameBytes,
  writeBodyStart,
  writeHeaderStart,
} from '../wire/index.ts';
import { messagesOf } from './basic-messages.ts';

/** basic.get: one message, or `get-empty`. */
export const basicGet = register('basicGet', async (channel, { queue: wanted, noAck }) => {
  const messages = messagesOf(channel);
  const name = queueNameOf(channel, wanted);
  checkAccess(channel.link, 'read', 'queue', name);
  const queue = getQueue(channel, name);
  const type = queueType(queue);
  if (type === 'stream') {
    throw new AmqpError(
      'NOT_IMPLEMENTED',
      `basic.get not supported by stream queues ${nameOf('queue', name, channel.link)}`,
    );
  }
  if (queue.settings.isSingleActive) {
    throw new AmqpError(
      'RESOURCE_LOCKED',
      `cannot obtain access to locked ${nameOf('queue', name, channel.link)}. basic.get operations are not supported by ` +
        `${type} queues with single active consumer`,
    );
  }
  await messages.published();
  let [message] = await queue.acquire(request(noAck));
  if (message === undefined) {
    // What other channels of the connection were sent before may be on its way.
    const stored = channel.link.published();
    if (stored !== undefined) {
      await stored;
      [message] = await queue.acquire(request(noAck));
    }
  }
  if (message === undefined) {
    channel.reply('basicGetEmpty', { clusterId: '' });
    return;
  }
  if (messages.isClosed) {
    // It was not handed out to anybody.
    if (!noAck) message.queue.release(message.lease, { isFailure: false });
    return;
  }
  const { ready } = queue.counts();
  sendFetched(channel, messages, message, name, type === 'quorum', ready, noAck);
});

function request(isAutoSettled: boolean): AcquireRequest {
  return { count: 1, bytesMax: Number.MAX_SAFE_INTEGER, leaseMs: -1, isAutoSettled, waitMs: 0 };
}

function sendFetched(
  channel: ChannelContext,
  messages: ChannelMessages,
  message: AcquiredMessage,
  queueName: string,
  hasCounts: boolean,
  messageCount: number,
  isAutoSettled: boolean,
): void {
  const { link, number } = channel;
  const { clock, tools } = link.services;
  const deliveryTag = messages.tagForFetched(message.queue, message.lease, isAutoSettled);
  const { exchange, routingKey, bytes } = tools.writer.encode(
    message,
    queueName,
    clock.nowMs(),
    countHeaders(message, { hasCounts, hasOffset: false }),
    link.frameMax - frameOverheadBytes - 12,
  );
  const listBytes = bytes.length - 2;
  const header = Buffer.allocUnsafe(headerFrameBytes(listBytes));
  const bodyBytes = Math.max(0, message.valueBytes);
  const flags = (bytes[0]! << 8) | bytes[1]!;
  const at = writeHeaderStart(header, 0, number, bodyBytes, flags, listBytes);
  header.set(bytes.subarray(2), at);
  header[at + listBytes] = frameEnd;
  link.send(
    encodeMethod(number, 'basicGetOk', {
      deliveryTag,
      redelivered: message.deliveries > 1,
      exchange,
      routingKey,
      messageCount,
    }),
  );
  link.send(header);
  const payloadMax = link.frameMax - frameOverheadBytes;
  for (let from = 0; from < bodyBytes; from += payloadMax) {
    const length = Math.min(payloadMax, bodyBytes - from);
    const start = Buffer.allocUnsafe(7);
    writeBodyStart(start, 0, number, length);
    link.send(start);
    const payloadAt = message.valueAt + from;
    link.send(message.bytes.subarray(payloadAt, payloadAt + length));
    link.send(frameEndBytes);
  }
}

const frameEndBytes = Buffer.from([frameEnd]);
