import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limits } from '../../../src/base/index.ts';
import { Broker, type QuotaSubject } from '../../../src/broker/index.ts';
import { Quotas } from '../../../src/broker/quotas/index.ts';
import { MemoryDisk } from '../../../src/disk/index.ts';
import { SimulatedClock } from '../../../src/testing/index.ts';

/** Quotas whose entries take effect at once. */
function open() {
  const clock = new SimulatedClock();
  const quotas = new Quotas(clock);
  quotas.attach({
    submit: async (kind, payload) => {
      quotas.apply(kind, payload);
    },
  });
  const set = (subject: QuotaSubject, perSecond: number | undefined): Promise<void> =>
    quotas.change([{ subject, bounds: { readBytes: perSecond } }]);
  return { clock, quotas, set };
}

const burst = limits.quotaBurstSeconds;

describe('quotas', () => {
  test('let through what was not used for some seconds, then make whoever goes on wait as long as it takes', async () => {
    const { clock, quotas, set } = open();
    await set({ user: 'ann' }, 100);
    const meter = quotas.meterOf('readBytes', 'ann', 'c');
    assert.equal(meter?.spend(100 * burst), 0);
    assert.equal(meter.waitMs, 0);
    assert.equal(meter.spend(50), 500);
    assert.equal(meter.spend(100), 1500);
    await clock.runFor(500);
    assert.equal(meter.waitMs, 1000);
    await clock.runFor(1000);
    assert.equal(meter.waitMs, 0);
    assert.equal(meter.spend(1), 10);
    await clock.runFor(3_600_000);
    assert.equal(meter.spend(100 * burst), 0);
    assert.equal(meter.spend(1), 10);
  });

  test('of a user and client win over those of a user, and those over those of a client; a name over everybody', async () => {
    const subjects: readonly QuotaSubject[] = [
      { client: null },
      { client: 'c' },
      { user: null },
      { user: null, client: null },
      { user: null, client: 'c' },
      { user: 'ann' },
      { user: 'ann', client: null },
      { user: 'ann', client: 'c' },
    ];
    const { quotas, set } = open();
    for (const [index, subject] of subjects.entries()) {
      await set(subject, index + 1);
      const meter = quotas.meterOf('readBytes', 'ann', 'c');
      assert.equal(meter?.spend((index + 1) * burst), 0, JSON.stringify(subject));
      assert.equal(meter.spend(index + 1), 1000, JSON.stringify(subject));
    }
    assert.equal(quotas.meterOf('publishedBytes', 'ann', 'c'), undefined);
  });

  test('are shared by those whom they name, and by nobody else', async () => {
    const { quotas, set } = open();
    const meterOf = (user: string, client: string) => quotas.meterOf('readBytes', user, client);
    await set({ user: null }, 10);
    assert.equal(meterOf('ann', 'c'), meterOf('ann', 'd'));
    assert.notEqual(meterOf('ann', 'c'), meterOf('bob', 'c'));
    await set({ user: 'ann', client: null }, 10);
    assert.notEqual(meterOf('ann', 'c'), meterOf('ann', 'd'));
    await set({ user: null }, undefined);
    assert.equal(meterOf('bob', 'c'), undefined);
    assert.equal(quotas.list().length, 1);
  });

  test('of addresses are for addresses', async () => {
    const { quotas } = open();
    await quotas.change([{ subject: { address: null }, bounds: { connections: 1 } }]);
    await quotas.change([{ subject: { address: '10.0.0.1' }, bounds: { connections: 5 } }]);
    assert.equal(quotas.meterOf('connections', 'ann', 'c'), undefined);
    assert.equal(quotas.meterOfAddress('connections', '10.0.0.1')?.spend(5 * burst), 0);
    assert.equal(
      quotas.meterOfAddress('connections', '10.0.0.2')?.spend(5 * burst),
      4 * burst * 1000,
    );
  });

  test('take a name for nothing but a name', async () => {
    const { quotas, set } = open();
    for (const user of ['0', '1', 'null', '*', '<default>', '__proto__']) await set({ user }, 1);
    assert.equal(quotas.meterOf('readBytes', 'ann', 'c'), undefined);
    assert.equal(quotas.list().length, 6);
  });

  test('refuse what makes no sense, and change nothing then', async () => {
    const { quotas, set } = open();
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(set({ user: 'ann' }, value), { code: 'config-invalid' });
    }
    await assert.rejects(set({}, 1), { code: 'config-invalid' });
    await assert.rejects(set({ user: 'x'.repeat(limits.nameBytesMax + 1) }, 1), {
      code: 'config-invalid',
    });
    assert.deepEqual(quotas.list(), []);
  });

  test('outlive the broker', async () => {
    const disk = new MemoryDisk();
    const first = await Broker.open({ data: '/quotas', disk });
    await first.quotas.change([
      { subject: { user: 'ann' }, bounds: { readBytes: 5, requestMs: 7 } },
      { subject: { client: null }, bounds: { publishedBytes: 9 } },
    ]);
    await first.quotas.change([{ subject: { user: 'ann' }, bounds: { readBytes: undefined } }]);
    const stored = first.quotas.list();
    await first.close();
    assert.deepEqual(stored, [
      { subject: { user: 'ann' }, bounds: { requestMs: 7 } },
      { subject: { client: null }, bounds: { publishedBytes: 9 } },
    ]);
    const second = await Broker.open({ data: '/quotas', disk });
    assert.deepEqual(second.quotas.list(), stored);
    await second.close();
  });
});
