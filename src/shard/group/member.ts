import type { Deadline } from './deadline-queue.ts';
import type { JoinResult, SyncResult } from './types.ts';

/** One way of dividing the work that a member offers, with what the member says about itself under it. */
export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

/** A request that is answered when the group has come to a result. */
export interface Waiter<Result> {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** What is kept of a member over a restart. */
export interface MemberRecord {
  readonly memberId: string;
  /** Of a static member (KIP-345). */
  readonly instanceId: string | undefined;
  readonly clientId: string;
  readonly clientHost: string;
  /** In order of preference, without duplicates. */
  readonly protocols: readonly MemberProtocol[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly assignment: Uint8Array;
}

export interface Member extends MemberRecord {
  clientId: string;
  clientHost: string;
  protocols: readonly MemberProtocol[];
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  assignment: Uint8Array;
  /** Its first join is not answered yet: it does not know its id and cannot send heartbeats. */
  isNew: boolean;
  /** It was heard of since this broker loaded the group. */
  isHeard: boolean;
  /** The join that waits for the rebalance; change it through the group, which counts them. */
  join: Waiter<JoinResult> | undefined;
  /** The sync that waits for the leader's assignment. */
  sync: Waiter<SyncResult> | undefined;
  /** Monotonic time at which the session ends without a further sign of life. */
  expiresAtMs: number;
  /** Fires at or before `expiresAtMs`; moved lazily, so that a heartbeat costs nothing. */
  sessionDeadline: Deadline | undefined;
}

export const noBytes: Uint8Array = new Uint8Array(0);

export function createMember(record: MemberRecord): Member {
  return {
    ...record,
    isNew: false,
    isHeard: false,
    join: undefined,
    sync: undefined,
    expiresAtMs: 0,
    sessionDeadline: undefined,
  };
}

/** What the member says about itself under a protocol; empty when it does not offer that protocol. */
export function metadataOf(member: MemberRecord, protocolName: string): Uint8Array {
  return member.protocols.find(({ name }) => name === protocolName)?.metadata ?? noBytes;
}

/** Copies the protocols out of borrowed memory; of two with the same name the first counts. */
export function copyProtocols(protocols: readonly MemberProtocol[]): MemberProtocol[] {
  const names = new Set<string>();
  const copies: MemberProtocol[] = [];
  for (const { name, metadata } of protocols) {
    if (names.has(name)) continue;
    names.add(name);
    copies.push({ name, metadata: new Uint8Array(metadata) });
  }
  return copies;
}

export function areSameProtocols(
  a: readonly MemberProtocol[],
  b: readonly MemberProtocol[],
): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, metadata }, index) => {
      const other = b[index];
      return other !== undefined && name === other.name && areSameBytes(metadata, other.metadata);
    })
  );
}

/** The memory that a member's protocols take, about. */
export function protocolsBytes(protocols: readonly MemberProtocol[]): number {
  const overheadBytes = 64;
  return protocols.reduce(
    (sum, { name, metadata }) => sum + name.length + metadata.length + overheadBytes,
    0,
  );
}

function areSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
