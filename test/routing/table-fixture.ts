import type {
  Fields,
  Route,
  RouteFacts,
  RouteTable,
  RouteTarget,
} from '../../src/routing/index.ts';

export type NamedTarget = RouteTarget;

const targets = new Map<string, NamedTarget>();

/** The same name is the same target. */
export function createTarget(id: string): NamedTarget {
  let target = targets.get(id);
  if (target === undefined) {
    target = { id };
    targets.set(id, target);
  }
  return target;
}

export function createRoute(
  target: string,
  key: string,
  routeArguments: Fields = {},
): Route<NamedTarget> {
  return { target: createTarget(target), key, arguments: routeArguments };
}

export function createFacts(keys: readonly string[], headers: Fields = {}): RouteFacts {
  return { keys, headers: () => headers, property: () => undefined };
}

/** Names of what is found, in order of name. */
export function match(
  table: RouteTable<NamedTarget>,
  keys: readonly string[],
  headers: Fields = {},
): string[] {
  const found = new Set<NamedTarget>();
  table.match(createFacts(keys, headers), found);
  return [...found].map(({ id }) => id).toSorted();
}
