import assert from 'node:assert/strict';
import test from 'node:test';
import { MemoryBudget } from '../../src/net/index.ts';

class Waiter {
  resumed = 0;
  resume(): void {
    this.resumed += 1;
  }
}

test('reading pauses at the limit and goes on in order when memory is released', () => {
  const budget = new MemoryBudget(100);
  const first = new Waiter();
  const second = new Waiter();
  budget.beginHandling(60);
  assert.equal(budget.mayRead(first), true);
  budget.beginHandling(60);
  assert.equal(budget.mayRead(first), false);
  budget.wait(first);
  budget.wait(second);
  assert.deepEqual([first.resumed, second.resumed], [0, 0]);
  budget.endHandling(60);
  assert.deepEqual([first.resumed, second.resumed], [1, 1]);
  assert.equal(budget.usedBytes, 60);
});

test('half-read frames that hold everything are finished one after the other', () => {
  const budget = new MemoryBudget(100);
  const first = new Waiter();
  const second = new Waiter();
  budget.changeAssembling(50);
  budget.changeAssembling(50);
  budget.wait(first);
  budget.wait(second);
  assert.deepEqual([first.resumed, second.resumed], [1, 0]);
  assert.equal(budget.mayRead(first), true);
  assert.equal(budget.mayRead(second), false);
  budget.changeAssembling(20);
  budget.leave(first);
  assert.equal(second.resumed, 1);
  assert.equal(budget.mayRead(second), true);
  assert.equal(budget.mayRead(first), false);
});

test('no pass is given while something is being handled, because that will release memory', () => {
  const budget = new MemoryBudget(100);
  const waiter = new Waiter();
  budget.changeAssembling(90);
  budget.beginHandling(10);
  budget.wait(waiter);
  assert.equal(waiter.resumed, 0);
  budget.endHandling(10);
  assert.equal(waiter.resumed, 1);
});

test('a waiter that left is not called', () => {
  const budget = new MemoryBudget(100);
  const waiter = new Waiter();
  budget.beginHandling(100);
  budget.wait(waiter);
  budget.leave(waiter);
  budget.endHandling(100);
  assert.equal(waiter.resumed, 0);
});
