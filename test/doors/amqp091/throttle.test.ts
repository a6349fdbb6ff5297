import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SystemClock, SystemRandom } from '../../../src/base/index.ts';
import { Broker } from '../../../src/broker/index.ts';
import { Heartbeat } from '../../../src/doors/amqp091/heartbeats.ts';
import { AmqpDoor } from '../../../src/doors/amqp091/index.ts';
import { silentLog } from '../../../src/net/index.ts';
import { RawClient } from './raw-client.ts';

describe('Heartbeat', () => {
  test('is sent after half an interval of silence of ours', () => {
    const heartbeat = new Heartbeat();
    heartbeat.start(10, 0);
    heartbeat.noteReceived();
    assert.equal(heartbeat.check(4999), undefined);
    assert.equal(heartbeat.check(5000), 'send');
    heartbeat.noteSent();
    assert.equal(heartbeat.check(5500), undefined);
    assert.equal(heartbeat.check(9999), undefined);
    assert.equal(heartbeat.check(10_000), 'send', 'half an interval after the last one');
  });

  test('misses a peer that is silent for two intervals, and not one that was not read from', () => {
    const heartbeat = new Heartbeat();
    heartbeat.start(10, 0);
    assert.notEqual(heartbeat.check(20_000), 'gone');
    assert.equal(heartbeat.check(20_001), 'gone');
    heartbeat.forgive(20_001);
    assert.notEqual(heartbeat.check(40_001), 'gone');
    heartbeat.noteReceived();
    assert.notEqual(heartbeat.check(41_000), 'gone');
    assert.notEqual(heartbeat.check(61_000), 'gone');
    assert.equal(heartbeat.check(61_001), 'gone');
  });

  test('of 0 seconds is none', () => {
    const heartbeat = new Heartbeat();
    heartbeat.start(0, 0);
    assert.equal(heartbeat.check(1e9), undefined);
  });
});

describe('publishers of a broker that has no room', () => {
  test('are told to wait, and that they may go on; others are not concerned', async (t) => {
    const broker = await Broker.open({ store: 'memory' });
    let isLow = false;
    broker.isStorageLow = () => isLow;
    const door = await AmqpDoor.open({
      broker,
      clock: new SystemClock(),
      random: new SystemRandom(),
      log: silentLog,
      version: '0.0.0',
      host: '127.0.0.1',
      port: 0,
    });
    t.after(async () => {
      await door.close(0);
      await broker.close();
    });
    const capabilities = new Map([['connection.blocked', { type: 't', value: true }]] as const);
    const publisher = await RawClient.open(door.port, { capabilities });
    const old = await RawClient.open(door.port);
    const consumer = await RawClient.open(door.port, { capabilities });
    for (const client of [publisher, old, consumer]) await client.openChannel(1);

    isLow = true;
    publisher.send(1, 'confirmSelect', { nowait: true });
    publish(publisher);
    publish(old);
    assert.equal((await publisher.next('connectionBlocked')).reason, 'low on disk');
    const peer = broker.peers
      .list()
      .find(({ peerPort }) => peerPort === publisher.socket.localPort);
    assert.equal(peer?.details()['state'], 'blocked');
    ask(publisher);
    ask(old);
    ask(consumer);
    await consumer.next('channelFlowOk');
    assert.equal(await publisher.take(100), undefined);
    assert.equal(await old.take(10), undefined);

    isLow = false;
    await publisher.next('connectionUnblocked');
    // What was held back is confirmed, and not refused.
    assert.equal((await publisher.next('basicAck')).deliveryTag, 1);
    await publisher.next('channelFlowOk');
    await old.next('channelFlowOk');
    assert.ok(old.received.every(({ method }) => method !== 'connectionBlocked'));
    for (const client of [publisher, old, consumer]) client.destroy();
  });
});

function publish(client: RawClient): void {
  client.send(1, 'basicPublish', {
    ticket: 0,
    exchange: '',
    routingKey: 'nowhere',
    mandatory: false,
    immediate: false,
  });
  client.header(1, 0);
}

function ask(client: RawClient): void {
  client.send(1, 'channelFlow', { active: true });
}
