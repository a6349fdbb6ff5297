// Fetch 4-18, with incremental sessions (KIP-227), topic ids (KIP-516) and leader epochs (KIP-320). Deviations: a
// fetch by a replica is served like that of a consumer; a response has at most
// `fetchBytesMax` bytes (or its first batch), whatever the client asks for, and less when memory for answers is short.
import { limits } from '../../../base/index.ts';
import { errorCodes } from '../error-codes.ts';
import { FetchRun } from '../fetch-run.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

const readCommitted = 1;

export function fetch(
  context: HandlerContext,
  request: RequestOf<'Fetch'>,
  version: number,
): ResponseInput<'Fetch'> | Promise<ResponseInput<'Fetch'>> {
  const plan = context.door.fetchSessions.plan(request, version);
  if (plan.errorCode !== errorCodes.NONE) {
    return { errorCode: plan.errorCode, sessionId: 0, responses: [] };
  }
  const maxBytes = Math.max(0, Math.min(request.maxBytes, limits.fetchBytesMax));
  const run = new FetchRun(context, plan, {
    usesTopicIds: version >= 13,
    tellsLeader: version >= 12,
    minBytes: Math.min(request.minBytes, Math.max(maxBytes, 1)),
    maxBytes,
    maxWaitMs: request.maxWaitMs,
    onlyStable: request.isolationLevel === readCommitted,
  });
  return run.run();
}
