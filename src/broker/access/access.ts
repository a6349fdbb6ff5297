import { BrokerError, type Clock, limits, present, type Random } from '../../base/index.ts';
import type { StateExtension } from '../../shard/index.ts';
import {
  type AccessKind,
  type AccessPort,
  type AccessRule,
  type AccessRuleFilter,
  allOperations,
  anonymousInRules,
  type Identity,
  type Namespace,
  type Operation,
  type Permission,
  type Policy,
  type ResourceKind,
  type ScramKeys,
  type ScramMechanism,
  type TopicPermission,
  type User,
} from '../ports/index.ts';
import {
  accessEntryKind,
  AccessState,
  parameterKey,
  policyKey,
  type Parameter,
  type StoredUser,
} from './access-state.ts';
import { guestName } from './initial-access.ts';
import { grantsOf, includes, tagGrants, withImplied } from './grants.ts';
import { checkNewPassword, checkScramKeys, checkStoredPassword, Passwords } from './passwords.ts';
import { compilePattern, escapePattern, PatternCache } from './pattern.ts';
import { ProvedCredentials } from './proved-credentials.ts';

/** What a namespace holds, which is others' business. */
export interface NamespaceContents {
  /** There is a namespace of this name now, or again after a recovery. */
  opened(namespace: string): void;
  /** Deletes all queues, topics and exchanges of it. Resolves when that is durable. */
  clear(namespace: string): Promise<void>;
}

/** Of the first shard. */
export interface AccessJournal {
  submit(kind: number, payload: Uint8Array): Promise<void>;
}

export interface AccessParts {
  clock: Clock;
  random: Random;
  contents: NamespaceContents;
  /** Users who may connect from this machine only. Default: `guest`. */
  loopbackUsers?: readonly string[];
}

/** Whoever comes in where no credentials are asked for. */
export const anonymous: Identity = {
  name: 'anonymous',
  tags: ['administrator'],
  isAnonymous: true,
};

/** Namespaces are shown by this where a name is needed in a pattern. */
const defaultNamespaceText = '/';

/** Users, permissions, namespaces, policies, parameters: state of the first shard. */
export class Access implements AccessPort, StateExtension {
  readonly name = 'access';
  readonly #clock: Clock;
  readonly #contents: NamespaceContents;
  readonly #loopbackUsers: ReadonlySet<string>;
  readonly #state = new AccessState();
  readonly #passwords: Passwords;
  readonly #proved: ProvedCredentials;
  /** Checks that are under way, by credentials: many connections that come at once share one. */
  readonly #checks = new Map<string, Promise<Identity | undefined>>();
  readonly #patterns = new PatternCache();
  readonly #policyAnswers = new Map<string, Policy | undefined>();
  #policyAnswersVersion = -1;
  /** One for each door. */
  readonly #policyWatchers = new Set<() => void>();
  #policyVersionTold = 0;
  /** Namespaces that are being deleted. */
  readonly #leaving = new Set<string>();
  #journal: AccessJournal | undefined;

  constructor(parts: AccessParts) {
    this.#clock = parts.clock;
    this.#contents = parts.contents;
    this.#loopbackUsers = new Set(parts.loopbackUsers ?? [guestName]);
    this.#passwords = new Passwords(parts.random);
    this.#proved = new ProvedCredentials(parts.clock, parts.random);
    this.#state.restore(undefined);
  }

  /** Gives it the shard that journals its entries. */
  attach(journal: AccessJournal): void {
    this.#journal = journal;
  }

  /** After recovery: tells what namespaces there are. */
  link(): void {
    for (const name of this.#state.namespaces.keys()) this.#contents.opened(name);
  }

  // Who it is

  async authenticate(name: string, password: string): Promise<Identity | undefined> {
    if (password === '' || Buffer.byteLength(password) > limits.passwordBytesMax) return undefined;
    const key = this.#proved.keyOf(name, password);
    if (this.#proved.has(key, this.#state.revisionOf(name))) return this.identify(name);
    let check = this.#checks.get(key);
    if (check === undefined) {
      check = this.#check(name, password, key).finally(() => this.#checks.delete(key));
      this.#checks.set(key, check);
    }
    return check;
  }

  async #check(name: string, password: string, key: string): Promise<Identity | undefined> {
    const user = this.#state.users.get(name);
    const revision = this.#state.revisionOf(name);
    const isRight = await this.#passwords.verify(user?.credentials, password);
    // A change meanwhile may have been the very reason to change it.
    if (!isRight || this.#state.revisionOf(name) !== revision) return undefined;
    this.#proved.add(key, revision);
    return this.identify(name);
  }

  identify(name: string): Identity | undefined {
    const user = this.#state.users.get(name);
    return user === undefined ? undefined : { name, tags: user.tags, isAnonymous: false };
  }

  findScramKeys(name: string, mechanism: ScramMechanism): ScramKeys | undefined {
    return this.#state.users.get(name)?.credentials?.scram?.[mechanism];
  }

  isLoopbackOnly(identity: Identity): boolean {
    return !identity.isAnonymous && this.#loopbackUsers.has(identity.name);
  }

  vouchedFor(name: string): Identity {
    return this.identify(name) ?? { name, tags: [], isAnonymous: false };
  }

  // What it may do

  get version(): number {
    return this.#state.version;
  }

  mayDoAll(identity: Identity): boolean {
    return identity.isAnonymous && this.#state.rules.count === 0;
  }

  operationsOn(identity: Identity, kind: ResourceKind, name: string): number {
    const { rules } = this.#state;
    const { allowed, denied, isRuled } = rules.ask(inRules(identity), identity.host, kind, name);
    // Who needed no credentials may do whatever nobody has made a rule for.
    if (identity.isAnonymous) {
      return isRuled ? withImplied(allowed) & ~denied : allOperations;
    }
    const permission = this.#state.permissions.get('')?.get(identity.name);
    const granted = permission === undefined ? 0 : grantsOf(permission, this.#patterns, kind, name);
    const tagged = tagGrants(identity.tags, kind);
    return (withImplied(allowed | granted | tagged.deniable) & ~denied) | tagged.always;
  }

  mayOnSome(identity: Identity, kind: ResourceKind, operation: Operation): boolean {
    const { rules } = this.#state;
    const user = inRules(identity);
    const { host } = identity;
    if (rules.allowsSome(user, host, kind, operation)) return true;
    if (rules.deniesAll(user, host, kind, operation)) return false;
    // Some name is without a rule, for they cannot be about all names and allow none.
    if (identity.isAnonymous) return true;
    const permission = this.#state.permissions.get('')?.get(identity.name);
    if (permission === undefined) return false;
    const pattern = operation === 'write' || operation === 'read' ? operation : 'configure';
    return permission[pattern] !== '';
  }

  allows(identity: Identity, namespace: string, kind: AccessKind, resource: string): boolean {
    if (namespace === '' && this.#state.rules.count > 0) {
      return includes(this.operationsOn(identity, 'topic', resource), kind);
    }
    if (identity.isAnonymous) return true;
    const permission = this.#state.permissions.get(namespace)?.get(identity.name);
    return permission !== undefined && this.#patterns.matches(permission[kind], resource);
  }

  allowsKey(
    identity: Identity,
    namespace: string,
    kind: 'write' | 'read',
    exchange: string,
    key: string,
  ): boolean {
    if (identity.isAnonymous) return true;
    const permissions = this.#state.topicPermissions.get(namespace)?.get(identity.name);
    const permission = permissions?.get(exchange);
    if (permission === undefined) return true;
    return this.#patterns.matches(expand(permission[kind], identity.name, namespace), key);
  }

  mayEnter(identity: Identity, namespace: string): boolean {
    if (!this.#state.namespaces.has(namespace) || this.#leaving.has(namespace)) return false;
    return (
      identity.isAnonymous ||
      this.#state.permissions.get(namespace)?.has(identity.name) === true ||
      (namespace === '' && this.#state.rules.allowsSomething(identity.name))
    );
  }

  // Users

  findUser(name: string): User | undefined {
    const user = this.#state.users.get(name);
    return user === undefined ? undefined : describeUser(user);
  }

  listUsers(): User[] {
    return [...this.#state.users.values()].toSorted(byName).map(describeUser);
  }

  async putUser(user: Parameters<AccessPort['putUser']>[0]): Promise<void> {
    const { name, tags, password, hashed, isPasswordRemoved } = user;
    checkName('user', name);
    if (password !== undefined) checkNewPassword(password);
    if (hashed !== undefined) checkStoredPassword(hashed);
    const derived = password === undefined ? undefined : await this.#passwords.derive(password);
    const known = this.#state.users.get(name);
    if (known === undefined) checkCount('users', this.#state.users.size, limits.usersMax);
    const given = derived ?? (hashed === undefined ? undefined : { password: hashed });
    const credentials = given ?? (isPasswordRemoved === true ? undefined : known?.credentials);
    await this.#submit(accessEntryKind.userPut, {
      name,
      tags: [...new Set(tags)],
      limits: known?.limits ?? {},
      credentials,
    } satisfies StoredUser);
  }

  async putScramKeys(name: string, mechanism: ScramMechanism, keys: ScramKeys): Promise<void> {
    checkName('user', name);
    checkScramKeys(mechanism, keys);
    const known = this.#state.users.get(name);
    if (known === undefined) checkCount('users', this.#state.users.size, limits.usersMax);
    // Keys that were derived from the password that was set here go with it.
    const isOfPassword = known?.credentials?.password !== undefined;
    const others = isOfPassword ? {} : known?.credentials?.scram;
    const { salt, iterations, storedKey, serverKey } = keys;
    await this.#submit(accessEntryKind.userPut, {
      name,
      tags: known?.tags ?? [],
      limits: known?.limits ?? {},
      credentials: {
        scram: { ...others, [mechanism]: { salt, iterations, storedKey, serverKey } },
      },
    } satisfies StoredUser);
  }

  async deleteScramKeys(name: string, mechanism: ScramMechanism): Promise<void> {
    const user = this.#getUser(name);
    const { [mechanism]: _deleted, ...others } = user.credentials?.scram ?? {};
    const scram = Object.keys(others).length === 0 ? undefined : others;
    const password = user.credentials?.password;
    const credentials =
      scram === undefined && password === undefined
        ? undefined
        : {
            ...(password === undefined ? {} : { password }),
            ...(scram === undefined ? {} : { scram }),
          };
    await this.#submit(accessEntryKind.userPut, { ...user, credentials } satisfies StoredUser);
  }

  async setUserLimits(name: string, values: Record<string, number>): Promise<void> {
    const user = this.#getUser(name);
    checkLimits(values);
    await this.#submit(accessEntryKind.userPut, { ...user, limits: values } satisfies StoredUser);
  }

  async deleteUser(name: string): Promise<void> {
    this.#getUser(name);
    await this.#submit(accessEntryKind.userDeleted, { name });
  }

  // Rules

  async addRules(rules: readonly AccessRule[]): Promise<void> {
    for (const rule of rules) checkRule(rule);
    const fresh = rules.filter((rule) => !this.#state.rules.has(rule));
    checkCount('rules', this.#state.rules.count + fresh.length - 1, limits.accessRulesMax);
    await this.#submitRules(accessEntryKind.rulesAdded, fresh);
  }

  listRules(filter: AccessRuleFilter = {}): AccessRule[] {
    return this.#state.rules.list(filter);
  }

  async deleteRules(rules: readonly AccessRule[]): Promise<void> {
    const known = rules.filter((rule) => this.#state.rules.has(rule));
    await this.#submitRules(accessEntryKind.rulesDeleted, known);
  }

  /** All entries are there at once, in the order of the rules, though a crash may keep the first of them only. */
  async #submitRules(kind: number, rules: readonly AccessRule[]): Promise<void> {
    const submitted: Array<Promise<void>> = [];
    for (let at = 0; at < rules.length; at += limits.accessRulesPerEntryMax) {
      const part = rules.slice(at, at + limits.accessRulesPerEntryMax);
      submitted.push(this.#submit(kind, { rules: part.map(copyRule) }));
    }
    await Promise.all(submitted);
  }

  // Permissions

  listPermissions(filter: { user?: string; namespace?: string } = {}): Permission[] {
    return this.#state.listPermissions().filter(isWanted(filter)).toSorted(byNamespaceAndUser);
  }

  async putPermission(permission: Permission): Promise<void> {
    const { user, namespace, configure, write, read } = permission;
    this.#getUser(user);
    this.#getNamespace(namespace);
    for (const pattern of [configure, write, read]) compilePattern(pattern);
    if (this.#state.permissions.get(namespace)?.has(user) !== true) {
      checkCount('permissions', this.#state.permissionCount, limits.permissionsMax);
    }
    const entry: Permission = { user, namespace, configure, write, read };
    await this.#submit(accessEntryKind.permissionPut, entry);
  }

  async deletePermission(user: string, namespace: string): Promise<void> {
    await this.#submit(accessEntryKind.permissionDeleted, { user, namespace });
  }

  listTopicPermissions(filter: { user?: string; namespace?: string } = {}): TopicPermission[] {
    return this.#state.listTopicPermissions().filter(isWanted(filter)).toSorted(byNamespaceAndUser);
  }

  async putTopicPermission(permission: TopicPermission): Promise<void> {
    const { user, namespace, exchange, write, read } = permission;
    this.#getUser(user);
    this.#getNamespace(namespace);
    for (const pattern of [write, read]) compilePattern(expand(pattern, user, namespace));
    const byExchange = this.#state.topicPermissions.get(namespace)?.get(user);
    if (byExchange?.has(exchange) !== true) {
      checkCount('topic permissions', this.#state.topicPermissionCount, limits.permissionsMax);
    }
    const entry: TopicPermission = { user, namespace, exchange, write, read };
    await this.#submit(accessEntryKind.topicPermissionPut, entry);
  }

  async deleteTopicPermissions(user: string, namespace: string, exchange?: string): Promise<void> {
    await this.#submit(accessEntryKind.topicPermissionsDeleted, { user, namespace, exchange });
  }

  // Namespaces

  findNamespace(name: string): Namespace | undefined {
    return this.#state.namespaces.get(name);
  }

  listNamespaces(): Namespace[] {
    return [...this.#state.namespaces.values()].toSorted(byName);
  }

  async putNamespace(namespace: Omit<Namespace, 'createdMs'>): Promise<void> {
    const { name, description, tags, attributes, limits: values } = namespace;
    if (name !== '') checkName('namespace', name);
    checkLimits(values);
    if (this.#leaving.has(name)) {
      throw new BrokerError('policy-refused', `the namespace ${name} is being deleted`);
    }
    const known = this.#state.namespaces.get(name);
    if (known === undefined) {
      checkCount('namespaces', this.#state.namespaces.size, limits.namespacesMax);
    }
    await this.#submit(accessEntryKind.namespacePut, {
      name,
      description,
      tags,
      attributes,
      limits: values,
      createdMs: known?.createdMs ?? this.#clock.nowMs(),
    } satisfies Namespace);
    this.#contents.opened(name);
  }

  async deleteNamespace(name: string): Promise<void> {
    this.#getNamespace(name);
    if (name === '') {
      throw new BrokerError('policy-refused', 'the default namespace cannot be deleted');
    }
    // Nobody enters any more. What is there goes first: after a crash in between the namespace can be deleted again.
    this.#leaving.add(name);
    try {
      await this.#contents.clear(name);
      await this.#submit(accessEntryKind.namespaceDeleted, { name });
      // Whoever was inside may have declared something meanwhile.
      await this.#contents.clear(name);
    } finally {
      this.#leaving.delete(name);
    }
  }

  // Policies

  get policyVersion(): number {
    return this.#state.policyVersion;
  }

  watchPolicies(changed: () => void): () => void {
    // Each has its own place, though the same function may come twice.
    const watcher = (): void => changed();
    this.#policyWatchers.add(watcher);
    return () => void this.#policyWatchers.delete(watcher);
  }

  listPolicies(filter: { namespace?: string; isOperator?: boolean } = {}): Policy[] {
    const { namespace, isOperator } = filter;
    return [...this.#state.policies.values()]
      .filter((policy) => namespace === undefined || policy.namespace === namespace)
      .filter((policy) => isOperator === undefined || policy.isOperator === isOperator)
      .toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
  }

  async putPolicy(policy: Policy): Promise<void> {
    const { namespace, name, pattern, applyTo, priority, definition, isOperator } = policy;
    this.#getNamespace(namespace);
    checkName('policy', name);
    compilePattern(pattern);
    checkJson(definition);
    if (!Number.isSafeInteger(priority)) {
      throw new BrokerError('config-invalid', `a priority is a whole number, not ${priority}`);
    }
    if (!this.#state.policies.has(policyKey(policy))) {
      checkCount('policies', this.#state.policies.size, limits.policiesMax);
    }
    const entry = { namespace, name, pattern, applyTo, priority, definition, isOperator };
    await this.#submit(accessEntryKind.policyPut, entry satisfies Policy);
  }

  async deletePolicy(namespace: string, name: string, isOperator: boolean): Promise<void> {
    await this.#submit(accessEntryKind.policyDeleted, { namespace, name, isOperator });
  }

  findPolicy(
    namespace: string,
    name: string,
    kinds: readonly string[],
    isOperator: boolean,
  ): Policy | undefined {
    // Nothing is worth remembering of names then, and there may be very many of them.
    if (this.#state.policies.size === 0) return undefined;
    const answers = this.#policyAnswers;
    if (
      this.#policyAnswersVersion !== this.policyVersion ||
      answers.size >= limits.policyAnswersMax
    ) {
      answers.clear();
      this.#policyAnswersVersion = this.policyVersion;
    }
    const key = `${isOperator ? 'o' : 'p'}${namespace}\0${kinds.join(',')}\0${name}`;
    if (answers.has(key)) return answers.get(key);
    let found: Policy | undefined;
    for (const policy of this.listPolicies({ namespace, isOperator })) {
      if (policy.applyTo !== 'all' && !kinds.includes(policy.applyTo)) continue;
      if (found !== undefined && found.priority >= policy.priority) continue;
      if (matchesPolicy(this.#patterns, policy.pattern, name)) found = policy;
    }
    answers.set(key, found);
    return found;
  }

  // Parameters

  listParameters(component?: string, namespace?: string): Parameter[] {
    return [...this.#state.parameters.values()]
      .filter((parameter) => component === undefined || parameter.component === component)
      .filter((parameter) => namespace === undefined || parameter.namespace === namespace)
      .toSorted((a, b) => compare(parameterKey(a), parameterKey(b)));
  }

  async putParameter(
    component: string,
    namespace: string,
    name: string,
    value: string,
  ): Promise<void> {
    this.#getNamespace(namespace);
    checkName('component', component);
    checkName('parameter', name);
    checkJson(value);
    const entry: Parameter = { component, namespace, name, value };
    if (!this.#state.parameters.has(parameterKey(entry))) {
      checkCount('parameters', this.#state.parameters.size, limits.parametersMax);
    }
    await this.#submit(accessEntryKind.parameterPut, entry);
  }

  async deleteParameter(component: string, namespace: string, name: string): Promise<void> {
    await this.#submit(accessEntryKind.parameterDeleted, { component, namespace, name });
  }

  // StateExtension

  owns(kind: number): boolean {
    return kind >= accessEntryKind.userPut && kind <= accessEntryKind.last;
  }

  apply(kind: number, payload: Uint8Array): void {
    this.#state.apply(kind, payload);
    this.#tellOfPolicies();
  }

  encode(): Uint8Array {
    return this.#state.encode();
  }

  restore(state: Uint8Array | undefined): void {
    this.#state.restore(state);
    this.#tellOfPolicies();
  }

  #tellOfPolicies(): void {
    const version = this.policyVersion;
    if (version === this.#policyVersionTold) return;
    this.#policyVersionTold = version;
    for (const watcher of this.#policyWatchers) watcher();
  }

  #getUser(name: string): StoredUser {
    const user = this.#state.users.get(name);
    if (user === undefined) throw new BrokerError('user-not-found', name);
    return user;
  }

  #getNamespace(name: string): Namespace {
    const namespace = this.#state.namespaces.get(name);
    if (namespace === undefined) throw new BrokerError('namespace-not-found', name);
    return namespace;
  }

  async #submit(kind: number, entry: object): Promise<void> {
    const payload = Buffer.from(JSON.stringify(entry), 'utf8');
    if (payload.length > limits.accessEntryBytesMax) {
      throw new BrokerError(
        'config-invalid',
        `it takes ${payload.length} bytes, more than ${limits.accessEntryBytesMax}`,
      );
    }
    await present(this.#journal, 'attached before it is used').submit(kind, payload);
  }
}

function inRules(identity: Identity): string {
  return identity.isAnonymous ? anonymousInRules : identity.name;
}

function checkRule({ user, host, name }: AccessRule): void {
  checkName('user', user);
  checkName('host', host);
  checkName('resource', name);
}

/** Only what is stored. */
function copyRule(rule: AccessRule): AccessRule {
  const { effect, user, host, kind, pattern, name, operation } = rule;
  return { effect, user, host, kind, pattern, name, operation };
}

/** In permissions '' is nobody's; a policy without a pattern is one for everything. */
function matchesPolicy(patterns: PatternCache, pattern: string, name: string): boolean {
  return pattern === '' || patterns.matches(pattern, name);
}

function expand(pattern: string, user: string, namespace: string): string {
  if (!pattern.includes('{')) return pattern;
  const shown = namespace === '' ? defaultNamespaceText : namespace;
  return pattern
    .replaceAll('{username}', () => escapePattern(user))
    .replaceAll('{vhost}', () => escapePattern(shown));
}

function describeUser({ name, tags, limits: values, credentials }: StoredUser): User {
  return { name, tags, password: credentials?.password, limits: values };
}

function isWanted(filter: {
  user?: string;
  namespace?: string;
}): (permission: { user: string; namespace: string }) => boolean {
  return ({ user, namespace }) =>
    (filter.user === undefined || filter.user === user) &&
    (filter.namespace === undefined || filter.namespace === namespace);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function byName(a: { name: string }, b: { name: string }): number {
  return compare(a.name, b.name);
}

function byNamespaceAndUser(
  a: { user: string; namespace: string },
  b: { user: string; namespace: string },
): number {
  return compare(a.namespace, b.namespace) || compare(a.user, b.user);
}

function checkName(what: string, name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes >= 1 && bytes <= limits.nameBytesMax) return;
  throw new BrokerError(
    'config-invalid',
    `the name of a ${what} has 1 to ${limits.nameBytesMax} bytes`,
  );
}

function checkCount(what: string, count: number, max: number): void {
  if (count >= max) throw new BrokerError('policy-refused', `a broker has at most ${max} ${what}`);
}

function checkLimits(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isSafeInteger(value)) continue;
    throw new BrokerError('config-invalid', `the limit ${name} is a whole number, not ${value}`);
  }
}

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new BrokerError('config-invalid', `it is not JSON: ${error.message}`);
  }
}
