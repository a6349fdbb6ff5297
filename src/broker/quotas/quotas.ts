import { BrokerError, type Clock, limits, present } from '../../base/index.ts';
import { entryKind, type StateExtension } from '../../shard/index.ts';
import type {
  Quota,
  QuotaChange,
  QuotaMeter,
  QuotaName,
  QuotasPort,
  QuotaSubject,
} from '../ports/index.ts';
import { Bucket } from './bucket.ts';

/** `{ quotas }`: each a Quota in place of what its subject had; without bounds, its subject has none. */
const changedKind = entryKind.extensionMin + 160;

/** Of the first shard. */
export interface QuotaJournal {
  submit(kind: number, payload: Uint8Array): Promise<void>;
}

/** Where the quota of a user and client is looked for, closest first; `*`: the one for all others. */
const places: ReadonlyArray<
  readonly [user: 'own' | 'rest' | 'none', client: 'own' | 'rest' | 'none']
> = [
  ['own', 'own'],
  ['own', 'rest'],
  ['own', 'none'],
  ['rest', 'own'],
  ['rest', 'rest'],
  ['rest', 'none'],
  ['none', 'own'],
  ['none', 'rest'],
];

/** Bounds of what users, clients and addresses may use in a second: state of the first shard. */
export class Quotas implements QuotasPort, StateExtension {
  readonly name = 'quotas';
  version = 0;
  readonly #clock: Clock;
  readonly #quotas = new Map<string, Quota>();
  /** By what they measure; the one that was not used for longest goes first when there are too many. */
  readonly #meters = new Map<string, Bucket>();
  #journal: QuotaJournal | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Gives it the shard that journals its entries. */
  attach(journal: QuotaJournal): void {
    this.#journal = journal;
  }

  list(): Quota[] {
    return [...this.#quotas.values()];
  }

  async change(changes: readonly QuotaChange[]): Promise<void> {
    const quotas = new Map<string, Quota>();
    for (const { subject, bounds } of changes) {
      checkSubject(subject);
      const key = keyOf(subject);
      const merged: Partial<Record<QuotaName, number>> = {
        ...(quotas.get(key) ?? this.#quotas.get(key))?.bounds,
      };
      for (const [text, value] of Object.entries(bounds)) {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Object.entries` forgets the keys
        const name = text as QuotaName;
        if (value === undefined) delete merged[name];
        else if (value > 0 && Number.isFinite(value)) merged[name] = value;
        else throw new BrokerError('config-invalid', `a quota is more than 0, not ${value}`);
      }
      quotas.set(key, { subject: copySubject(subject), bounds: merged });
    }
    const added = [...quotas].filter(
      ([key, quota]) => !this.#quotas.has(key) && !isEmpty(quota),
    ).length;
    if (added > 0 && this.#quotas.size + added > limits.quotasMax) {
      throw new BrokerError('policy-refused', `a broker has at most ${limits.quotasMax} quotas`);
    }
    const payload = Buffer.from(JSON.stringify({ quotas: [...quotas.values()] }));
    await present(this.#journal, 'attached before it is used').submit(changedKind, payload);
  }

  meterOf(name: QuotaName, user: string, client: string): QuotaMeter | undefined {
    if (this.#quotas.size === 0) return undefined;
    for (const [userPart, clientPart] of places) {
      const subject = {
        ...(userPart === 'none' ? {} : { user: userPart === 'own' ? user : null }),
        ...(clientPart === 'none' ? {} : { client: clientPart === 'own' ? client : null }),
      };
      const bound = this.#quotas.get(keyOf(subject))?.bounds[name];
      if (bound === undefined) continue;
      const measured = {
        ...(userPart === 'none' ? {} : { user }),
        ...(clientPart === 'none' ? {} : { client }),
      };
      return this.#meter(name, measured, bound);
    }
    return undefined;
  }

  meterOfAddress(name: 'connections', address: string): QuotaMeter | undefined {
    if (this.#quotas.size === 0) return undefined;
    const bound =
      this.#quotas.get(keyOf({ address }))?.bounds[name] ??
      this.#quotas.get(keyOf({ address: null }))?.bounds[name];
    return bound === undefined ? undefined : this.#meter(name, { address }, bound);
  }

  // As an extension of the shard

  owns(kind: number): boolean {
    return kind === changedKind;
  }

  apply(_kind: number, payload: Uint8Array): void {
    this.#load(payload);
  }

  encode(): Uint8Array {
    return Buffer.from(JSON.stringify({ quotas: this.list() }));
  }

  restore(state: Uint8Array | undefined): void {
    this.#quotas.clear();
    if (state === undefined) this.#noteChange();
    else this.#load(state);
  }

  #load(payload: Uint8Array): void {
    // A cast: it is what `change` or `encode` wrote.
    const { quotas } = JSON.parse(Buffer.from(payload).toString('utf8')) as { quotas: Quota[] };
    for (const quota of quotas) {
      if (isEmpty(quota)) this.#quotas.delete(keyOf(quota.subject));
      else this.#quotas.set(keyOf(quota.subject), quota);
    }
    this.#noteChange();
  }

  #noteChange(): void {
    this.version += 1;
    this.#meters.clear();
  }

  #meter(name: QuotaName, measured: QuotaSubject, bound: number): QuotaMeter {
    const key = `${name} ${keyOf(measured)}`;
    let meter = this.#meters.get(key);
    if (meter !== undefined) this.#meters.delete(key);
    else {
      meter = new Bucket(this.#clock, bound);
      const oldest = this.#meters.keys().next().value;
      if (this.#meters.size >= limits.quotaMetersMax && oldest !== undefined) {
        this.#meters.delete(oldest);
      }
    }
    this.#meters.set(key, meter);
    return meter;
  }
}

function isEmpty({ bounds }: Quota): boolean {
  return Object.keys(bounds).length === 0;
}

function keyOf({ user, client, address }: QuotaSubject): string {
  return JSON.stringify([part(user), part(client), part(address)]);
}

/** Absent, everybody else, or a name: three kinds that must not be taken for each other. */
function part(name: string | null | undefined): string | number {
  if (name === undefined) return 0;
  return name ?? 1;
}

function copySubject({ user, client, address }: QuotaSubject): QuotaSubject {
  return {
    ...(user === undefined ? {} : { user }),
    ...(client === undefined ? {} : { client }),
    ...(address === undefined ? {} : { address }),
  };
}

function checkSubject(subject: QuotaSubject): void {
  const names = Object.values(copySubject(subject));
  if (names.length === 0) throw new BrokerError('config-invalid', 'a quota is for somebody');
  for (const name of names) {
    if (name !== null && Buffer.byteLength(name) > limits.nameBytesMax) {
      throw new BrokerError(
        'config-invalid',
        `a name in a quota has at most ${limits.nameBytesMax} bytes`,
      );
    }
  }
}
