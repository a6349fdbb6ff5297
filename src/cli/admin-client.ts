import type { Command } from 'commander';
import { hostAndPort } from '../net/index.ts';
import { address, StartFailure, ValueError } from '../server/index.ts';

/** Gives a command the flag that names the server's HTTP door. */
export function addAdminFlag(command: Command): Command {
  return command.option(
    '--admin <host:port>',
    'admin door of the server (or PABAL_ADMIN)',
    process.env['PABAL_ADMIN'] ?? '127.0.0.1:7222',
  );
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Calls the HTTP API of a server. */
export class AdminClient {
  readonly #base: string;

  /** Throws a StartFailure for an address that is none. */
  constructor(options: Readonly<Record<string, unknown>>) {
    const text = String(options['admin']);
    try {
      const { host, port } = address(1).parse(text);
      this.#base = `http://${hostAndPort(host, port)}`;
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new StartFailure(`--admin: ${error.message}, not "${text}"`, 1, { cause: error });
    }
  }

  /** The answer's JSON. Rejects as `request`. */
  async call(method: Method, path: string, body?: object): Promise<Record<string, unknown>> {
    return (await this.request(method, path, body)).answer;
  }

  /** Rejects with what the server says is wrong, or that there is none. */
  async request(
    method: Method,
    path: string,
    body?: object,
  ): Promise<{ status: number; answer: Record<string, unknown> }> {
    let response: Response;
    try {
      response = await fetch(this.#base + path, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
    } catch (error) {
      throw new Error(
        `nothing answers at ${this.#base}: start it with "npx pabal serve", or name another server with --admin`,
        { cause: error },
      );
    }
    const text = await response.text();
    const answer = parseObject(text);
    if (response.ok) return { status: response.status, answer };
    const detail = answer['detail'];
    throw new Error(
      typeof detail === 'string' ? detail : `the server answered ${response.status} to ${path}`,
    );
  }
}

function parseObject(text: string): Record<string, unknown> {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch (error) {
    // Somebody else's server: what it says is not for us.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
