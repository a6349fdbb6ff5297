import type { Clock } from '../../base/index.ts';
import { limits } from '../../base/index.ts';
import {
  anonymousInRules,
  type Identity,
  type QuotaMeter,
  type QuotaName,
  type QuotasPort,
} from '../../broker/index.ts';
import type { ApiName } from './wire/index.ts';

const bytesQuotas: { readonly [Name in ApiName]?: QuotaName } = {
  Produce: 'publishedBytes',
  Fetch: 'readBytes',
  ShareFetch: 'readBytes',
};

/** Work that a login takes is not the client's. */
const exempt: ReadonlySet<ApiName> = new Set(['SaslHandshake', 'SaslAuthenticate', 'ApiVersions']);

/** A pause for work is never longer, as in Kafka: it is measured over windows of a second. */
const workPauseMsMax = 1000;

/** What one connection uses of its quotas. Meters are looked up when the client's name, its user or a quota changes. */
export class ConnectionQuota {
  readonly #quotas: () => QuotasPort;
  readonly #identity: () => Identity | undefined;
  readonly #clock: Clock;
  readonly #meters = new Map<QuotaName, QuotaMeter | undefined>();
  #version = -1;
  #client = '';
  #user = '';

  constructor(quotas: () => QuotasPort, identity: () => Identity | undefined, clock: Clock) {
    this.#quotas = quotas;
    this.#identity = identity;
    this.#clock = clock;
  }

  /** A mark for `spendWork`; undefined where work is not bounded. */
  beginWork(client: string): number | undefined {
    return this.#meter('requestMs', client) === undefined ? undefined : this.#clock.monotonicMs();
  }

  /** Ms for which the client should pause for the work since `mark`. */
  spendWork(api: ApiName, client: string, mark: number): number {
    const meter = this.#meter('requestMs', client);
    if (meter === undefined || exempt.has(api)) return 0;
    return Math.min(meter.spend(this.#clock.monotonicMs() - mark), workPauseMsMax);
  }

  /** Ms for which the client should pause for the bytes of a request or its answer; others than those for data are free. */
  spendBytes(api: ApiName, client: string, requestBytes: number, answerBytes: number): number {
    const name = bytesQuotas[api];
    if (name === undefined) return 0;
    const meter = this.#meter(name, client);
    if (meter === undefined) return 0;
    return cap(meter.spend(name === 'publishedBytes' ? requestBytes : answerBytes));
  }

  /**
   * Takes leave to change so many partitions. Whoever owes nothing may change as many as it likes, and owes them; who owes
   * something may do so only where it is not `isStrict`.
   */
  takeChanges(
    client: string,
    count: number,
    isStrict: boolean,
  ): { isTaken: boolean; waitMs: number } {
    const meter = this.#meter('partitionChanges', client);
    if (meter === undefined) return { isTaken: true, waitMs: 0 };
    const { waitMs } = meter;
    if (isStrict && waitMs > 0) return { isTaken: false, waitMs: cap(waitMs) };
    const owedMs = meter.spend(count);
    return { isTaken: true, waitMs: isStrict ? 0 : cap(owedMs) };
  }

  /** Ms for which a client from `address` that has just connected should wait. */
  spendConnection(address: string): number {
    return cap(this.#quotas().meterOfAddress('connections', address)?.spend(1) ?? 0);
  }

  #meter(name: QuotaName, client: string): QuotaMeter | undefined {
    const quotas = this.#quotas();
    const identity = this.#identity();
    const user = identity === undefined || identity.isAnonymous ? anonymousInRules : identity.name;
    if (this.#version !== quotas.version || this.#client !== client || this.#user !== user) {
      this.#meters.clear();
      this.#version = quotas.version;
      this.#client = client;
      this.#user = user;
    }
    if (!this.#meters.has(name)) this.#meters.set(name, quotas.meterOf(name, user, client));
    return this.#meters.get(name);
  }
}

function cap(ms: number): number {
  return Math.min(ms, limits.quotaPauseMsMax);
}
