import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteReader, ByteWriter } from '../../../../src/bytes/index.ts';
import type { Lease } from '../../../../src/shard/queue/index.ts';
import { LeaseTable } from '../../../../src/shard/queue/structures/index.ts';
import { SeededRandom } from '../../../../src/testing/index.ts';

interface Leased {
  lease: Lease;
  offset: number;
  bodyBytes: number;
  deliveries: number;
  failures: number;
  deadlineMs: number;
  owner: number;
  rank: number;
}

function read(table: LeaseTable, slot: number): Leased {
  return {
    lease: table.leaseOf(slot),
    offset: table.offset(slot),
    bodyBytes: table.bodyBytes(slot),
    deliveries: table.deliveries(slot),
    failures: table.failures(slot),
    deadlineMs: table.deadlineMs(slot),
    owner: table.owner(slot),
    rank: table.rank(slot),
  };
}

function all(table: LeaseTable): Leased[] {
  const list: Leased[] = [];
  table.forEach((slot) => list.push(read(table, slot)));
  return list;
}

function byOffset(leases: Iterable<Leased>): Leased[] {
  return [...leases].toSorted((a, b) => a.offset - b.offset);
}

function check(
  table: LeaseTable,
  model: ReadonlyMap<Lease, Leased>,
  stale: readonly Lease[],
): void {
  assert.deepEqual(all(table), byOffset(model.values()));
  assert.equal(table.count, model.size);
  let bytes = 0;
  let next = Number.POSITIVE_INFINITY;
  for (const leased of model.values()) {
    bytes += leased.bodyBytes;
    if (leased.deadlineMs >= 0) next = Math.min(next, leased.deadlineMs);
    assert.equal(table.findByOffset(leased.offset), table.find(leased.lease));
  }
  assert.equal(table.bytes, bytes);
  assert.equal(table.nextDeadlineMs(), next);
  for (const lease of stale) assert.equal(table.find(lease), -1);
}

function fill(table: LeaseTable, count: number, deadlineMs: (index: number) => number): Lease[] {
  return Array.from({ length: count }, (_, index) =>
    table.add(index, 100, 1, 0, deadlineMs(index), index % 5, 0),
  );
}

describe('a table of leases', () => {
  for (let seed = 1; seed <= 10; seed++) {
    test(`does what a map of objects does: seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const table = new LeaseTable(random.pick([0, 2 ** 31 - 50]));
      const model = new Map<Lease, Leased>();
      const stale: Lease[] = [];
      const most = random.pick([5, 200, 3000]);
      let offset = random.pick([0, 2 ** 40]);
      let nowMs = 0;
      const pick = () => [...model.values()][random.nextInt(model.size)];
      const remove = (slot: number) => {
        model.delete(table.leaseOf(slot));
        stale.push(table.leaseOf(slot));
        table.remove(slot);
      };
      let isFilling = true;
      for (let step = 0; step < 1500; step++) {
        if (model.size >= most) isFilling = false;
        if (model.size === 0) isFilling = true;
        const dice = random.nextInt(100);
        if (dice < (isFilling ? 70 : 20)) {
          for (let count = 1 + random.nextInt(most / 5); count > 0; count--) {
            offset += 1 + random.nextInt(random.pick([1, 64, 1000]));
            const facts = {
              offset: random.chance(0.1) ? offset + 10_000_000 + step * 1000 + count : offset,
              bodyBytes: random.nextInt(2 ** 31),
              deliveries: 1 + random.nextInt(9),
              failures: random.nextInt(3),
              deadlineMs: random.chance(0.4) ? nowMs + random.nextInt(1000) : -1,
              owner: random.nextInt(5) - 2,
              rank: random.nextInt(256),
            };
            if (table.findByOffset(facts.offset) >= 0) continue;
            const lease = table.add(
              facts.offset,
              facts.bodyBytes,
              facts.deliveries,
              facts.failures,
              facts.deadlineMs,
              facts.owner,
              facts.rank,
            );
            assert.ok(Number.isSafeInteger(lease) && !model.has(lease));
            model.set(lease, { lease, ...facts });
          }
        } else if (dice < 80) {
          for (let count = random.nextInt(most / 5 + 1); count > 0 && model.size > 0; count--)
            remove(table.find(pick()!.lease));
        } else if (dice < 88) {
          const leased = pick();
          if (leased === undefined) continue;
          leased.deadlineMs = random.chance(0.3) ? -1 : nowMs + random.nextInt(2000);
          table.setDeadline(table.find(leased.lease), leased.deadlineMs);
        } else if (dice < 91) {
          const leased = pick();
          if (leased === undefined) continue;
          leased.owner = random.nextInt(5) - 2;
          table.setOwner(table.find(leased.lease), leased.owner);
        } else if (dice < 95) {
          nowMs += random.nextInt(300);
          const due = [...model.values()]
            .filter((leased) => leased.deadlineMs >= 0 && leased.deadlineMs <= nowMs)
            .map((leased) => leased.deadlineMs)
            .toSorted((a, b) => a - b);
          const seen: number[] = [];
          table.takeExpired(nowMs, (slot) => {
            seen.push(model.get(table.leaseOf(slot))!.deadlineMs);
            if (random.chance(0.8)) remove(slot);
            else model.get(table.leaseOf(slot))!.deadlineMs = -1;
          });
          assert.deepEqual(seen, due);
        } else if (dice < 98) {
          const owner = random.nextInt(5) - 2;
          const theirs = byOffset(model.values()).filter((leased) => leased.owner === owner);
          assert.equal(table.countOf(owner), theirs.length);
          const seen: Leased[] = [];
          table.forEachOf(owner, (slot) => {
            seen.push({ ...model.get(table.leaseOf(slot))! });
            remove(slot);
          });
          assert.deepEqual(seen, theirs);
        } else {
          table.trim();
        }
        if (step % 10 === 0) check(table, model, stale);
      }
      check(table, model, stale);
      const writer = new ByteWriter();
      table.encodeTo(writer);
      const reader = new ByteReader(writer.finish());
      const decoded = all(LeaseTable.decode(reader, 9, 1000));
      assert.equal(reader.remaining, 0);
      const strip = (list: readonly Leased[]) =>
        list.map((each) => ({ ...each, lease: 0, owner: 9 }));
      assert.deepEqual(strip(decoded), strip(byOffset(model.values())));
    });
  }

  test('takes less than 10 MB for 120,000 leases with deadlines', () => {
    const table = new LeaseTable();
    const leases = fill(table, 120_000, (index) => (index * 7919) % 100_000);
    assert.ok(table.memoryBytes < 10_000_000, `${table.memoryBytes} bytes`);
    for (const lease of leases) table.remove(table.find(lease));
    assert.ok(table.memoryBytes < 120_000, `${table.memoryBytes} bytes`);
    table.trim();
    assert.ok(table.memoryBytes < 400, `${table.memoryBytes} bytes`);
  });

  test('takes next to nothing before its first lease, and no heap without deadlines', () => {
    const table = new LeaseTable();
    assert.ok(table.memoryBytes <= 256);
    fill(table, 120_000, () => -1);
    assert.ok(table.memoryBytes < 7_500_000, `${table.memoryBytes} bytes`);
  });

  test('keeps leases valid while it shrinks', () => {
    const table = new LeaseTable();
    const leases = fill(table, 10_000, () => 5);
    const kept = leases.filter((_, index) => index % 1000 === 0);
    for (const lease of leases) if (!kept.includes(lease)) table.remove(table.find(lease));
    table.trim();
    for (const [index, lease] of kept.entries())
      assert.equal(table.offset(table.find(lease)), index * 1000);
  });

  test('expires as many as are asked for at once', () => {
    const table = new LeaseTable();
    fill(table, 10, (index) => index);
    assert.equal(
      table.takeExpired(100, (slot) => table.remove(slot), 4),
      4,
    );
    assert.equal(table.nextDeadlineMs(), 4);
  });

  test('visits nothing that was removed and leased again meanwhile', () => {
    const table = new LeaseTable();
    fill(table, 3, () => -1);
    const seen: number[] = [];
    table.forEach((slot) => {
      seen.push(table.offset(slot));
      if (seen.length > 1) return;
      table.remove(table.findByOffset(1));
      table.add(7, 0, 1, 0, -1, 0, 0);
    });
    assert.deepEqual(seen, [0, 2]);
  });

  test('knows no lease that is no number of its own', () => {
    const table = new LeaseTable();
    fill(table, 3, () => -1);
    for (const lease of [-1, 0, 1, 2 ** 52, Number.NaN, 0.5]) assert.equal(table.find(lease), -1);
  });
});
