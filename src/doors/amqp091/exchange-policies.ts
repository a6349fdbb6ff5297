import type { AccessPort, AlternateSource, Exchange } from '../../broker/index.ts';

/** The alternate exchange that a policy gives to exchanges that were declared without one. */
export class ExchangePolicies implements AlternateSource {
  readonly #access: AccessPort;

  constructor(access: AccessPort) {
    this.#access = access;
  }

  get version(): number {
    return this.#access.policyVersion;
  }

  findAlternate({ namespace, name }: Exchange): string | undefined {
    // The default exchange takes no policy.
    if (name === '') return undefined;
    const policy = this.#access.findPolicy(namespace, name, ['exchanges'], false);
    if (policy === undefined) return undefined;
    let definition: unknown;
    try {
      definition = JSON.parse(policy.definition);
    } catch {
      // A policy of another door: it says nothing that is understood here.
      return undefined;
    }
    if (definition === null || typeof definition !== 'object') return undefined;
    const alternate: unknown = Reflect.get(definition, 'alternate-exchange');
    return typeof alternate === 'string' ? alternate : undefined;
  }
}
