import type { QueueState } from './queue-state.ts';
import { LaneSet, OffsetSet, type ReturnedSet } from './structures/index.ts';

/** The start of the log has passed the floor: what lies before is gone. Returns how many messages. */
export function trimBefore(state: QueueState, startOffset: number): number {
  if (startOffset <= state.settled.floor) return 0;
  const gone: number[] = [];
  state.leases?.forEach((slot) => {
    if (state.leases !== undefined && state.leases.offset(slot) < startOffset) gone.push(slot);
  });
  for (const slot of gone) state.leases?.remove(slot);
  state.groups?.retain((offset) => offset >= startOffset);
  for (const offset of offsetsBefore(state.returned, startOffset)) state.returned?.remove(offset);
  for (const offset of offsetsBefore(state.aside, startOffset)) state.aside?.remove(offset);
  state.delayed?.retain((offset) => offset >= startOffset);
  state.lanes?.removeRange(0, startOffset);
  if (state.ingested < startOffset) state.ingested = startOffset;
  if (state.cursor < startOffset) state.cursor = startOffset;
  const damaged = state.damaged?.removeBefore(startOffset) ?? 0;
  if (state.damaged?.count === 0) state.damaged = undefined;
  return state.settled.raiseFloor(startOffset) - damaged;
}

/** Settles everything below `offset` that is not leased, be it damaged; returns how many messages. */
export function purgeBefore(state: QueueState, offset: number, bodyBytes: number): number {
  let count = 0;
  let from = state.settled.floor;
  state.leases?.forEach((slot) => {
    const leased = state.openLeases().offset(slot);
    count += state.settled.addRange(from, leased);
    from = leased + 1;
  });
  count += state.settled.addRange(from, offset);
  state.returned = undefined;
  state.aside = undefined;
  state.delayed = undefined;
  state.lanes = undefined;
  state.skipped = undefined;
  state.damaged = undefined;
  state.groups?.retain((at) => (state.leases?.findByOffset(at) ?? -1) >= 0);
  state.cursor = Math.max(state.cursor, offset);
  state.spendBytes(bodyBytes);
  return count;
}

/**
 * Settles what is not leased in the runs (first offset and the one behind the last of each, in order, ingested), be it
 * damaged; returns how many messages.
 */
export function emptyRuns(state: QueueState, runs: readonly number[], bodyBytes: number): number {
  let count = 0;
  let areUntouched = true;
  // `!`: runs are whole.
  for (let at = 0; at < runs.length; at += 2)
    if (!passUntouched(state, runs[at]!, runs[at + 1]!)) areUntouched = false;
  if (!areUntouched) takeFrom(state, runs);
  const leased = areUntouched ? [] : listLeased(state, runs);
  let next = 0;
  for (let at = 0; at < runs.length; at += 2) {
    let from = runs[at]!;
    const end = runs[at + 1]!;
    for (; next < leased.length && leased[next]! < end; next++) {
      count += state.settled.addRange(from, leased[next]!);
      from = leased[next]! + 1;
    }
    count += state.settled.addRange(from, end);
  }
  state.spendBytes(bodyBytes);
  return count;
}

/** The cursor will leave out what lies between; true when nobody had looked at any of it. */
function passUntouched(state: QueueState, from: number, end: number): boolean {
  if (state.lanes !== undefined) return state.lanes.removeRange(from, end) === end - from;
  const cursor = state.nextUntouched();
  if (end <= cursor) return false;
  const first = Math.max(from, cursor);
  const passed = state.skipped?.countIn(first, end) ?? 0;
  if (first === cursor && passed === 0) state.cursor = end;
  else {
    state.skipped ??= new OffsetSet(cursor);
    state.skipped.addRange(first, end);
  }
  return first === from && passed === 0;
}

/** Takes away what was looked at and is not leased. */
function takeFrom(state: QueueState, runs: readonly number[]): void {
  for (const some of [state.returned, state.aside]) {
    const gone: number[] = [];
    some?.forEach((_rank, offset) => {
      if (isIn(runs, offset)) gone.push(offset);
    });
    for (const offset of gone) some?.remove(offset);
  }
  state.delayed?.retain((offset) => !isIn(runs, offset));
  if (state.delayed?.count === 0) state.delayed = undefined;
  state.groups?.retain(
    (offset) => !isIn(runs, offset) || (state.leases?.findByOffset(offset) ?? -1) >= 0,
  );
  for (let at = 0; at < runs.length; at += 2) state.damaged?.removeRange(runs[at]!, runs[at + 1]!);
  if (state.damaged?.count === 0) state.damaged = undefined;
}

function listLeased(state: QueueState, runs: readonly number[]): number[] {
  const leased: number[] = [];
  const { leases } = state;
  leases?.forEach((slot) => {
    if (isIn(runs, leases.offset(slot))) leased.push(leases.offset(slot));
  });
  return leased;
}

/** Makes everything ready again that was settled or damaged from `offset` on, `bodyBytes` of it. */
export function rewindTo(state: QueueState, offset: number, bodyBytes: number): void {
  settleDamaged(state, offset);
  const { settled } = state;
  state.unsettledBytes += bodyBytes;
  if (state.form.priorityMax > 0) {
    state.lanes ??= new LaneSet();
    for (let at = offset; at < state.ingested; ) {
      const end = Math.min(settled.nextMissing(at), state.ingested);
      if (end > at) state.lanes.add(state.rankOf(-1), at, end - at);
      at = Math.max(settled.nextPresent(Math.max(end, settled.floor)), end + 1);
    }
    settled.rewind(offset);
    return;
  }
  const before = state.skipped;
  const cursor = state.nextUntouched();
  const skipped = new OffsetSet(Math.min(offset, cursor));
  for (let at = settled.nextMissing(offset); at < cursor; at = settled.nextMissing(at + 1))
    skipped.add(at);
  if (before !== undefined) {
    for (let at = before.nextPresent(cursor); at < state.ingested; at = before.nextPresent(at + 1))
      if (!settled.has(at) || at < offset) skipped.add(at);
  }
  settled.rewind(offset);
  state.cursor = Math.min(offset, cursor);
  state.skipped = skipped.countAbove > 0 || skipped.floor > state.cursor ? skipped : undefined;
}

/** What was damaged from `offset` on counts as settled, so that it is made ready with what was. */
function settleDamaged(state: QueueState, offset: number): void {
  const { damaged } = state;
  damaged?.forEach((from, end) => state.settled.addRange(Math.max(from, offset), end));
  damaged?.removeFrom(offset);
  if (damaged?.count === 0) state.damaged = undefined;
}

function offsetsBefore(set: ReturnedSet | undefined, end: number): number[] {
  const offsets: number[] = [];
  set?.forEach((_rank, offset) => {
    if (offset < end) offsets.push(offset);
  });
  return offsets;
}

/** Whether the offset is in one of the runs, each of which is its first offset and the one behind its last. */
function isIn(runs: readonly number[], offset: number): boolean {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    // `!`: in range.
    if (runs[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low % 2 === 1;
}
