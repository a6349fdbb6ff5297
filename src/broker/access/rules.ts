import {
  type AccessRule,
  type AccessRuleFilter,
  allOperations,
  type Operation,
  operationBits,
  type ResourceKind,
} from '../ports/index.ts';

const anybody = '*';
const anything = '*';

/** What the rules say about somebody and a resource: two sets of operations. */
export interface RuleAnswer {
  allowed: number;
  denied: number;
  /** Somebody has a rule for the resource. */
  isRuled: boolean;
}

interface KindRules {
  readonly literal: Map<string, Set<AccessRule>>;
  readonly prefix: Map<string, Set<AccessRule>>;
  /** How many prefixes have so many characters: a name is looked up once for each length. */
  readonly prefixLengths: Map<number, number>;
}

/** Rules, found by what they are about: what one answer costs depends on the rules of that resource alone. */
export class AccessRules {
  readonly #byKey = new Map<string, AccessRule>();
  readonly #byKind = new Map<ResourceKind, KindRules>();
  /** How many rules allow a user anything. */
  readonly #allowances = new Map<string, number>();

  get count(): number {
    return this.#byKey.size;
  }

  has(rule: AccessRule): boolean {
    return this.#byKey.has(keyOf(rule));
  }

  values(): AccessRule[] {
    return [...this.#byKey.values()];
  }

  /** Whether some rule allows the user, or everybody, anything. */
  allowsSomething(user: string): boolean {
    return this.#allowances.has(user) || this.#allowances.has(anybody);
  }

  add(rule: AccessRule): void {
    const key = keyOf(rule);
    if (this.#byKey.has(key)) return;
    this.#byKey.set(key, rule);
    const rules = this.#rulesOf(rule.kind);
    const byName = rules[rule.pattern];
    const known = byName.get(rule.name);
    if (known !== undefined) {
      known.add(rule);
    } else {
      byName.set(rule.name, new Set([rule]));
      if (rule.pattern === 'prefix') count(rules.prefixLengths, rule.name.length, 1);
    }
    if (rule.effect === 'allow') count(this.#allowances, rule.user, 1);
  }

  delete(rule: AccessRule): void {
    const key = keyOf(rule);
    const stored = this.#byKey.get(key);
    if (stored === undefined) return;
    this.#byKey.delete(key);
    const rules = this.#rulesOf(stored.kind);
    const byName = rules[stored.pattern];
    const known = byName.get(stored.name);
    known?.delete(stored);
    if (known?.size === 0) {
      byName.delete(stored.name);
      if (stored.pattern === 'prefix') count(rules.prefixLengths, stored.name.length, -1);
    }
    if (stored.effect === 'allow') count(this.#allowances, stored.user, -1);
  }

  clear(): void {
    this.#byKey.clear();
    this.#byKind.clear();
    this.#allowances.clear();
  }

  /** `host` is undefined where it is not known: what is allowed to one address is not allowed then, what is denied is. */
  ask(user: string, host: string | undefined, kind: ResourceKind, name: string): RuleAnswer {
    const answer: RuleAnswer = { allowed: 0, denied: 0, isRuled: false };
    for (const rules of this.#applyingTo(kind, name)) {
      for (const rule of rules) {
        answer.isRuled = true;
        if (!isFor(rule, user, host)) continue;
        const bits = rule.operation === 'all' ? allOperations : operationBits[rule.operation];
        if (rule.effect === 'allow') answer.allowed |= bits;
        else answer.denied |= bits;
      }
    }
    return answer;
  }

  /** Whether some resource is allowed, be it one that does not exist yet. */
  allowsSome(
    user: string,
    host: string | undefined,
    kind: ResourceKind,
    operation: Operation,
  ): boolean {
    const rules = this.#byKind.get(kind);
    if (rules === undefined || !this.allowsSomething(user)) return false;
    const bit = operationBits[operation];
    for (const pattern of ['literal', 'prefix'] as const) {
      for (const [name, found] of rules[pattern]) {
        for (const rule of found) {
          if (rule.effect !== 'allow' || !isFor(rule, user, host)) continue;
          if (rule.operation !== 'all' && rule.operation !== operation) continue;
          // Of what a prefix matches, all is denied only by a prefix or for everything: never by a single name.
          const asked = pattern === 'prefix' ? `${name}\0` : name;
          if ((this.ask(user, host, kind, asked).denied & bit) === 0) return true;
        }
      }
    }
    return false;
  }

  /** Whether the operation is denied with all resources of a kind. */
  deniesAll(
    user: string,
    host: string | undefined,
    kind: ResourceKind,
    operation: Operation,
  ): boolean {
    return (this.ask(user, host, kind, anything).denied & operationBits[operation]) !== 0;
  }

  list(filter: AccessRuleFilter): AccessRule[] {
    const { appliesTo, ...equal } = filter;
    const wanted = Object.entries(equal);
    const found: AccessRule[] = [];
    for (const rule of this.#byKey.values()) {
      if (appliesTo !== undefined && !appliesToName(rule, appliesTo)) continue;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a filter are those of a rule
      const agrees = wanted.every(([key, value]) => rule[key as keyof AccessRule] === value);
      if (agrees) found.push(rule);
    }
    return found;
  }

  *#applyingTo(kind: ResourceKind, name: string): Iterable<Set<AccessRule>> {
    const rules = this.#byKind.get(kind);
    if (rules === undefined) return;
    const exact = rules.literal.get(name);
    if (exact !== undefined) yield exact;
    const all = name === anything ? undefined : rules.literal.get(anything);
    if (all !== undefined) yield all;
    for (const length of rules.prefixLengths.keys()) {
      if (length > name.length) continue;
      const found = rules.prefix.get(name.slice(0, length));
      if (found !== undefined) yield found;
    }
  }

  #rulesOf(kind: ResourceKind): KindRules {
    let rules = this.#byKind.get(kind);
    if (rules === undefined) {
      rules = { literal: new Map(), prefix: new Map(), prefixLengths: new Map() };
      this.#byKind.set(kind, rules);
    }
    return rules;
  }
}

function keyOf(rule: AccessRule): string {
  const { effect, user, host, kind, pattern, name, operation } = rule;
  return JSON.stringify([effect, user, host, kind, pattern, name, operation]);
}

function isFor(rule: AccessRule, user: string, host: string | undefined): boolean {
  if (rule.user !== anybody && rule.user !== user) return false;
  if (rule.host === anybody || rule.host === host) return true;
  return host === undefined && rule.effect === 'deny';
}

function appliesToName(rule: AccessRule, name: string): boolean {
  if (rule.pattern === 'prefix') return name.startsWith(rule.name);
  return rule.name === name || rule.name === anything;
}

function count<K>(counts: Map<K, number>, key: K, by: number): void {
  const now = (counts.get(key) ?? 0) + by;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}
