import { AmqpError } from './amqp-error.ts';
import type { AccessKind } from '../../broker/index.ts';
import type { MessageLink } from './message-channel.ts';

/** `queue 'q' in vhost '/'`, as every text names a thing. */
export function nameOf(kind: 'queue' | 'exchange', name: string, link: MessageLink): string {
  return `${kind} '${name}' in vhost '${link.vhost}'`;
}

/** Throws ACCESS_REFUSED. */
export function checkAccess(
  link: MessageLink,
  access: AccessKind,
  kind: 'queue' | 'exchange',
  name: string,
): void {
  // The default exchange is seen by permissions under this name.
  const resource = kind === 'exchange' && name === '' ? 'amq.default' : name;
  if (link.services.access.allows(link.identity, link.namespace, access, resource)) return;
  throw new AmqpError(
    'ACCESS_REFUSED',
    `${access} access to ${nameOf(kind, resource, link)} refused for user '${link.identity.name}'`,
  );
}

/** Throws ACCESS_REFUSED for names that are kept for the broker. */
export function checkReserved(kind: 'queue' | 'exchange', name: string): void {
  if (!name.startsWith('amq.')) return;
  throw new AmqpError('ACCESS_REFUSED', `${kind} name '${name}' contains reserved prefix 'amq.*'`);
}

/** Names that a client sends may have been broken over lines by whoever wrote them. */
export function withoutLineBreaks(name: string): string {
  return name.replaceAll(/[\r\n]/g, '');
}

export function notFound(kind: 'queue' | 'exchange', name: string, link: MessageLink): AmqpError {
  return new AmqpError('NOT_FOUND', `no ${nameOf(kind, name, link)}`);
}

export function checkNotDefault(exchange: string): void {
  if (exchange !== '') return;
  throw new AmqpError('ACCESS_REFUSED', 'operation not permitted on the default exchange');
}
