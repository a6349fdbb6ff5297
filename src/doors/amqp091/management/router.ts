import { ApiError, badRequest, missing } from './api-error.ts';
import type { ApiRoute } from './api.ts';

export interface FoundRoute {
  readonly route: ApiRoute;
  readonly params: Record<string, string>;
}

interface Candidate {
  readonly route: ApiRoute;
  readonly segments: readonly string[];
  /** Fixed words before placeholders: of two routes that match, the one that says more counts. */
  readonly fixedCount: number;
}

/** Finds the route of a request. */
export class Router {
  readonly #bySegmentCount = new Map<number, Candidate[]>();

  constructor(routes: readonly ApiRoute[]) {
    for (const route of routes) {
      const segments = route.path.split('/');
      const fixedCount = segments.filter((segment) => !segment.startsWith('{')).length;
      const known = this.#bySegmentCount.get(segments.length) ?? [];
      known.push({ route, segments, fixedCount });
      this.#bySegmentCount.set(segments.length, known);
    }
    for (const candidates of this.#bySegmentCount.values()) {
      candidates.sort((a, b) => b.fixedCount - a.fixedCount);
    }
  }

  /** `allow` is given for OPTIONS. Throws an ApiError: 404 for a path that is not served, 405 for a wrong method. */
  find(method: string, path: string): FoundRoute | { readonly allow: string } {
    // RabbitMQ does not look at a slash behind the path, and some of its clients send one.
    const segments = path.replace(/\/$/, '').split('/');
    const wanted = method === 'HEAD' ? 'GET' : method;
    const allowed = new Set<string>();
    for (const { route, segments: pattern } of this.#bySegmentCount.get(segments.length) ?? []) {
      const params = match(pattern, segments);
      if (params === undefined) continue;
      if (route.method === wanted) return { route, params };
      if (route.method === 'GET') allowed.add('HEAD');
      allowed.add(route.method);
    }
    if (allowed.size === 0) throw missing();
    const allow = [...allowed, 'OPTIONS'].join(', ');
    if (method === 'OPTIONS') return { allow };
    throw new ApiError(405, 'method_not_allowed', `${path} has ${allow}`, { headers: { allow } });
  }
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!expected.startsWith('{')) {
      if (expected !== segment) return undefined;
    } else params[expected.slice(1, -1)] = decode(segment);
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw badRequest('the path is not percent-encoded UTF-8', error);
  }
}
