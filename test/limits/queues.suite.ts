import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { emptyTable } from '../../src/doors/amqp091/wire/index.ts';
import { BrokerProcess, pause } from '../crash/broker-process.ts';
import { RawClient } from '../doors/amqp091/raw-client.ts';

const MIB = 1024 * 1024;
const count = Number(process.env.QUEUES ?? 100_000);
const perTurn = 1000;
/** Above the empty server's. */
const growthBytesMax = 200 * MIB;
/** The collector gives back what garbage took some time after it was last needed. */
const settleMs = 60_000;

test(`${count} idle queues take less than 200 MiB, also after a restart`, async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-queues-'));
  const dataPath = path.join(directory, 'data');
  let server = await BrokerProcess.start({ dataPath });
  t.after(async () => {
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  if (server.residentBytes() === 0) return t.skip('the system does not tell the memory in use');
  const emptyBytes = server.residentBytes();
  const client = await RawClient.open(server.amqpPort);
  await client.openChannel();
  await declare(client, false);
  await pause(settleMs);
  const declaredBytes = server.residentBytes();
  await declare(client, true);
  client.destroy();
  await pause(settleMs);
  const boundBytes = server.residentBytes();
  assert.equal((await server.terminate()).code, 0);
  server = await BrokerProcess.start({ dataPath });
  const startedBytes = server.residentBytes();
  const peakBytes = server.peakResidentBytes();
  const startMs = server.processorMs();
  await pause(settleMs);
  const share = (server.processorMs() - startMs) / settleMs;
  const restedBytes = server.residentBytes();
  const told = Object.entries({
    ...{ emptyBytes, declaredBytes, boundBytes, startedBytes, peakBytes, restedBytes },
  })
    .map(([name, bytes]) => `${name} ${Math.round(bytes / MIB)} MiB`)
    .join(', ');
  t.diagnostic(`${told}, ${(share * 100).toFixed(1)} % of a processor when idle`);
  assert.ok(declaredBytes - emptyBytes < growthBytesMax, told);
  // What the start itself needed is given back.
  assert.ok(restedBytes < boundBytes + growthBytesMax / 2, told);
});

/** Declares the queues, or binds them, many at once. */
async function declare(client: RawClient, isBinding: boolean): Promise<void> {
  for (let from = 0; from < count; from += perTurn) {
    for (let index = from; index < from + perTurn; index += 1) {
      const queue = `queue-${index}`;
      const rest = { ticket: 0, queue, nowait: false, arguments: emptyTable };
      if (isBinding) {
        client.send(1, 'queueBind', {
          ...rest,
          exchange: 'amq.topic',
          routingKey: `place.${index % 100}.${index}`,
        });
      } else {
        client.send(1, 'queueDeclare', {
          ...rest,
          ...{ passive: false, durable: true, exclusive: false, autoDelete: false },
        });
      }
    }
    for (let index = 0; index < perTurn; index += 1) {
      await client.next(isBinding ? 'queueBindOk' : 'queueDeclareOk', 60_000);
    }
    client.forgetTaken();
  }
}
