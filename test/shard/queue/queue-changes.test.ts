import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteReader, ByteWriter } from '../../../src/bytes/index.ts';
import {
  ChangeTally,
  QueueChanges,
  type QueueReplay,
  replayChanges,
} from '../../../src/shard/queue/queue-changes.ts';

/** What replay is told, one line each. */
function replay(payload: Uint8Array): string[] {
  const lines: string[] = [];
  const target: QueueReplay = {
    replayAcquired: (from, count, deadlineMs, bodyBytes, rank, isExtended, isDying) =>
      void lines.push(
        `acquired ${from}+${count} ${deadlineMs} ${bodyBytes} ${rank}${isExtended ? ' extended' : ''}${isDying ? ' dying' : ''}`,
      ),
    replayReturned: (from, count, isFailure, dueMs) =>
      void lines.push(`returned ${from}+${count} ${isFailure ? 'failed' : 'as it was'} ${dueMs}`),
    replaySettled: (from, count) => void lines.push(`settled ${from}+${count}`),
    replaySettledBytes: (bytes) => void lines.push(`bytes ${bytes}`),
    replayDue: (nowMs, count) => void lines.push(`due ${nowMs} ${count}`),
    replayRetried: (bytes) => void lines.push(`retried ${bytes}`),
    replayForgotten: () => void lines.push('forgotten'),
    replayTrimmed: (offset, bytes) => void lines.push(`trimmed ${offset} ${bytes}`),
    replayEmptied: (runs, bytes) => void lines.push(`emptied ${runs.join(' ')}, ${bytes}`),
    replayDelayed: (offset, dueMs, bytes, rank) =>
      void lines.push(`delayed ${offset} ${dueMs} ${bytes} ${rank}`),
    replayPurged: (offset, bytes) => void lines.push(`purged ${offset} ${bytes}`),
    replayRewound: (offset, bytes) => void lines.push(`rewound ${offset} ${bytes}`),
    replayRanked: (from, count, rank) => void lines.push(`ranked ${from} ${count} ${rank}`),
    replayDamaged: (from, count) => void lines.push(`damaged ${from}+${count}`),
  };
  replayChanges(new ByteReader(payload), payload.length, target);
  return lines;
}

function take(changes: QueueChanges): Uint8Array {
  const writer = new ByteWriter();
  changes.takeInto(writer);
  return writer.take();
}

test('neighbours that share a fate are one run: a thousand messages take some bytes', () => {
  const tally = new ChangeTally();
  const changes = new QueueChanges(tally);
  for (let offset = 0; offset < 1000; offset++) {
    changes.noteAcquired(5000 + offset, -1, 100, 0);
    changes.noteSettled(offset, 100);
  }
  assert.ok(tally.bytes < 200);
  const payload = take(changes);
  assert.ok(payload.length < 24, `${payload.length} bytes`);
  assert.deepEqual(replay(payload), [
    'acquired 5000+1000 -1 100 0',
    'bytes 100000',
    'settled 0+1000',
  ]);
  assert.deepEqual(replay(take(changes)), []);
});

test('what is given out again after it came back is told in that order', () => {
  const changes = new QueueChanges(new ChangeTally());
  changes.noteAcquired(7, 1000, 1, 2);
  changes.noteReturned(7, true, -1);
  changes.noteReturned(8, false, 5000);
  changes.noteAcquired(7, -1, 1, 2);
  changes.noteExtended(7, 9000);
  changes.noteDying(9, 1, 2);
  changes.noteDying(10, 1, 2);
  changes.noteDue(5000, 1);
  changes.noteSettled(7, 1);
  changes.noteDelayed(21, 6000, 4, 2);
  changes.notePurged(20, 300);
  changes.noteEmptied([3, 5, 2 ** 40, 2 ** 40 + 1], 7);
  changes.noteRewound(2 ** 40, 4);
  assert.deepEqual(replay(take(changes)), [
    'acquired 7+1 1000 1 2',
    'returned 7+1 failed -1',
    'returned 8+1 as it was 5000',
    'acquired 7+1 -1 1 2',
    'acquired 7+1 9000 0 0 extended',
    'acquired 9+2 -1 1 2 dying',
    'due 5000 1',
    'bytes 1',
    'settled 7+1',
    'delayed 21 6000 4 2',
    'purged 20 300',
    `emptied 3 5 ${2 ** 40} ${2 ** 40 + 1}, 7`,
    `rewound ${2 ** 40} 4`,
  ]);
});
