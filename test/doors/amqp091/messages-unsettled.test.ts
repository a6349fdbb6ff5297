import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from '../../support/fast-check.ts';
import { UnsettledTable } from '../../../src/doors/amqp091/unsettled.ts';

describe('unsettled deliveries of a channel', () => {
  it('finds and settles by tag, and knows no tag twice', () => {
    const table = new UnsettledTable();
    const first = table.add(3, 100, 0);
    const second = table.add(4, 200, 1);
    assert.deepEqual([first, second, table.count], [1, 2, 2]);
    assert.ok(table.find(2));
    assert.deepEqual([table.source, table.lease], [4, 200]);
    table.removeFound();
    assert.equal(table.find(2), false);
    assert.equal(table.find(3), false);
    assert.equal(table.find(0), false);
    assert.equal(table.count, 1);
  });

  it('holds one delivery through a million others without growing with them', () => {
    const table = new UnsettledTable();
    table.add(7, 70, 0);
    for (let count = 0; count < 1_000_000; count += 1) {
      const tag = table.add(1, count, count);
      assert.ok(table.find(tag));
      table.removeFound();
    }
    assert.equal(table.count, 1);
    assert.ok(table.find(1));
    assert.deepEqual([table.source, table.lease], [7, 70]);
    const left: number[] = [];
    assert.ok(table.removeThrough(Number.POSITIVE_INFINITY, (tag) => left.push(tag)));
    assert.deepEqual(left, [1]);
  });

  it('finds a delivery that comes when the ring is full of holes', () => {
    const table = new UnsettledTable();
    for (let count = 0; count < 26; count += 1) table.add(count, count, 0);
    for (let count = 0; count < 10_000; count += 1) table.skip();
    for (let count = 0; count < 10_000; count += 1) {
      assert.ok(table.find(table.add(1, 2, 3)), `delivery ${count}`);
      table.removeFound();
    }
    assert.equal(table.count, 26);
  });

  it('does what a map of tags does', () => {
    const operation = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), n: fc.nat(40) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('skip' as const), n: fc.nat(3000) }) },
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('settle' as const), n: fc.nat(60) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('through' as const), n: fc.nat(60) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore' as const), n: fc.nat(60) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('flood' as const), n: fc.nat(6000) }) },
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const table = new UnsettledTable();
        const model = new Map<number, number>();
        const settled: Array<[number, number]> = [];
        const pick = (n: number): number | undefined => [...model.keys()][n % (model.size || 1)];
        for (const { kind, n } of operations) {
          if (kind === 'add') {
            for (let each = 0; each <= n; each += 1) {
              const tag = table.add(each, each * 2, each);
              model.set(tag, each);
            }
          } else if (kind === 'skip') {
            for (let each = 0; each < n; each += 1) table.skip();
          } else if (kind === 'flood') {
            for (let each = 0; each < n; each += 1) {
              assert.ok(table.find(table.add(1, 2, 3)));
              table.removeFound();
            }
          } else if (kind === 'restore') {
            const [tag, source] = settled.splice(n % (settled.length || 1), 1)[0] ?? [];
            if (tag === undefined || source === undefined) continue;
            table.restore(tag, source, source * 2, 0);
            model.set(tag, source);
          } else {
            const tag = pick(n);
            if (tag === undefined) continue;
            if (kind === 'settle') {
              assert.ok(table.find(tag));
              assert.equal(table.source, model.get(tag));
              assert.equal(table.lease, (model.get(tag) ?? 0) * 2);
              table.removeFound();
              settled.push([tag, model.get(tag) ?? 0]);
              model.delete(tag);
            } else {
              const seen: number[] = [];
              assert.ok(table.removeThrough(tag, (each) => seen.push(each)));
              const wanted = [...model.keys()].filter((each) => each <= tag);
              assert.deepEqual(
                seen,
                wanted.toSorted((a, b) => a - b),
              );
              for (const each of seen) model.delete(each);
              settled.length = 0;
            }
          }
          assert.equal(table.count, model.size);
        }
        const rest: number[] = [];
        table.forEach((tag) => rest.push(tag));
        assert.deepEqual(
          rest,
          [...model.keys()].toSorted((a, b) => a - b),
        );
      }),
      { numRuns: 400 },
    );
  });
});
