import { isIPv6 } from 'node:net';
import {
  type AccessRule,
  type AccessRuleFilter,
  clusterName,
  type Operation,
  operations,
  type ResourceKind,
  resourceKinds,
} from '../../broker/index.ts';
import { operationCodes } from './access/index.ts';
import { errorCodes } from './error-codes.ts';
import { Refusal } from './refusal.ts';

/*
 * Kafka's ACLs are the broker's rules (KIP-11, KIP-290): `User:ann` is the user `ann`, and whoever came in without a login is
 * `User:ANONYMOUS` there and here. Delegation tokens are no resource here.
 */

const any = 1;

const resourceCodes = {
  topic: 2,
  group: 3,
  cluster: 4,
  transaction: 5,
  user: 7,
} as const satisfies Record<ResourceKind, number>;

const delegationToken = 6;

/** Kafka's name of the one resource that it has of the kind. */
const kafkaClusterName = 'kafka-cluster';

const patternCodes = { any, match: 2, literal: 3, prefix: 4 } as const;
const effectCodes = { deny: 2, allow: 3 } as const;
const allCode = 2;
const principalPrefix = 'User:';

/** An ACL with its resource, under neutral names of its fields: requests and answers have several of their own. */
export interface Acl {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

/** The same, with what may be left open. */
export interface AclFilter {
  readonly resourceTypeFilter: number;
  readonly resourceNameFilter: string | null;
  readonly patternTypeFilter: number;
  readonly principalFilter: string | null;
  readonly hostFilter: string | null;
  readonly operation: number;
  readonly permissionType: number;
}

export function toAcl(rule: AccessRule): Acl {
  const isCluster = rule.kind === 'cluster' && rule.pattern === 'literal';
  return {
    resourceType: resourceCodes[rule.kind],
    resourceName: isCluster && rule.name === clusterName ? kafkaClusterName : rule.name,
    patternType: patternCodes[rule.pattern],
    principal: `${principalPrefix}${rule.user}`,
    host: rule.host,
    operation: rule.operation === 'all' ? allCode : operationCodes[rule.operation],
    permissionType: effectCodes[rule.effect],
  };
}

/** The rule of an ACL that is to be made. */
export function readAcl(acl: Acl): AccessRule | Refusal {
  const kind = kindOf(acl.resourceType);
  if (kind === undefined) {
    return refuse(
      acl.resourceType === delegationToken
        ? 'Delegation tokens are not supported.'
        : `Invalid resource type ${acl.resourceType}`,
    );
  }
  if (acl.patternType !== patternCodes.literal && acl.patternType !== patternCodes.prefix) {
    return refuse('The pattern type of an ACL must be LITERAL or PREFIXED.');
  }
  if (acl.permissionType !== effectCodes.allow && acl.permissionType !== effectCodes.deny) {
    return refuse('The permission type of an ACL must be ALLOW or DENY.');
  }
  const operation = operationOf(acl.operation);
  if (operation === undefined) return refuse(`Invalid operation ${acl.operation}`);
  if (!acl.principal.startsWith(principalPrefix) || acl.principal === principalPrefix) {
    return refuse(`Principals are users, written User:NAME, not ${acl.principal}`);
  }
  if (acl.host === '') return refuse('The host of an ACL must not be empty.');
  if (acl.resourceName === '') return refuse('The resource name must not be empty.');
  const isCluster = kind === 'cluster';
  const isClusterName =
    acl.patternType === patternCodes.literal && acl.resourceName === kafkaClusterName;
  if (isCluster && !isClusterName) {
    return refuse(`The only valid name for the CLUSTER resource is ${kafkaClusterName}`);
  }
  return {
    effect: acl.permissionType === effectCodes.allow ? 'allow' : 'deny',
    user: acl.principal.slice(principalPrefix.length),
    host: plainHost(acl.host),
    kind,
    pattern: acl.patternType === patternCodes.literal ? 'literal' : 'prefix',
    name: isCluster ? clusterName : acl.resourceName,
    operation,
  };
}

/** Undefined: nothing can match. */
export function readAclFilter(filter: AclFilter): AccessRuleFilter | undefined | Refusal {
  const { resourceTypeFilter, patternTypeFilter, operation, permissionType } = filter;
  const wanted: { -readonly [key in keyof AccessRuleFilter]: AccessRuleFilter[key] } = {};
  if (resourceTypeFilter !== any) {
    const kind = kindOf(resourceTypeFilter);
    if (kind === undefined && resourceTypeFilter !== delegationToken) {
      return refuse(`Invalid resource type ${resourceTypeFilter}`);
    }
    if (kind === undefined) return undefined;
    wanted.kind = kind;
  }
  if (operation !== any) {
    const known = operationOf(operation);
    if (known === undefined) return refuse(`Invalid operation ${operation}`);
    wanted.operation = known;
  }
  if (permissionType !== any) {
    if (permissionType !== effectCodes.allow && permissionType !== effectCodes.deny) {
      return refuse(`Invalid permission type ${permissionType}`);
    }
    wanted.effect = permissionType === effectCodes.allow ? 'allow' : 'deny';
  }
  const problem = addPattern(wanted, filter.resourceNameFilter, patternTypeFilter);
  if (problem !== undefined) return problem;
  if (filter.hostFilter !== null) wanted.host = plainHost(filter.hostFilter);
  if (filter.principalFilter !== null) {
    if (!filter.principalFilter.startsWith(principalPrefix)) return undefined;
    wanted.user = filter.principalFilter.slice(principalPrefix.length);
  }
  return wanted;
}

function addPattern(
  wanted: { -readonly [key in keyof AccessRuleFilter]: AccessRuleFilter[key] },
  name: string | null,
  patternType: number,
): Refusal | undefined {
  switch (patternType) {
    case patternCodes.any:
    case patternCodes.match:
      break;
    case patternCodes.literal:
      wanted.pattern = 'literal';
      break;
    case patternCodes.prefix:
      wanted.pattern = 'prefix';
      break;
    default:
      return refuse(`Invalid pattern type ${patternType}`);
  }
  if (name === null) return undefined;
  const neutral = wanted.kind === 'cluster' && name === kafkaClusterName ? clusterName : name;
  if (patternType === patternCodes.match) wanted.appliesTo = neutral;
  else wanted.name = neutral;
  return undefined;
}

function kindOf(code: number): ResourceKind | undefined {
  return resourceKinds.find((kind) => resourceCodes[kind] === code);
}

function operationOf(code: number): Operation | 'all' | undefined {
  if (code === allCode) return 'all';
  return operations.find((operation) => operationCodes[operation] === code);
}

/** Addresses are compared as the socket writes them: IPv6 in its shortest form. */
function plainHost(host: string): string {
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
}

function refuse(message: string): Refusal {
  return new Refusal(errorCodes.INVALID_REQUEST, message);
}
