import type { Identity } from '../../broker/index.ts';
import { AmqpError } from './amqp-error.ts';
import { MethodFailure } from './failure.ts';
import type { DoorServices } from './services.ts';
import { defaultVhost } from './vhost.ts';
import { keyOfMethod } from './wire/index.ts';

/*
 * What a client may negotiate, open, and have open, with RabbitMQ's refusals.
 */

/** 0 of the client means "no limit", which is more than any limit of ours. */
export function checkNegotiated(field: string, value: number, least: number, most: number): void {
  if (value !== 0 && value < least) {
    throw new MethodFailure(
      new AmqpError(
        'NOT_ALLOWED',
        `negotiated ${field} = ${value} is lower than the minimum allowed value (${least})`,
      ),
      keyOfMethod('connectionTune'),
    );
  }
  if (value === 0 || value > most) {
    const detail = value === 0 && field === 'channel_max' ? ' (no limit)' : '';
    throw new MethodFailure(
      new AmqpError(
        'NOT_ALLOWED',
        `negotiated ${field} = ${value}${detail} is higher than the maximum allowed value (${most})`,
      ),
      keyOfMethod('connectionTune'),
    );
  }
}

/** Throws NOT_ALLOWED where the user may not be, or too many are already. */
export function checkVhost(
  { access, peers }: DoorServices,
  user: Identity,
  vhost: string,
  namespace: string,
): void {
  const found = access.findNamespace(namespace);
  if (vhost === '' || (found === undefined && vhost !== defaultVhost)) {
    throw new AmqpError('NOT_ALLOWED', `vhost ${vhost} not found`);
  }
  const refusal = `access to vhost '${vhost}' refused for user '${user.name}'`;
  const vhostMax = limitOf(found?.limits, 'connections');
  const userMax = limitOf(access.findUser(user.name)?.limits, 'connections');
  if (vhostMax >= 0 || userMax >= 0) {
    const all = peers.list();
    if (vhostMax >= 0 && all.filter((peer) => peer.namespace === namespace).length >= vhostMax) {
      throw new AmqpError('NOT_ALLOWED', `${refusal}: connection limit (${vhostMax}) is reached`);
    }
    if (userMax >= 0 && all.filter((peer) => peer.user === user.name).length >= userMax) {
      throw new AmqpError(
        'NOT_ALLOWED',
        `connection refused for user '${user.name}': user connection limit (${userMax}) is reached`,
      );
    }
  }
  if (!access.mayEnter(user, namespace)) throw new AmqpError('NOT_ALLOWED', refusal);
}

/** Throws NOT_ALLOWED where one more channel is too many: of the connection, or of all of the user's. */
export function checkChannelLimit(
  { access, peers }: DoorServices,
  user: Identity,
  count: number,
  channelMax: number,
): void {
  if (count >= channelMax) {
    throw new AmqpError(
      'NOT_ALLOWED',
      `number of channels opened (${count}) has reached the negotiated channel_max (${channelMax})`,
    );
  }
  const userMax = limitOf(access.findUser(user.name)?.limits, 'channels');
  if (userMax < 0) return;
  let used = 0;
  for (const peer of peers.list()) {
    if (peer.user === user.name) used += peer.channels().length;
  }
  if (used >= userMax) {
    throw new AmqpError(
      'NOT_ALLOWED',
      `number of channels opened for user '${user.name}' has reached the maximum allowed user limit of ${userMax}`,
    );
  }
}

/** −1: none. Tools of RabbitMQ's write `max-queues` for what is called `queues` here. */
export function limitOf(
  limits: Readonly<Record<string, number>> | undefined,
  name: string,
): number {
  return limits?.[name] ?? limits?.[`max-${name}`] ?? -1;
}
