import type { ByteReader, ByteWriter } from '../../bytes/index.ts';
import { owners, QueueState } from './queue-state.ts';
import {
  DamagedSet,
  DedupWindow,
  DelayedSet,
  type GroupTable,
  LaneSet,
  LeaseTable,
  OffsetSet,
  ReturnedSet,
} from './structures/index.ts';
import type { QueueForm } from './types.ts';

const presenceBit = {
  skipped: 1,
  leases: 2,
  returned: 4,
  delayed: 8,
  lanes: 16,
  dedup: 32,
  mayExpire: 64,
  damaged: 128,
  dedupWithOffsets: 256,
  history: 512,
} as const;

/**
 * OffsetSet settled; varlongs cursor, ingested and body bytes (the first two less the floor); unsigned varint of what
 * follows (see `presenceBit`); the structures in that order, `returned` with what is set aside; the varlong end of what was
 * there before the queue, less the floor. An idle queue takes about ten bytes.
 */
export function encodeState(state: QueueState, writer: ByteWriter): void {
  state.settled.encodeTo(writer);
  const { floor } = state.settled;
  writer.varlong(state.cursor - floor);
  writer.varlong(state.ingested - floor);
  writer.varlong(state.unsettledBytes);
  const { leases, returned, aside, delayed, lanes, skipped, dedup, groups } = state;
  const asideCount = (aside?.count ?? 0) + (groups?.count ?? 0);
  const returnedCount = (returned?.count ?? 0) + asideCount;
  writer.unsignedVarint(
    (skipped === undefined ? 0 : presenceBit.skipped) |
      ((leases?.count ?? 0) === 0 ? 0 : presenceBit.leases) |
      (returnedCount === 0 ? 0 : presenceBit.returned) |
      ((delayed?.count ?? 0) === 0 ? 0 : presenceBit.delayed) |
      ((lanes?.count ?? 0) === 0 ? 0 : presenceBit.lanes) |
      ((dedup?.count ?? 0) === 0 ? 0 : presenceBit.dedupWithOffsets) |
      (state.mayExpire ? presenceBit.mayExpire : 0) |
      (state.damagedCount === 0 ? 0 : presenceBit.damaged) |
      (state.hasHistory ? presenceBit.history : 0),
  );
  skipped?.encodeTo(writer);
  if (leases !== undefined && leases.count > 0) leases.encodeTo(writer);
  if (returnedCount > 0) {
    const all = asideCount === 0 ? returned : joined([returned, aside, groups]);
    all?.encodeTo(writer);
  }
  if (delayed !== undefined && delayed.count > 0) delayed.encodeTo(writer);
  if (lanes !== undefined && lanes.count > 0) lanes.encodeTo(writer);
  if (dedup !== undefined && dedup.count > 0) dedup.encodeTo(writer);
  if (state.damagedCount > 0) state.damaged?.encodeTo(writer);
  if (state.hasHistory) writer.varlong(state.historyEnd - floor);
}

/** What `encodeState` wrote; `serial`: where the serial numbers of leases begin. */
export function decodeState(reader: ByteReader, form: QueueForm, serial: number): QueueState {
  const settled = OffsetSet.decode(reader);
  const { floor } = settled;
  const state = new QueueState(form, floor, floor, serial);
  state.settled = settled;
  state.cursor = floor + reader.varlong();
  state.ingested = floor + reader.varlong();
  state.unsettledBytes = reader.varlong();
  const bits = reader.unsignedVarint();
  if (bits & presenceBit.skipped) state.skipped = OffsetSet.decode(reader);
  if (bits & presenceBit.leases) state.leases = LeaseTable.decode(reader, owners.none, serial);
  if (bits & presenceBit.returned) state.returned = ReturnedSet.decode(reader);
  if (bits & presenceBit.delayed) state.delayed = DelayedSet.decode(reader);
  if (bits & presenceBit.lanes) state.lanes = LaneSet.decode(reader);
  if (bits & (presenceBit.dedup | presenceBit.dedupWithOffsets)) {
    const hasOffsets = (bits & presenceBit.dedupWithOffsets) !== 0;
    state.dedup = DedupWindow.decode(reader, serial, hasOffsets);
  }
  state.mayExpire = (bits & presenceBit.mayExpire) !== 0;
  if (bits & presenceBit.damaged) state.damaged = DamagedSet.decode(reader);
  if (bits & presenceBit.history) state.historyEnd = floor + reader.varlong();
  return state;
}

/** What `encodeState` writes of a queue that has nothing. */
export function encodeEmptyState(floor: number, writer: ByteWriter): void {
  writer.varlong(floor);
  // No block above it; cursor, ingested and body bytes; no structure.
  for (let field = 0; field < 5; field++) writer.uint8(0);
}

function joined(sets: ReadonlyArray<ReturnedSet | GroupTable | undefined>): ReturnedSet {
  const all = new ReturnedSet();
  for (const set of sets) {
    set?.forEach((rank, offset, bodyBytes, deliveries, failures) => {
      all.add(rank, offset, bodyBytes, deliveries, failures);
    });
  }
  return all;
}
