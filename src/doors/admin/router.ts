import type { Route } from './context.ts';
import { Problem } from './problem.ts';

/** Finds the route of a request. */
export class Router {
  readonly #routes: ReadonlyArray<{ route: Route; segments: readonly string[] }>;

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, segments: route.path.split('/') }));
  }

  /** Throws a Problem: 404 for a path that is not served, 405 for a method that its path does not have. */
  find(method: string, path: string): { route: Route; params: Record<string, string> } {
    const segments = path.split('/');
    // HEAD is GET without the body (RFC 9110 §9.3.2); node:http drops the body.
    const wanted = method === 'HEAD' ? 'GET' : method;
    const allowed: string[] = [];
    for (const candidate of this.#routes) {
      const params = match(candidate.segments, segments);
      if (params === undefined) continue;
      if (candidate.route.method === wanted) return { route: candidate.route, params };
      allowed.push(candidate.route.method);
    }
    if (allowed.length === 0) {
      throw new Problem(404, 'path-not-found', `nothing is served at ${path}; see /openapi.json`);
    }
    if (allowed.includes('GET')) allowed.push('HEAD');
    const allow = allowed.join(', ');
    throw new Problem(405, 'method-not-allowed', `${path} has ${allow}, not ${method}`, { allow });
  }
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!expected.startsWith('{')) {
      if (expected !== segment) return undefined;
    } else {
      const value = decode(segment);
      if (value === '') return undefined;
      params[expected.slice(1, -1)] = value;
    }
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new Problem(400, 'path-invalid', `"${segment}" is not percent-encoded UTF-8`);
  }
}
