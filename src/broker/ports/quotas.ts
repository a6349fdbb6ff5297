/**
 * What a quota bounds: bytes published and bytes read for each second; thousandths of a second of work on requests for
 * each second; changes of topics' partitions for each second; connections for each second.
 */
export type QuotaName =
  | 'publishedBytes'
  | 'readBytes'
  | 'requestMs'
  | 'partitionChanges'
  | 'connections';

/**
 * Whom a quota bounds: a user, a client by the name that it gives itself, or both; or an address. Null: each of that
 * kind that no other quota names. What is absent is not looked at.
 */
export interface QuotaSubject {
  readonly user?: string | null;
  readonly client?: string | null;
  readonly address?: string | null;
}

export interface Quota {
  readonly subject: QuotaSubject;
  readonly bounds: Readonly<Partial<Record<QuotaName, number>>>;
}

/** A bound that is undefined is taken away. */
export interface QuotaChange {
  readonly subject: QuotaSubject;
  readonly bounds: Readonly<{ [Name in QuotaName]?: number | undefined }>;
}

/** Measures what one subject uses. Whoever shares a quota shares the meter. */
export interface QuotaMeter {
  /** Uses `amount` up; ms for which whoever used it should pause, 0 where it is within the quota. */
  spend(amount: number): number;
  /** Ms for which whoever wants to use anything should pause; 0 when it may. */
  readonly waitMs: number;
}

export interface QuotasPort {
  /** Grows with every change: meters that were found before may not hold any more. */
  readonly version: number;
  list(): Quota[];
  /** All together, durable when it resolves. Rejects with policy-refused when there would be too many, config-invalid. */
  change(changes: readonly QuotaChange[]): Promise<void>;
  /**
   * The meter of the quota that is closest to a user and client: the quota of both wins over that of the user, and that
   * over the client's; a name wins over null. Undefined: nothing bounds them.
   */
  meterOf(name: QuotaName, user: string, client: string): QuotaMeter | undefined;
  meterOfAddress(name: 'connections', address: string): QuotaMeter | undefined;
}
