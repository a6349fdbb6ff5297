import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { BrokerProcess, pause } from '../crash/broker-process.ts';
import { RawClient } from '../doors/amqp091/raw-client.ts';
import { patienceMs } from '../support/patience.ts';

const KIB = 1024;
/** `npm run soak -- connections` opens 5,000. */
const connections = Number(process.env.CONNECTIONS ?? 1000);
const channels = 2;
const bytesPerConnectionMax = 40 * KIB;
const idleMs = Number(process.env.CONNECTIONS_IDLE_MS ?? 1000);

test(`${connections} idle connections of ${channels} channels cost less than 40 KiB each`, async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-connections-'));
  const server = await BrokerProcess.start({ dataPath: path.join(directory, 'data') });
  const clients: RawClient[] = [];
  t.after(async () => {
    for (const client of clients) client.destroy();
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  if (server.residentBytes() === 0) return t.skip('the system does not tell the memory in use');
  // What the first ones make the process load is not theirs.
  await open(server.amqpPort, clients, 50);
  await pause(500);
  const before = server.residentBytes();
  await open(server.amqpPort, clients, connections);
  await pause(idleMs);
  const startMs = server.processorMs();
  await pause(idleMs);
  const share = (server.processorMs() - startMs) / idleMs;
  const perConnection = (): number => (server.residentBytes() - before) / connections;
  // What is garbage is collected when the process has come to rest, which takes longer on a busy machine.
  const endMs = Date.now() + patienceMs;
  while (perConnection() >= bytesPerConnectionMax && Date.now() < endMs) await pause(100);
  const each = perConnection();
  t.diagnostic(
    `${(each / KIB).toFixed(1)} KiB each, ${(share * 100).toFixed(1)} % of a processor when idle`,
  );
  assert.ok(each < bytesPerConnectionMax, `${each} bytes each`);
  assert.ok(clients.every(({ isClosed }) => !isClosed));
});

async function open(port: number, clients: RawClient[], count: number): Promise<void> {
  const capabilities = new Map([['consumer_cancel_notify', { type: 't', value: true }]] as const);
  for (let done = 0; done < count; done += 50) {
    const batch = Array.from({ length: Math.min(50, count - done) }, async () => {
      // It sends no heartbeats: within twice that time all is over, also on a busy machine.
      const client = await RawClient.open(port, { capabilities, heartbeat: 600 });
      for (let channel = 1; channel <= channels; channel += 1) await client.openChannel(channel);
      // What was received is the test's memory.
      client.received.length = 0;
      client.raw.length = 0;
      clients.push(client);
    });
    await Promise.all(batch);
  }
}
