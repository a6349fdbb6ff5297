import { limits } from '../../../../base/index.ts';
import type { Queue } from '../../../../broker/index.ts';
import type { AcquiredMessage } from '../../../../shard/index.ts';
import { AmqpError } from '../../amqp-error.ts';
import { countHeaders } from '../../consumer-frames.ts';
import { findUsable } from '../../declared-queue.ts';
import type { MessageLink } from '../../message-channel.ts';
import { typeOfQueue } from '../../policies.ts';
import { checkAccess, nameOf } from '../../resource-name.ts';
import { ApiError, badRequest, throughChannel } from '../api-error.ts';
import { type ApiContext, type ApiReply, type ApiRequest, type ApiRoute, ok } from '../api.ts';
import { asInteger, type JsonObject, need, needText } from '../body.ts';
import { DirectChannel } from '../direct-channel.ts';
import { showProperties } from '../message-properties.ts';
import { enter } from '../vhost-access.ts';

type AckMode =
  | 'ack_requeue_true'
  | 'ack_requeue_false'
  | 'reject_requeue_true'
  | 'reject_requeue_false';

const ackModes: readonly AckMode[] = [
  'ack_requeue_true',
  'ack_requeue_false',
  'reject_requeue_true',
  'reject_requeue_false',
];

interface GetRequest {
  readonly count: number;
  readonly ackMode: AckMode;
  readonly encoding: 'auto' | 'base64';
  readonly truncate: number | undefined;
}

function readRequest(body: JsonObject): GetRequest {
  const mode = needText(body, 'ackmode');
  const ackMode = ackModes.find((one) => one === mode);
  const count = asInteger(need(body, 'count'), 'count');
  const encoding = needText(body, 'encoding');
  if (encoding !== 'auto' && encoding !== 'base64') {
    throw badRequest('Unsupported encoding. Please use auto or base64.');
  }
  if (ackMode === undefined) throw badRequest(['unsupported_ackmode', mode]);
  const { truncate } = body;
  return {
    count: Math.min(Math.max(count, 0), limits.adminBrowseMessagesMax),
    ackMode,
    encoding,
    truncate:
      truncate === undefined || truncate === null ? undefined : asInteger(truncate, 'truncate'),
  };
}

/** POST, because it changes the queue whatever the mode is: what comes back is marked as redelivered. */
async function get(context: ApiContext, request: ApiRequest): Promise<ApiReply> {
  const namespace = enter(context, request);
  const name = request.params['name'] ?? '';
  const wanted = readRequest(await request.readBody());
  const { link } = new DirectChannel(context.services, request.identity, namespace);
  const queue = findReadable(link, name);
  const type = typeOfQueue(queue);
  if (wanted.count === 0) return ok([]);
  const messages = await queue.acquire({
    count: wanted.count,
    bytesMax: limits.adminBrowseBytesMax,
    leaseMs,
    isAutoSettled: false,
    waitMs: 0,
  });
  const { ready } = queue.counts();
  let shown: JsonObject[];
  try {
    shown = messages.map((message, index) =>
      show(context, message, name, type === 'quorum', ready + messages.length - 1 - index, wanted),
    );
  } catch (error) {
    for (const message of messages) message.queue.release(message.lease, { isFailure: false });
    throw error;
  }
  for (const message of messages) settle(message, wanted.ackMode);
  await queue.settled();
  return ok(shown);
}

/** The queue, if basic.get would be answered. Throws an ApiError. */
function findReadable(link: MessageLink, name: string): Queue {
  const place = nameOf('queue', name, link);
  try {
    checkAccess(link, 'read', 'queue', name);
    const queue = findUsable(link, name);
    if (queue === undefined) throw new ApiError(404, 'not_found', `NOT_FOUND - no ${place}`);
    const type = typeOfQueue(queue);
    if (type === 'stream') {
      throw new AmqpError('NOT_IMPLEMENTED', `basic.get not supported by stream queues ${place}`);
    }
    if (queue.settings.isSingleActive) {
      throw new AmqpError(
        'RESOURCE_LOCKED',
        `cannot obtain access to locked ${place}. basic.get operations are not supported by ${type} queues with single ` +
          'active consumer',
      );
    }
    return queue;
  } catch (error) {
    throw throughChannel(error);
  }
}

/** Held for as long as it takes to show them; a crash meanwhile gives them back. */
const leaseMs = -1;

function settle({ queue, lease }: AcquiredMessage, mode: AckMode): void {
  switch (mode) {
    case 'ack_requeue_false':
      queue.accept(lease);
      break;
    case 'reject_requeue_false':
      queue.reject(lease, 'rejected');
      break;
    default:
      queue.release(lease, { isFailure: mode === 'reject_requeue_true' });
  }
}

function show(
  { services, clock }: ApiContext,
  message: AcquiredMessage,
  queueName: string,
  hasCounts: boolean,
  messageCount: number,
  { encoding, truncate }: GetRequest,
): JsonObject {
  const { exchange, routingKey, bytes } = services.tools.writer.encode(
    message,
    queueName,
    clock.nowMs(),
    countHeaders(message, { hasCounts, hasOffset: false }),
    limits.frameBytesMax,
  );
  const payloadBytes = Math.max(0, message.valueBytes);
  const shownBytes = truncate === undefined ? payloadBytes : Math.min(payloadBytes, truncate);
  const payload = Buffer.from(
    message.bytes.buffer,
    message.bytes.byteOffset + message.valueAt,
    Math.max(0, shownBytes),
  );
  const text = encoding === 'auto' ? textOf(payload) : undefined;
  return {
    payload_bytes: payloadBytes,
    redelivered: message.deliveries > 1,
    exchange,
    routing_key: routingKey,
    message_count: messageCount,
    properties: showProperties(bytes),
    payload: text ?? payload.toString('base64'),
    payload_encoding: text === undefined ? 'base64' : 'string',
  };
}

/** Undefined for what is not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

export const queueMessageRoutes: readonly ApiRoute[] = [
  {
    method: 'POST',
    path: '/api/queues/{vhost}/{name}/get',
    audience: 'management',
    handle: get,
  },
];
