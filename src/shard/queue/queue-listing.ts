import { present } from '../../base/index.ts';
import type { QueueState } from './queue-state.ts';

/** A message's place and past. */
export interface Listed {
  rank: number;
  offset: number;
  deliveries: number;
  failures: number;
}

/** Messages in the order in which they would be given out, from the `skip`-th on, `count` of them. */
export function* listMessages(state: QueueState, skip: number, count: number): Generator<Listed> {
  const most = skip + count;
  const behind: Listed[] = [];
  state.returned?.forEach((rank, offset, _bodyBytes, deliveries, failures) => {
    behind.push({ rank, offset, deliveries, failures });
    return behind.length < most;
  });
  listAside(state, behind);
  let laneCount = 0;
  const runs: Array<{ rank: number; offset: number; count: number }> = [];
  state.lanes?.forEach((rank, offset, length) => {
    runs.push({ rank, offset, count: length });
    laneCount += length;
    return laneCount < most;
  });
  if (state.lanes === undefined) {
    const { skipped } = state;
    for (let at = state.nextUntouched(); at < state.ingested && laneCount < most; ) {
      const end = Math.min(skipped?.nextPresent(at) ?? state.ingested, state.ingested);
      runs.push({ rank: 0, offset: at, count: end - at });
      laneCount += end - at;
      at = skipped?.nextMissing(end) ?? end;
    }
  }
  let number = 0;
  let next = 0;
  for (const run of runs) {
    for (let offset = run.offset; offset < run.offset + run.count; offset++) {
      for (let first = behind[next]; first !== undefined; first = behind[++next]) {
        if (first.rank > run.rank || (first.rank === run.rank && first.offset > offset)) break;
        if (number++ >= skip) yield first;
        if (number >= most) return;
      }
      if (number++ >= skip) yield { rank: run.rank, offset, deliveries: 0, failures: 0 };
      if (number >= most) return;
    }
  }
  for (; next < behind.length && number < most; next++)
    if (number++ >= skip) yield present(behind[next], 'in range');
}

/** Adds what is set aside, and what waits for others of its group. */
function listAside(state: QueueState, listed: Listed[]): void {
  const { length } = listed;
  for (const some of [state.aside, state.groups]) {
    some?.forEach((rank, offset, _bodyBytes, deliveries, failures) => {
      listed.push({ rank, offset, deliveries, failures });
    });
  }
  if (listed.length > length) listed.sort((a, b) => a.rank - b.rank || a.offset - b.offset);
}
