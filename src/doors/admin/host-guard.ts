import type { IncomingMessage } from 'node:http';
import { isLoopbackHost } from '../../net/index.ts';
import { Problem } from './problem.ts';

/**
 * Keeps web pages of others out of a door that asks for no credentials.
 *
 * A page anywhere can make a browser on this machine send requests to 127.0.0.1. Two rules stop it: the `Host` must
 * be a name that is ours (after DNS rebinding it is the attacker's, RFC 9110 §7.2), and a request that a page of
 * another origin caused must not change anything (`Origin`, RFC 6454 §7; `Sec-Fetch-Site`, Fetch Metadata).
 */
export class HostGuard {
  readonly #checksHost: boolean;
  readonly #names: ReadonlySet<string>;

  /** `listenHost` is what the door listens on; `names` are more names by which it is reached. */
  constructor(listenHost: string, names: readonly string[]) {
    // Beyond loopback anybody may call it under any name: only a person can allow that, with --insecure.
    this.#checksHost = isLoopbackHost(listenHost);
    this.#names = new Set([listenHost, ...names].map((name) => name.toLowerCase()));
  }

  /** Throws a Problem when the request must be refused. */
  check(request: IncomingMessage): void {
    const { host, origin } = request.headers;
    if (this.#checksHost && host !== undefined && !this.#isOurs(hostNameOf(host))) {
      throw new Problem(
        421,
        'host-refused',
        `this door is not known as "${host}"; if it should be, name it with --admin-hosts`,
      );
    }
    if (request.method === 'GET' || request.method === 'HEAD') return;
    const isForeign =
      origin === undefined
        ? request.headers['sec-fetch-site'] === 'cross-site'
        : host === undefined || hostOfOrigin(origin) !== host.toLowerCase();
    if (isForeign) {
      throw new Problem(403, 'origin-refused', 'a page of another origin may not change anything');
    }
  }

  #isOurs(name: string): boolean {
    return isLoopbackHost(name) || this.#names.has(name);
  }
}

/** `[::1]:7222` is `::1`, `LocalHost:7222` is `localhost`. */
function hostNameOf(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d*$/, '')).toLowerCase();
}

function hostOfOrigin(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host.toLowerCase() : undefined;
}
