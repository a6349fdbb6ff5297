import type { ChannelConsumer, ConsumerHost } from './consumer.ts';
import { DeliveryEncoder } from './consumer-frames.ts';
import type { MessageChannel } from './message-channel.ts';
import { type Reply, type ReplyReceiver, replyQueueName } from './publish-replies.ts';

/** The consumer of a channel's direct replies: nothing is stored, nothing is acked. */
export class ReplyConsumer implements ChannelConsumer, ReplyReceiver {
  readonly tag: string;
  readonly timeoutMs = 0;
  isRefused = false;
  unsettled = 0;
  readonly queue: { readonly namespace: string; readonly name: string };
  readonly #channel: MessageChannel;
  readonly #host: ConsumerHost;
  readonly #onEnd: () => void;

  constructor(channel: MessageChannel, tag: string, host: ConsumerHost, onEnd: () => void) {
    this.tag = tag;
    this.queue = { namespace: channel.link.namespace, name: replyQueueName };
    this.#channel = channel;
    this.#host = host;
    this.#onEnd = onEnd;
  }

  details(): Record<string, unknown> {
    return { consumer_tag: this.tag, exclusive: true, ack_required: false, prefetch_count: 0 };
  }

  /** A client that does not read loses replies, as one that is gone does. */
  receiveReply(reply: Reply): boolean {
    const host = this.#host;
    if (host.isSendBlocked) return false;
    const { link, number } = this.#channel;
    const { headers, headerCount, key, bodyBytes } = reply;
    const encoder = new DeliveryEncoder(
      link,
      number,
      this.tag,
      reply.routingKey,
      { hasCounts: false, hasOffset: false },
      link.services.tools.writer,
    );
    const bytes = key === null ? headers : Buffer.concat([headers, key]);
    const frames = encoder.encode({
      offset: 0,
      timestampMs: 0,
      deliveries: 1,
      failures: 0,
      bytes,
      headersAt: 0,
      headersBytes: headers.length,
      headerCount,
      keyAt: headers.length,
      keyBytes: key === null ? -1 : key.length,
      valueAt: 0,
      valueBytes: -1,
    });
    const body = reply.body.length === 1 ? reply.body[0]! : Buffer.concat(reply.body);
    host.sink.deliver(frames, host.tagForSettled(), body, 0, bodyBytes);
    host.sink.flush();
    return true;
  }

  resume(): void {
    this.isRefused = false;
  }

  cancel(): void {
    this.#onEnd();
  }
}
