import type { IncomingMessage } from 'node:http';
import { limits } from '../../../base/index.ts';
import type { Identity } from '../../../broker/index.ts';
import { isLoopbackHost } from '../../../net/index.ts';
import { ApiError, notAuthorised } from './api-error.ts';
import type { ApiContext, Audience } from './api.ts';

const challenge = { 'www-authenticate': 'Basic realm="RabbitMQ Management"' };

/**
 * Who sends a request, by HTTP basic authentication (RFC 7617). Rejects with an ApiError. A failure is told only after a
 * while, so that nobody tries many passwords.
 */
export async function authenticate(
  context: ApiContext,
  request: IncomingMessage,
  trustsEverybody: boolean,
): Promise<Identity> {
  const { access } = context.services;
  const credentials = readCredentials(request.headers.authorization);
  if (credentials === undefined) {
    // RabbitMQ answers this one without a body, and browsers then ask their user.
    throw new ApiError(401, '', '', { headers: challenge });
  }
  const identity = await access.authenticate(credentials.name, credentials.password);
  if (identity === undefined) {
    await new Promise<void>((resolve) => {
      context.clock.setTimer(limits.loginPenaltyMs, resolve);
    });
    throw new ApiError(401, 'not_authorized', 'Login failed', { headers: challenge });
  }
  const isNear = trustsEverybody || isLoopbackHost(request.socket.remoteAddress ?? '');
  if (!isNear && access.isLoopbackOnly(identity)) {
    throw notAuthorised('User can only log in via localhost');
  }
  return identity;
}

function readCredentials(
  header: string | undefined,
): { name: string; password: string } | undefined {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colonAt = text.indexOf(':');
  if (colonAt < 0) return undefined;
  return { name: text.slice(0, colonAt), password: text.slice(colonAt + 1) };
}

export function isAdministrator({ tags }: Identity): boolean {
  return tags.includes('administrator');
}

export function isMonitor(identity: Identity): boolean {
  return isAdministrator(identity) || identity.tags.includes('monitoring');
}

function isPolicymaker(identity: Identity): boolean {
  return isAdministrator(identity) || identity.tags.includes('policymaker');
}

const managementTags: ReadonlySet<string> = new Set([
  'administrator',
  'monitoring',
  'policymaker',
  'management',
]);

/** Throws an ApiError, in RabbitMQ's words, for whom a route is not for. */
export function checkAudience(identity: Identity, audience: Audience): void {
  if (!identity.tags.some((tag) => managementTags.has(tag))) {
    throw notAuthorised('Not management user');
  }
  if (audience === 'administrator' && !isAdministrator(identity)) {
    throw notAuthorised('Not administrator user');
  }
  if (audience === 'monitoring' && !isMonitor(identity)) throw notAuthorised('Not monitor user');
  if (audience === 'policymaker' && !isPolicymaker(identity)) {
    throw notAuthorised('User not authorised to access object');
  }
}
