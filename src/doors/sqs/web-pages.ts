import type { IncomingHttpHeaders } from 'node:http';
import { isLoopbackHost } from '../../net/index.ts';

/**
 * Whether a page that comes from elsewhere caused the request. A page anywhere can make a browser on this machine send requests
 * to 127.0.0.1; where no signatures are asked for, it would read and delete whatever there is. `Origin` (RFC 6454 §7) names where
 * the page is from; what a page asks for without it, such as a picture, is told by `Sec-Fetch-Site` (Fetch Metadata).
 * `isLocal`: the door listens for this machine only. Then also a name that is the same as the door's is foreign, unless it is
 * loopback's: after DNS rebinding the attacker's name leads here.
 */
export function isOfForeignPage(headers: IncomingHttpHeaders, isLocal: boolean): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return headers['sec-fetch-site'] === 'cross-site';
  if (!URL.canParse(origin)) return true;
  const name = new URL(origin).hostname.toLowerCase().replaceAll(/^\[|\]$/g, '');
  if (isLoopbackHost(name)) return false;
  return isLocal || name !== host?.toLowerCase().replace(/:\d*$/, '');
}
