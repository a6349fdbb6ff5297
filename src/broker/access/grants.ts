import {
  type AccessKind,
  allOperations,
  operationBits as bits,
  type Permission,
  type ResourceKind,
} from '../ports/index.ts';
import type { PatternCache } from './pattern.ts';

/*
 * What permissions and tags are worth in operations. A permission is as good as rules that allow: its patterns are over the
 * names of topics, groups and transactional ids alike.
 */

type Grants = Readonly<Record<AccessKind, number>>;

const nothing: Grants = { configure: 0, write: 0, read: 0 };

const grantsByKind: Readonly<Record<ResourceKind, Grants>> = {
  topic: {
    configure:
      bits.create |
      bits.delete |
      bits.alter |
      bits.describe |
      bits['describe-configs'] |
      bits['alter-configs'],
    write: bits.write,
    read: bits.read,
  },
  group: {
    configure: bits.delete | bits.describe | bits['describe-configs'] | bits['alter-configs'],
    write: 0,
    read: bits.read,
  },
  transaction: { configure: bits.describe, write: bits.write, read: 0 },
  cluster: nothing,
  user: nothing,
};

/** What each kind of permission is asked for, in operations: all of them are needed. */
const needed: Grants = {
  configure: bits.create | bits.delete | bits.alter,
  write: bits.write,
  read: bits.read,
};

export function grantsOf(
  permission: Permission,
  patterns: PatternCache,
  kind: ResourceKind,
  name: string,
): number {
  const grants = grantsByKind[kind];
  let granted = 0;
  for (const access of ['configure', 'write', 'read'] as const) {
    if (grants[access] !== 0 && patterns.matches(permission[access], name)) {
      granted |= grants[access];
    }
  }
  return granted;
}

/** Whoever administers the broker can change rules, so that none may keep it from doing so. */
export function tagGrants(
  tags: readonly string[],
  kind: ResourceKind,
): { always: number; deniable: number } {
  const isAdministrator = tags.includes('administrator');
  if (isAdministrator && (kind === 'cluster' || kind === 'user')) {
    return { always: allOperations, deniable: 0 };
  }
  const isLooking = isAdministrator || tags.includes('monitoring');
  return { always: 0, deniable: isLooking ? bits.describe | bits['describe-configs'] : 0 };
}

/** Whoever may use or change something may know that it is there. Nothing is implied by what is denied. */
export function withImplied(allowed: number): number {
  let all = allowed;
  if ((allowed & (bits.read | bits.write | bits.delete | bits.alter)) !== 0) all |= bits.describe;
  if ((allowed & bits['alter-configs']) !== 0) all |= bits['describe-configs'];
  return all;
}

export function includes(operations: number, access: AccessKind): boolean {
  return (operations & needed[access]) === needed[access];
}
