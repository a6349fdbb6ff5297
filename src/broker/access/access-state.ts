import { entryKind } from '../../shard/index.ts';
import type { AccessRule, Namespace, Permission, Policy, TopicPermission } from '../ports/index.ts';
import { initialAccess } from './initial-access.ts';
import type { StoredCredentials } from './passwords.ts';
import { AccessRules } from './rules.ts';

const first = entryKind.extensionMin + 64;

/** Entry kinds of access; payloads are JSON, and whole: what was there under the same name is replaced. */
export const accessEntryKind = {
  /** A StoredUser. */
  userPut: first,
  /** `{ name }`; its permissions go, too. */
  userDeleted: first + 1,
  /** A Permission. */
  permissionPut: first + 2,
  /** `{ user, namespace }` */
  permissionDeleted: first + 3,
  /** A TopicPermission. */
  topicPermissionPut: first + 4,
  /** `{ user, namespace, exchange? }` */
  topicPermissionsDeleted: first + 5,
  /** A Namespace. */
  namespacePut: first + 6,
  /** `{ name }`; permissions, policies and parameters of it go, too. */
  namespaceDeleted: first + 7,
  /** A Policy. */
  policyPut: first + 8,
  /** `{ namespace, name, isOperator }` */
  policyDeleted: first + 9,
  /** A Parameter. */
  parameterPut: first + 10,
  /** `{ component, namespace, name }` */
  parameterDeleted: first + 11,
  /** `{ rules }`: each an AccessRule. */
  rulesAdded: first + 12,
  /** `{ rules }` */
  rulesDeleted: first + 13,
  /** The range that is ours. */
  last: first + 31,
} as const;

export interface StoredUser {
  readonly name: string;
  readonly tags: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** Absent: nobody can log in with a password. */
  readonly credentials?: StoredCredentials | undefined;
}

export interface Parameter {
  readonly component: string;
  readonly namespace: string;
  readonly name: string;
  readonly value: string;
}

/** Part of a snapshot, as JSON. */
export interface StoredAccess {
  readonly users: readonly StoredUser[];
  readonly permissions: readonly Permission[];
  readonly topicPermissions: readonly TopicPermission[];
  readonly namespaces: readonly Namespace[];
  readonly policies: readonly Policy[];
  readonly parameters: readonly Parameter[];
  /** Absent in snapshots that are older than rules. */
  readonly rules?: readonly AccessRule[];
}

/** Users and what they may do, namespaces, policies and parameters, in memory. Nothing here is checked or waited for. */
export class AccessState {
  readonly users = new Map<string, StoredUser>();
  readonly namespaces = new Map<string, Namespace>();
  /** By namespace and user. */
  readonly permissions = new Map<string, Map<string, Permission>>();
  /** By namespace and user, then by exchange. */
  readonly topicPermissions = new Map<string, Map<string, Map<string, TopicPermission>>>();
  readonly policies = new Map<string, Policy>();
  readonly parameters = new Map<string, Parameter>();
  readonly rules = new AccessRules();
  /** Grows with every change. */
  version = 0;
  permissionCount = 0;
  topicPermissionCount = 0;
  policyVersion = 0;
  /** Grows with every change of a user; a user that comes back has another one. */
  readonly #revisions = new Map<string, number>();
  #revision = 0;

  revisionOf(user: string): number {
    return this.#revisions.get(user) ?? -1;
  }

  apply(kind: number, payload: Uint8Array): void {
    const entry: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    this.version++;
    // The casts name what an entry of the kind was made from.
    switch (kind) {
      case accessEntryKind.userPut:
        this.#putUser(entry as StoredUser);
        break;
      case accessEntryKind.userDeleted:
        this.#deleteUser((entry as { name: string }).name);
        break;
      case accessEntryKind.permissionPut:
        this.#putPermission(entry as Permission);
        break;
      case accessEntryKind.permissionDeleted:
        this.#deletePermission(entry as { user: string; namespace: string });
        break;
      case accessEntryKind.topicPermissionPut:
        this.#putTopicPermission(entry as TopicPermission);
        break;
      case accessEntryKind.topicPermissionsDeleted:
        this.#deleteTopicPermissions(entry as { user: string; namespace: string });
        break;
      case accessEntryKind.namespacePut:
        this.#putNamespace(entry as Namespace);
        break;
      case accessEntryKind.namespaceDeleted:
        this.#deleteNamespace((entry as { name: string }).name);
        break;
      case accessEntryKind.policyPut:
        this.#putPolicy(entry as Policy);
        break;
      case accessEntryKind.policyDeleted:
        this.policies.delete(policyKey(entry as Policy));
        this.policyVersion++;
        break;
      case accessEntryKind.parameterPut:
        this.#putParameter(entry as Parameter);
        break;
      case accessEntryKind.parameterDeleted:
        this.parameters.delete(parameterKey(entry as Parameter));
        break;
      case accessEntryKind.rulesAdded:
        for (const rule of (entry as { rules: AccessRule[] }).rules) this.rules.add(rule);
        break;
      case accessEntryKind.rulesDeleted:
        for (const rule of (entry as { rules: AccessRule[] }).rules) this.rules.delete(rule);
        break;
      default:
        throw new Error(`an entry of access has the unknown kind ${kind}`);
    }
  }

  encode(): Uint8Array {
    const stored: StoredAccess = {
      users: [...this.users.values()],
      permissions: this.listPermissions(),
      topicPermissions: this.listTopicPermissions(),
      namespaces: [...this.namespaces.values()],
      policies: [...this.policies.values()],
      parameters: [...this.parameters.values()],
      rules: this.rules.values(),
    };
    return Buffer.from(JSON.stringify(stored), 'utf8');
  }

  restore(bytes: Uint8Array | undefined): void {
    const stored =
      bytes === undefined
        ? initialAccess
        : (JSON.parse(Buffer.from(bytes).toString('utf8')) as StoredAccess);
    this.users.clear();
    this.namespaces.clear();
    this.permissions.clear();
    this.topicPermissions.clear();
    this.policies.clear();
    this.parameters.clear();
    this.rules.clear();
    this.#revisions.clear();
    this.permissionCount = 0;
    this.topicPermissionCount = 0;
    this.policyVersion++;
    this.version++;
    for (const rule of stored.rules ?? []) this.rules.add(rule);
    for (const namespace of stored.namespaces) this.#putNamespace(namespace);
    for (const user of stored.users) this.#putUser(user);
    for (const permission of stored.permissions) this.#putPermission(permission);
    for (const permission of stored.topicPermissions) this.#putTopicPermission(permission);
    for (const policy of stored.policies) this.#putPolicy(policy);
    for (const parameter of stored.parameters) this.#putParameter(parameter);
  }

  listPermissions(): Permission[] {
    return [...this.permissions.values()].flatMap((byUser) => Array.from(byUser.values()));
  }

  listTopicPermissions(): TopicPermission[] {
    return [...this.topicPermissions.values()].flatMap((byUser) =>
      Array.from(byUser.values()).flatMap((byExchange) => Array.from(byExchange.values())),
    );
  }

  #putUser(user: StoredUser): void {
    this.users.set(user.name, user);
    this.#revisions.set(user.name, ++this.#revision);
  }

  #deleteUser(name: string): void {
    this.users.delete(name);
    this.#revisions.delete(name);
    for (const namespace of this.permissions.keys()) {
      this.#deletePermission({ user: name, namespace });
    }
    for (const namespace of this.topicPermissions.keys()) {
      this.#deleteTopicPermissions({ user: name, namespace });
    }
  }

  #putPermission(permission: Permission): void {
    const byUser = getOrAdd(this.permissions, permission.namespace, () => new Map());
    if (!byUser.has(permission.user)) this.permissionCount++;
    byUser.set(permission.user, permission);
  }

  #deletePermission({ user, namespace }: { user: string; namespace: string }): void {
    const byUser = this.permissions.get(namespace);
    if (byUser?.delete(user) !== true) return;
    this.permissionCount--;
    if (byUser.size === 0) this.permissions.delete(namespace);
  }

  #putTopicPermission(permission: TopicPermission): void {
    const byUser = getOrAdd(this.topicPermissions, permission.namespace, () => new Map());
    const byExchange = getOrAdd(byUser, permission.user, () => new Map());
    if (!byExchange.has(permission.exchange)) this.topicPermissionCount++;
    byExchange.set(permission.exchange, permission);
  }

  #deleteTopicPermissions(entry: { user: string; namespace: string; exchange?: string }): void {
    const { user, namespace, exchange } = entry;
    const byUser = this.topicPermissions.get(namespace);
    const byExchange = byUser?.get(user);
    if (byUser === undefined || byExchange === undefined) return;
    const before = byExchange.size;
    if (exchange === undefined) byExchange.clear();
    else byExchange.delete(exchange);
    this.topicPermissionCount -= before - byExchange.size;
    if (byExchange.size === 0) byUser.delete(user);
    if (byUser.size === 0) this.topicPermissions.delete(namespace);
  }

  #putNamespace(namespace: Namespace): void {
    this.namespaces.set(namespace.name, namespace);
  }

  #deleteNamespace(name: string): void {
    this.namespaces.delete(name);
    this.permissionCount -= this.permissions.get(name)?.size ?? 0;
    this.permissions.delete(name);
    for (const byExchange of this.topicPermissions.get(name)?.values() ?? []) {
      this.topicPermissionCount -= byExchange.size;
    }
    this.topicPermissions.delete(name);
    for (const [key, policy] of this.policies) {
      if (policy.namespace === name) this.policies.delete(key);
    }
    for (const [key, parameter] of this.parameters) {
      if (parameter.namespace === name) this.parameters.delete(key);
    }
    this.policyVersion++;
  }

  #putPolicy(policy: Policy): void {
    this.policies.set(policyKey(policy), policy);
    this.policyVersion++;
  }

  #putParameter(parameter: Parameter): void {
    this.parameters.set(parameterKey(parameter), parameter);
  }
}

export function policyKey(policy: Pick<Policy, 'namespace' | 'name' | 'isOperator'>): string {
  return JSON.stringify([policy.namespace, policy.name, policy.isOperator]);
}

export function parameterKey(parameter: Omit<Parameter, 'value'>): string {
  return JSON.stringify([parameter.component, parameter.namespace, parameter.name]);
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
