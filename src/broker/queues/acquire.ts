import type { AcquiredMessage, AcquireRequest, PartitionQueue } from '../../shard/index.ts';

/**
 * Acquires from several parts, beginning with another one each time: first what is there, then, where nothing is and
 * the caller waits, whatever comes first.
 */
export async function acquireFromParts(
  parts: readonly PartitionQueue[],
  turn: number,
  request: AcquireRequest,
): Promise<AcquiredMessage[]> {
  const ordered = [...parts.slice(turn), ...parts.slice(0, turn)];
  // What is settled when it is handed over could not be given back, should it be too much.
  const messages = await acquireLeased(ordered, { ...request, isAutoSettled: false });
  if (request.isAutoSettled) for (const { queue, lease } of messages) queue.accept(lease);
  return messages;
}

async function acquireLeased(
  parts: readonly PartitionQueue[],
  request: AcquireRequest,
): Promise<AcquiredMessage[]> {
  const messages = await fill([], parts, request);
  if (messages.length > 0 || request.waitMs <= 0) return messages;
  const first = await waitForAny(parts, request);
  return first.length === 0 ? first : fill(first, parts, request);
}

async function fill(
  messages: AcquiredMessage[],
  parts: readonly PartitionQueue[],
  request: AcquireRequest,
): Promise<AcquiredMessage[]> {
  let bytes = messages.reduce((sum, { valueBytes }) => sum + Math.max(0, valueBytes), 0);
  for (const part of parts) {
    const count = request.count - messages.length;
    const bytesMax = request.bytesMax - bytes;
    // The first message is given whatever its size.
    if (count <= 0 || (bytesMax <= 0 && messages.length > 0)) break;
    const found = await part.acquire({ ...request, count, bytesMax, waitMs: 0 });
    for (const message of found) {
      bytes += Math.max(0, message.valueBytes);
      messages.push(message);
    }
  }
  return messages;
}

async function waitForAny(
  parts: readonly PartitionQueue[],
  request: AcquireRequest,
): Promise<AcquiredMessage[]> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  request.signal?.addEventListener('abort', end);
  if (request.signal?.aborted === true) end();
  try {
    const found = await Promise.all(
      parts.map(async (part) => {
        const messages = await part.acquire({ ...request, count: 1, signal: stop.signal });
        if (messages.length > 0) end();
        return messages;
      }),
    );
    const messages = found.flat();
    // Several parts may have had one in the same turn: what is too much goes back to its place.
    for (const { queue, lease } of messages.splice(request.count)) {
      queue.release(lease, { delayMs: 0, isFailure: false });
    }
    return messages;
  } finally {
    end();
    request.signal?.removeEventListener('abort', end);
  }
}
