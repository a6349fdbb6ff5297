/** The client's first message of OAUTHBEARER. */
export interface BearerMessage {
  readonly token: string;
  /** Says whom to act as; '': whom the token names. */
  readonly authorizationId: string;
}

/**
 * Reads it (RFC 7628 §3.1): a header as in SCRAM, and pairs between bytes 1, of which `auth` has the token. Others are
 * extensions of SASL (KIP-342), which nobody asks for here. Undefined when it is none.
 */
export function readBearer(message: string): BearerMessage | undefined {
  const [header = '', ...pairs] = message.split(separator);
  // The last pair and the message end with a separator each.
  if (pairs.pop() !== '' || pairs.pop() !== '') return undefined;
  const match = /^n,(?:a=(?<authorization>[^,]*))?,$/.exec(header);
  if (match === null) return undefined;
  let token: string | undefined;
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0) return undefined;
    if (pair.slice(0, at) !== 'auth') continue;
    const bearer = /^bearer +(?<token>[\w.~+/=-]+)$/i.exec(pair.slice(at + 1));
    if (token !== undefined || bearer?.groups === undefined) return undefined;
    token = bearer.groups['token'];
  }
  if (token === undefined) return undefined;
  const authorization = match.groups?.['authorization'] ?? '';
  const authorizationId = authorization.replaceAll('=2C', ',').replaceAll('=3D', '=');
  return { token, authorizationId };
}

const separator = '\u0001';
