import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { AmqpDoor } from '../../../src/doors/amqp091/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { SeededRandom } from '../../../src/testing/index.ts';
import { capturedStreams } from './captured-streams.ts';
import { RawClient } from './raw-client.ts';

const seed = Number(process.env['PABAL_FUZZ_SEED'] ?? 20_261_121);
const rounds = Number(process.env['PABAL_FUZZ_ROUNDS'] ?? 400);
const inFlight = 16;

let broker: Broker;
let door: AmqpDoor;
const complaints: unknown[] = [];

before(async () => {
  broker = await Broker.open({ store: 'memory' });
  door = await AmqpDoor.open({
    broker,
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: { ...silentLog, error: (fields, message) => complaints.push(fields, message) },
    version: '0.0.0',
    host: '127.0.0.1',
    port: 0,
  });
});

after(async () => {
  await door.close(0);
  await broker.close();
});

/** A client's stream in which bytes were changed, left out or put in, behind its login. */
function mutate(stream: Buffer, loginBytes: number, random: SeededRandom): Buffer {
  let bytes = Buffer.from(stream);
  const changes = 1 + random.nextInt(4);
  for (let change = 0; change < changes; change += 1) {
    const at = loginBytes + random.nextInt(bytes.length - loginBytes);
    switch (random.nextInt(4)) {
      case 0:
        bytes[at] = random.nextInt(256);
        break;
      case 1:
        bytes[at] = bytes[at]! ^ (1 << random.nextInt(8));
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.nextInt(8))]);
        break;
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          random.nextBytes(1 + random.nextInt(8)),
          bytes.subarray(at),
        ]);
    }
    if (bytes.length <= loginBytes) return bytes;
  }
  return bytes;
}

/** Where the frames behind the protocol header and `count` frames begin. */
function behindFrames(stream: Buffer, count: number): number {
  let at = 8;
  for (let frame = 0; frame < count; frame += 1) at += stream.readUInt32BE(at + 3) + 8;
  return at;
}

async function play(bytes: Buffer): Promise<void> {
  const client = await RawClient.connect(door.port);
  client.write(bytes);
  // The answer, or silence where the door waits for the rest of a frame.
  await client.take(50);
  client.destroy();
}

describe(`bytes that no client sends (seed ${seed})`, () => {
  for (const [name, stream] of Object.entries(capturedStreams)) {
    for (const [what, frames] of [
      ['behind the login', 3],
      ['from the first byte on', 0],
    ] as const) {
      test(`${name}, ${what}: nothing breaks, and others go on`, async () => {
        const random = new SeededRandom(seed + frames);
        const start = frames === 0 ? 0 : behindFrames(stream, frames);
        for (let round = 0; round < rounds / 4; round += inFlight) {
          await Promise.all(
            Array.from({ length: inFlight }, () => play(mutate(stream, start, random))),
          );
        }
        assert.deepEqual(complaints, []);
        const client = await RawClient.open(door.port);
        await client.openChannel(1);
        client.destroy();
      });
    }
  }
});
