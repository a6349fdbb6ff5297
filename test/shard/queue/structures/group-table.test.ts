import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limits } from '../../../../src/base/index.ts';
import { ByteReader, ByteWriter } from '../../../../src/bytes/index.ts';
import { GroupTable } from '../../../../src/shard/queue/structures/index.ts';
import { SeededRandom } from '../../../../src/testing/index.ts';

interface Message {
  group: string;
  rank: number;
  offset: number;
  bodyBytes: number;
  deliveries: number;
  failures: number;
}

function enter(table: GroupTable, message: Message): boolean {
  const { group, rank, offset, bodyBytes, deliveries, failures } = message;
  return table.enter(group, rank, offset, bodyBytes, deliveries, failures);
}

function found(table: GroupTable): Message {
  const { group, rank, offset, bodyBytes, deliveries, failures } = table;
  return { group, rank, offset, bodyBytes, deliveries, failures };
}

function copy(table: GroupTable): GroupTable {
  const writer = new ByteWriter();
  table.encodeTo(writer);
  const reader = new ByteReader(writer.finish());
  const decoded = GroupTable.decode(reader, table.isFair);
  assert.equal(reader.remaining, 0);
  return decoded;
}

/** The same rules, looked up message by message. */
class Model {
  readonly isFair: boolean;
  readonly held = new Map<number, string>();
  readonly waiting = new Map<number, Message>();
  readonly turns = new Map<string, number>();

  constructor(isFair: boolean) {
    this.isFair = isFair;
  }

  heldOf(group: string): number {
    return [...this.held.values()].filter((name) => name === group).length;
  }

  lowestHeldOf(group: string): number {
    const held = [...this.held].filter(([, name]) => name === group);
    return Math.min(...held.map(([offset]) => offset));
  }

  mayGo({ group, offset, deliveries }: Message): boolean {
    const lowest = this.lowestHeldOf(group);
    return lowest === Number.POSITIVE_INFINITY || (deliveries > 0 && offset < lowest);
  }

  /** Where a message stands among those of other groups. */
  turnOf({ group, offset }: Message): number {
    return Math.max(offset, this.turns.get(group) ?? 0);
  }

  giveBack(message: Message, turn: number): void {
    this.held.delete(message.offset);
    this.waiting.set(message.offset, message);
    this.turns.set(message.group, turn);
  }

  /** A group is there while something of it is. */
  forgetGroups(): void {
    const names = new Set([...this.held.values()]);
    for (const { group } of this.waiting.values()) names.add(group);
    for (const name of this.turns.keys()) if (!names.has(name)) this.turns.delete(name);
  }

  isNoisy(group: string): boolean {
    const count = this.heldOf(group);
    return count >= 30 && count > this.held.size / 10;
  }

  enter(message: Message): boolean {
    if (this.held.has(message.offset)) return true;
    const { group, offset } = message;
    const others = [...this.waiting.values()].filter((other) => other.group === group);
    const isBehind = others.some((other) => this.isFair || isBefore(other, message));
    if (isBehind || (this.isFair ? this.isNoisy(group) : !this.mayGo(message))) {
      this.waiting.set(offset, message);
      return false;
    }
    this.held.set(offset, group);
    return true;
  }

  first(evenNoisy: boolean): Message | undefined {
    const heldOf = new Map<string, number>();
    for (const name of this.held.values()) heldOf.set(name, (heldOf.get(name) ?? 0) + 1);
    const count = (message: Message) => heldOf.get(message.group) ?? 0;
    const list = [...this.waiting.values()].toSorted(
      (a, b) => a.rank - b.rank || a.offset - b.offset,
    );
    if (this.isFair) {
      // Each group's first message stands for it.
      const least = Math.min(...list.map(count));
      const heads = list.filter(
        (message, at) => list.findIndex((other) => other.group === message.group) === at,
      );
      const first = heads.find((message) => count(message) === least);
      return first === undefined || (!evenNoisy && this.isNoisy(first.group)) ? undefined : first;
    }
    return list
      .filter((message, at) => list.findIndex((other) => other.group === message.group) === at)
      .filter((message) => this.mayGo(message))
      .toSorted((a, b) => a.rank - b.rank || this.turnOf(a) - this.turnOf(b) || a.offset - b.offset)
      .at(0);
  }
}

function isBefore(a: Message, b: Message): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.offset < b.offset);
}

describe('a table of groups', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const isFair = seed % 2 === 0;
    test(`does what a list does: ${isFair ? 'fair' : 'ordered'}, seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      let table = new GroupTable(isFair);
      const model = new Model(isFair);
      const groups = random.pick([1, 4, 60]);
      const ranks = random.pick([1, 3]);
      const most = random.pick([20, 300]);
      let next = random.pick([0, 2 ** 41]);
      for (let step = 0; step < 1200; step++) {
        const dice = random.nextInt(100);
        if (dice < 45 && model.waiting.size < most && model.held.size < most) {
          next += 1 + random.nextInt(3);
          const message = {
            group: `group ${random.chance(0.5) ? 0 : random.nextInt(groups)}`,
            rank: random.nextInt(ranks),
            // Some come late: they were delayed.
            offset: random.chance(0.1) && next > 10_000 ? next - 9_999 : next,
            bodyBytes: random.nextInt(1000),
            deliveries: random.nextInt(3),
            failures: random.nextInt(2),
          };
          if (model.waiting.has(message.offset)) continue;
          assert.equal(enter(table, message), model.enter(message));
        } else if (dice < 65) {
          const evenNoisy = random.chance(0.5);
          const expected = model.first(evenNoisy);
          assert.equal(table.first(evenNoisy), expected !== undefined);
          if (expected === undefined) continue;
          assert.deepEqual(found(table), expected);
          table.takeFirst();
          model.waiting.delete(expected.offset);
          model.held.set(expected.offset, expected.group);
        } else if (dice < 90) {
          const held = [...model.held.keys()];
          const offset = held[random.nextInt(held.length)] ?? 5;
          assert.equal(table.isHeld(offset), model.held.delete(offset));
          table.leave(offset);
        } else if (dice < 92 && !isFair) {
          const held = [...model.held];
          const [offset, group] = held[random.nextInt(held.length)] ?? [5, ''];
          const message = { group, rank: 0, offset, bodyBytes: 7, deliveries: 1, failures: 1 };
          assert.equal(table.giveBack(0, offset, 7, 1, 1, next + 1), model.held.has(offset));
          if (model.held.has(offset)) model.giveBack(message, next + 1);
        } else if (dice < 95) {
          const waiting = [...model.waiting.values()];
          const message = waiting[random.nextInt(waiting.length)];
          if (message === undefined) continue;
          assert.equal(table.remove('nobody', message.offset), false);
          assert.equal(table.remove(message.group, message.offset), true);
          model.waiting.delete(message.offset);
        } else {
          table = copy(table);
        }
        model.forgetGroups();
        assert.equal(table.count, model.waiting.size);
        assert.equal(table.heldCount, model.held.size);
        if (step % 20 > 0) continue;
        const waiting = [...model.waiting.values()];
        const bytes = waiting.reduce((sum, message) => sum + message.bodyBytes, 0);
        assert.equal(table.bytes, bytes);
        const names = new Set([...model.held.values(), ...waiting.map(({ group }) => group)]);
        assert.equal(table.groupCount, names.size);
        const seen = new Set<number>();
        table.forEach((_rank, offset) => {
          seen.add(offset);
        });
        assert.deepEqual(seen, new Set(model.waiting.keys()));
      }
    });
  }

  test('gives a group out in order, each message when the one before it is settled', () => {
    const table = new GroupTable(false);
    for (let offset = 0; offset < 5; offset++)
      assert.equal(table.enter('g', 0, offset, 1, 0, 0), offset === 0);
    // What is returned keeps its group.
    assert.equal(table.first(), false);
    assert.equal(table.enter('g', 0, 0, 1, 1, 1), true);
    for (let offset = 0; offset < 4; offset++) {
      table.leave(offset);
      assert.equal(table.first(), true);
      assert.equal(table.offset, offset + 1);
      table.takeFirst();
      assert.equal(table.first(), false);
    }
  });

  test('gives a run several messages of a group, and its group before others', () => {
    const table = new GroupTable(false);
    const goes = (name: string, offset: number, run: number): boolean =>
      table.enter(name, 0, offset, 1, 0, 0, run);
    assert.equal(goes('a', 0, 1), true);
    // Those of other groups wait, that more of this one may be found.
    assert.equal(table.looksAhead(1), true);
    assert.equal(goes('b', 1, 1), false);
    assert.equal(goes('a', 2, 1), true);
    // Nobody else gets any of it.
    assert.equal(goes('a', 3, 2), false);
    assert.equal(table.firstOfRun(2), false);
    assert.equal(table.firstOfRun(1), true);
    assert.equal(table.offset, 3);
    table.takeFirst(1);
    assert.equal(table.first(), true);
    assert.equal(table.offset, 1);
    // One that comes back may go while later ones are out, and those later ones lock the rest.
    table.takeFirst(2);
    assert.equal(table.giveBack(0, 0, 1, 1, 1, 9), true);
    assert.equal(goes('a', 4, 1), false);
    assert.equal(table.first(), true);
    assert.deepEqual([table.offset, table.turn], [0, 9]);
    table.takeFirst(3);
    assert.equal(table.firstOfRun(3), false);
    for (const offset of [0, 2]) table.leave(offset);
    assert.equal(table.first(), false);
    table.leave(3);
    assert.equal(table.first(), true);
    assert.equal(table.offset, 4);
  });

  test('gives a run all that came back of a group before what is still out of it', () => {
    const table = new GroupTable(false);
    for (let offset = 0; offset < 5; offset++)
      assert.equal(table.enter('a', 0, offset, 1, 0, 0, 1), true);
    // All but the fourth come back.
    for (const offset of [1, 0, 2, 4]) table.giveBack(0, offset, 1, 1, 1, 9);
    const given: number[] = [];
    for (let isThere = table.first(); isThere; isThere = table.firstOfRun(2)) {
      // Another run gets nothing in between.
      assert.equal(table.firstOfRun(3), false);
      given.push(table.offset);
      table.takeFirst(2);
    }
    assert.deepEqual(given, [0, 1, 2]);
    assert.equal(table.first(), false);
    table.leave(3);
    for (const offset of given) table.leave(offset);
    assert.equal(table.first(), true);
    assert.equal(table.offset, 4);
  });

  test('looks past a bounded number of groups for a run', () => {
    const table = new GroupTable(false);
    assert.equal(table.enter('first', 0, 0, 1, 0, 0, 1), true);
    for (let offset = 1; offset <= limits.groupsPassedMax; offset++)
      assert.equal(table.enter(`group ${offset}`, 0, offset, 1, 0, 0, 1), false);
    assert.equal(table.looksAhead(1), false);
    assert.equal(table.enter('last', 0, 1000, 1, 0, 0, 1), true);
  });

  test('lets a quiet group go before a noisy one', () => {
    const table = new GroupTable(true);
    for (let offset = 0; offset < 100; offset++) table.enter('noisy', 0, offset, 1, 0, 0);
    assert.equal(table.heldCount, 30);
    assert.equal(table.count, 70);
    assert.equal(table.first(false), false);
    assert.equal(table.enter('quiet', 0, 100, 1, 0, 0), true);
    assert.equal(table.first(), true);
    assert.equal(table.offset, 30);
    table.leave(0);
    table.leave(1);
    assert.equal(table.first(false), true);
  });

  test('keeps a million messages of 10,000 groups in less than 32 bytes each, and gives them out fast', () => {
    const table = new GroupTable(false);
    const groups = 10_000;
    const count = 1_000_000;
    for (let offset = 0; offset < count; offset++)
      table.enter(`group ${(offset * 7919) % groups}`, 0, offset, 100, 0, 0);
    assert.equal(table.count, count - groups);
    assert.ok(table.memoryBytes < count * 32, `${table.memoryBytes / count} bytes each`);
    let given = groups;
    for (let offset = 0; offset < count; offset++) {
      table.leave(offset);
      if (!table.first()) continue;
      table.takeFirst();
      given++;
    }
    assert.equal(given, count);
    assert.equal(table.groupCount, 0);
    assert.ok(table.memoryBytes < 500, `${table.memoryBytes} bytes`);
  });

  test('forgets what is not to be kept, waiting or in flight', () => {
    const table = new GroupTable(false);
    for (let offset = 0; offset < 30; offset++)
      table.enter(`group ${offset % 5}`, 0, offset, 1, 0, 0);
    table.retain((offset) => offset >= 12 && offset % 5 < 3);
    assert.deepEqual([table.heldCount, table.count, table.groupCount], [0, 10, 3]);
    const given: number[] = [];
    while (table.first()) {
      given.push(table.offset);
      table.takeFirst();
    }
    assert.deepEqual(given, [12, 15, 16]);
  });

  test('forgets everything when it is cleared', () => {
    const table = new GroupTable(false);
    for (let offset = 0; offset < 3; offset++) table.enter('g', 0, offset, 1, 0, 0);
    table.clear();
    assert.equal(table.isHeld(0), false);
    assert.equal(table.first(), false);
    assert.deepEqual([table.count, table.bytes, table.heldCount, table.groupCount], [0, 0, 0, 0]);
    assert.equal(table.enter('g', 0, 1, 1, 0, 0), true);
  });

  test('takes next to nothing when it is empty', () => {
    assert.ok(new GroupTable(false).memoryBytes <= 200);
  });
});
