import type { AccessPort, Identity } from '../../broker/index.ts';
import { AmqpError } from './amqp-error.ts';
import { printBinary } from './erlang-term.ts';
import { readTable } from './wire/index.ts';

/** What is known of the peer before it says who it is. */
export interface PeerFacts {
  /** The user that its TLS certificate, which was verified, names. */
  readonly certificateUser: string | undefined;
  /** It comes from this machine, or the listener was opened to everybody. */
  readonly isTrusted: boolean;
}

export type Mechanism = 'PLAIN' | 'AMQPLAIN' | 'EXTERNAL' | 'ANONYMOUS';

/** Who comes in without saying who it is. */
const defaultUser = 'guest';

/**
 * In the order in which they are offered: clients take the first one that they know. py-amqp would take EXTERNAL
 * although it has a password, so that it is offered only where the certificate is a user's.
 */
export function offeredMechanisms(peer: PeerFacts, access: AccessPort): Mechanism[] {
  const { certificateUser } = peer;
  const isUser = certificateUser !== undefined && access.identify(certificateUser) !== undefined;
  return possibleMechanisms(peer).filter((name) => name !== 'EXTERNAL' || isUser);
}

function possibleMechanisms(peer: PeerFacts): Mechanism[] {
  const possible: Mechanism[] = ['PLAIN', 'AMQPLAIN'];
  if (peer.certificateUser !== undefined) possible.unshift('EXTERNAL');
  if (peer.isTrusted) possible.push('ANONYMOUS');
  return possible;
}

export function findMechanism(name: string, peer: PeerFacts): Mechanism {
  const found = possibleMechanisms(peer).find((mechanism) => mechanism === name);
  if (found !== undefined) return found;
  if (name === 'EXTERNAL' || name === 'ANONYMOUS') {
    throw new AmqpError('COMMAND_INVALID', `invalid authentication mechanism '${name}'`);
  }
  throw new AmqpError('COMMAND_INVALID', `unknown authentication mechanism '${name}'`);
}

/** Who it is; refusals say why as RabbitMQ's log does, and the client is told less. */
export type LoginResult =
  | { readonly kind: 'accepted'; readonly identity: Identity }
  | { readonly kind: 'refused'; readonly user: string; readonly reason: string };

/** Throws an AmqpError for a response that is not one of the mechanism. */
export async function logIn(
  mechanism: Mechanism,
  response: Uint8Array,
  peer: PeerFacts,
  access: AccessPort,
): Promise<LoginResult> {
  switch (mechanism) {
    case 'PLAIN':
      return byPassword(readPlain(response), peer, access);
    case 'AMQPLAIN':
      return byPassword(readAmqplain(response), peer, access);
    case 'EXTERNAL':
      return byName(peer.certificateUser ?? '', access);
    default:
      return byName(defaultUser, access);
  }
}

interface Credentials {
  readonly user: string;
  readonly password: string;
}

async function byPassword(
  { user, password }: Credentials,
  peer: PeerFacts,
  access: AccessPort,
): Promise<LoginResult> {
  const identity = await access.authenticate(user, password);
  if (identity === undefined) {
    return { kind: 'refused', user, reason: `user '${user}' - invalid credentials` };
  }
  if (!peer.isTrusted && access.isLoopbackOnly(identity)) {
    return { kind: 'refused', user, reason: `user '${user}' can only connect via localhost` };
  }
  return { kind: 'accepted', identity };
}

function byName(user: string, access: AccessPort): LoginResult {
  const identity = access.identify(user);
  if (identity !== undefined) return { kind: 'accepted', identity };
  return { kind: 'refused', user, reason: `user '${user}' not found` };
}

/** RFC 4616: an identity to act as (not looked at), the user and the password, with NUL before the last two. */
function readPlain(response: Uint8Array): Credentials {
  const bytes = Buffer.from(response);
  const first = bytes.indexOf(0);
  const second = first === -1 ? -1 : bytes.indexOf(0, first + 1);
  if (second === -1 || bytes.indexOf(0, second + 1) !== -1) {
    throw new AmqpError('SYNTAX_ERROR', `response ${printBinary(bytes)} invalid`);
  }
  return {
    user: bytes.toString('utf8', first + 1, second),
    password: bytes.toString('utf8', second + 1),
  };
}

/** A field table without its length: LOGIN and PASSWORD. It was the standard's own mechanism before 0-9-1. */
function readAmqplain(response: Uint8Array): Credentials {
  let table;
  try {
    table = readTable(Buffer.from(response), 0, response.length);
  } catch (error) {
    throw new AmqpError('SYNTAX_ERROR', 'AMQPLAIN auth info is not a field table', {
      cause: error,
    });
  }
  const user = table.get('LOGIN');
  const password = table.get('PASSWORD');
  if (user?.type === 'S' && password?.type === 'S') {
    return { user: user.value, password: password.value };
  }
  if (user === undefined || password === undefined) {
    throw new AmqpError('SYNTAX_ERROR', 'AMQPLAIN auth info is missing LOGIN or PASSWORD field');
  }
  throw new AmqpError('SYNTAX_ERROR', 'AMQPLAIN auth info has LOGIN or PASSWORD of another type');
}
