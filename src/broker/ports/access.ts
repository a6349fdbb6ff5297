import type { Operation, ResourceKind } from './operations.ts';

/** Somebody who has proved who they are. */
export interface Identity {
  readonly name: string;
  readonly tags: readonly string[];
  /** No credentials were needed (a loopback listener). */
  readonly isAnonymous: boolean;
  /** Where it comes from, if the door says so: rules may be for one address. */
  readonly host?: string;
}

export type AccessKind = 'configure' | 'write' | 'read';

export interface User {
  readonly name: string;
  /** `administrator`, `monitoring`, `policymaker`, `management`, or any other word. */
  readonly tags: readonly string[];
  /** Algorithm and hash as they are stored; undefined: nobody can log in with a password. */
  readonly password: { readonly algorithm: string; readonly hash: string } | undefined;
  readonly limits: Readonly<Record<string, number>>;
}

export interface Permission {
  readonly user: string;
  readonly namespace: string;
  /** Regular expressions over names; '' matches nothing. */
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Narrows what may be written to and read from a topic exchange, by routing key. */
export interface TopicPermission {
  readonly user: string;
  readonly namespace: string;
  readonly exchange: string;
  readonly write: string;
  readonly read: string;
}

/** Allows or refuses somebody something of resources in the default namespace, beside permissions. */
export interface AccessRule {
  readonly effect: 'allow' | 'deny';
  /** The name of a user, who need not exist; `*`: everybody. */
  readonly user: string;
  /** The address that the user comes from; `*`: any. */
  readonly host: string;
  readonly kind: ResourceKind;
  /** `literal`: the resource of this name, or all with the name `*`. `prefix`: all whose names begin so. */
  readonly pattern: 'literal' | 'prefix';
  readonly name: string;
  readonly operation: Operation | 'all';
}

/** Rules that agree in all that is given. */
export interface AccessRuleFilter extends Partial<AccessRule> {
  /** Rules that apply to this resource, whatever their pattern. */
  readonly appliesTo?: string;
}

export interface Namespace {
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  /** `connections`, `queues`: at most so many; absent: no limit. */
  readonly limits: Readonly<Record<string, number>>;
  readonly createdMs: number;
}

/** Options for everything whose name matches; of several the one with the greatest priority. */
export interface Policy {
  readonly namespace: string;
  readonly name: string;
  readonly pattern: string;
  /** `queues`, `exchanges`, `all`, or a narrower word of a door. */
  readonly applyTo: string;
  readonly priority: number;
  /** As the door that made it wrote it: JSON text of a definition, which the doors of that family understand. */
  readonly definition: string;
  /** Of the operator: its limits win over everybody else's. */
  readonly isOperator: boolean;
}

export type ScramMechanism = 'sha-256' | 'sha-512';

/** What a server keeps to prove somebody by challenge and response (RFC 5802 §3); all but the number are base64. */
export interface ScramKeys {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

export interface AccessPort {
  /** Undefined when name and password do not fit. Slow on purpose; answers are cached for a short while. */
  authenticate(name: string, password: string): Promise<Identity | undefined>;
  /** The identity of a user that was proved in another way (a certificate); undefined when there is none. */
  identify(name: string): Identity | undefined;
  /** Undefined also where only a hash of the password is known. Whoever proves the keys is then `identify`-ed. */
  findScramKeys(name: string, mechanism: ScramMechanism): ScramKeys | undefined;
  /** It may connect from this machine only: its password is known to everybody. */
  isLoopbackOnly(identity: Identity): boolean;
  /** Somebody whom others vouch for (a token, a certificate): also without a user, with what rules allow it. */
  vouchedFor(name: string): Identity;
  /** Grows whenever what somebody may do has changed. */
  readonly version: number;
  /** Nobody needs to be asked whether this identity may do something: it may. */
  mayDoAll(identity: Identity): boolean;
  /** The set of `operationBits` that it may do with a resource in the default namespace. */
  operationsOn(identity: Identity, kind: ResourceKind, name: string): number;
  /** Whether there is any resource of the kind, existing or not, with which it may do so. */
  mayOnSome(identity: Identity, kind: ResourceKind, operation: Operation): boolean;

  /** Those that are there already are passed over. Rejects when there would be too many. */
  addRules(rules: readonly AccessRule[]): Promise<void>;
  listRules(filter?: AccessRuleFilter): AccessRule[];
  /** Those that are not there are passed over. */
  deleteRules(rules: readonly AccessRule[]): Promise<void>;

  /** The resource is a queue's or exchange's name. */
  allows(identity: Identity, namespace: string, kind: AccessKind, resource: string): boolean;
  allowsKey(
    identity: Identity,
    namespace: string,
    kind: 'write' | 'read',
    exchange: string,
    key: string,
  ): boolean;
  /** Whether it may use the namespace at all. */
  mayEnter(identity: Identity, namespace: string): boolean;

  findUser(name: string): User | undefined;
  listUsers(): User[];
  /** `password` is hashed here; `hashed` is stored as given. Neither: kept, or none. */
  putUser(user: {
    name: string;
    tags: readonly string[];
    password?: string;
    hashed?: { algorithm: string; hash: string };
    isPasswordRemoved?: boolean;
  }): Promise<void>;
  /**
   * Makes the user provable by what was derived from a password elsewhere, and makes the user if there is none. A password
   * that was set here is forgotten with all that was derived from it, as it may be another one.
   */
  putScramKeys(name: string, mechanism: ScramMechanism, keys: ScramKeys): Promise<void>;
  /** The user stays. */
  deleteScramKeys(name: string, mechanism: ScramMechanism): Promise<void>;
  setUserLimits(name: string, limits: Record<string, number>): Promise<void>;
  deleteUser(name: string): Promise<void>;

  listPermissions(filter?: { user?: string; namespace?: string }): Permission[];
  putPermission(permission: Permission): Promise<void>;
  deletePermission(user: string, namespace: string): Promise<void>;
  listTopicPermissions(filter?: { user?: string; namespace?: string }): TopicPermission[];
  putTopicPermission(permission: TopicPermission): Promise<void>;
  deleteTopicPermissions(user: string, namespace: string, exchange?: string): Promise<void>;

  findNamespace(name: string): Namespace | undefined;
  listNamespaces(): Namespace[];
  putNamespace(namespace: Omit<Namespace, 'createdMs'>): Promise<void>;
  /** Also deletes its queues, exchanges, permissions and policies. */
  deleteNamespace(name: string): Promise<void>;

  /** Grows with every change of a policy. */
  readonly policyVersion: number;
  /**
   * Calls `changed` whenever `policyVersion` has grown, until the function that it returns is called. It runs
   * synchronously where the change is applied: do little.
   */
  watchPolicies(changed: () => void): () => void;
  listPolicies(filter?: { namespace?: string; isOperator?: boolean }): Policy[];
  putPolicy(policy: Policy): Promise<void>;
  deletePolicy(namespace: string, name: string, isOperator: boolean): Promise<void>;
  /** The one that applies: kind is `queues` or `exchanges`, or a narrower word that `applyTo` may be. */
  findPolicy(
    namespace: string,
    name: string,
    kinds: readonly string[],
    isOperator: boolean,
  ): Policy | undefined;

  /** Named values that doors keep for tools: component, namespace ('' for all), name, JSON text. */
  listParameters(
    component?: string,
    namespace?: string,
  ): Array<{ component: string; namespace: string; name: string; value: string }>;
  putParameter(component: string, namespace: string, name: string, value: string): Promise<void>;
  deleteParameter(component: string, namespace: string, name: string): Promise<void>;
}
