import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameType } from '../../../src/doors/amqp091/wire/index.ts';
import { openBed } from './messages-bed.ts';
import { RawClient } from './raw-client.ts';

const limits = { messageBytesMax: 1000, partialBodiesBytesMax: 64 * 1024 };
/** So many that their bodies' parts take more than half of what one connection may. */
const framesMany = 300;

/** Body frames of one byte each. */
function smallFrames(channel: number, count: number): Buffer {
  const one = Buffer.from([frameType.body, 0, channel, 0, 0, 0, 1, 0x78, 0xce]);
  return Buffer.alloc(one.length * count, one);
}

function beginPublish(client: RawClient, channel: number, bytes: number): void {
  client.send(channel, 'basicPublish', {
    ticket: 0,
    exchange: '',
    routingKey: 'nowhere',
    mandatory: false,
    immediate: false,
  });
  client.header(channel, bytes);
}

async function open(port: number, channels: readonly number[]): Promise<RawClient> {
  const client = await RawClient.open(port);
  for (const channel of channels) await client.openChannel(channel);
  return client;
}

test('messages of many channels that are never finished end the connection before they fill the memory', async (t) => {
  const bed = await openBed(t, { limits });
  const client = await open(bed.port, [1, 2]);
  t.after(() => client.destroy());
  for (const channel of [1, 2]) {
    beginPublish(client, channel, framesMany + 1);
    client.write(smallFrames(channel, framesMany));
  }
  const { replyCode, replyText } = await client.next('connectionClose');
  assert.equal(replyCode, 506);
  assert.match(replyText, /^RESOURCE_ERROR - unfinished messages of all channels take more than/);
});

test('messages that were finished count no longer', async (t) => {
  const bed = await openBed(t, { limits });
  const client = await open(bed.port, [1]);
  t.after(() => client.destroy());
  for (let round = 0; round < 3; round += 1) {
    beginPublish(client, 1, framesMany);
    client.write(smallFrames(1, framesMany));
  }
  client.send(1, 'basicAck', { deliveryTag: 77, multiple: false });
  assert.equal((await client.next('channelClose')).replyCode, 406);
});
