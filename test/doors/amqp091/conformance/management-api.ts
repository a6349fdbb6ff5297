import type { Api } from './management-scenarios.ts';

/** The management API of the broker at this port. */
export function managementApi(port: number): Api {
  return async (method, path, body, user = 'guest:guest') => {
    const response = await fetch(`http://127.0.0.1:${port}/api/${path}`, {
      method,
      headers: {
        authorization: `Basic ${btoa(user)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      json: parse(unescape(text)),
      location: response.headers.get('location') ?? undefined,
    };
  };
}

/** RabbitMQ escapes what it repeats of a request for HTML. */
function unescape(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', String.raw`\"`)
    .replaceAll('&amp;', '&');
}

/** Errors of paths that are not there may be pages. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
