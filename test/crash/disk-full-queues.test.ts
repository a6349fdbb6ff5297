import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { BrokerProcess, pause } from './broker-process.ts';
import { SmallDisk } from './small-disk.ts';
import { until } from '../support/until.ts';

const MIB = 1024 * 1024;
const diskBytes = 48 * MIB;
const bodyBytes = 100 * 1024;
const queue = 'filling';

/** A server on a small disk, and clients of its queue. */
class FullQueue {
  readonly disk: SmallDisk;
  readonly server: BrokerProcess;
  readonly confirmed = new Set<number>();
  readonly refused = new Set<number>();
  readonly delivered = new Set<number>();
  readonly notices: string[] = [];
  sentCount = 0;
  #publisher: ConfirmChannel | undefined;
  #others: ChannelModel | undefined;

  static async start(t: TestContext, flags: readonly string[]): Promise<FullQueue | undefined> {
    const disk = SmallDisk.mount(diskBytes);
    if (disk === undefined) {
      t.skip('this process may not mount a small file system');
      return undefined;
    }
    const opened: BrokerProcess[] = [];
    // In this order: what is in use cannot be unmounted.
    t.after(async () => {
      for (const one of opened) await one.kill();
      disk.unmount();
    });
    const server = await BrokerProcess.start({
      dataPath: disk.join('data'),
      flags: ['--journal-file-bytes', '6MiB', '--cache', '1MiB', ...flags],
    });
    opened.push(server);
    const full = new FullQueue(disk, server);
    await full.#open();
    return full;
  }

  private constructor(disk: SmallDisk, server: BrokerProcess) {
    this.disk = disk;
    this.server = server;
  }

  publish(): void {
    const number = this.sentCount;
    this.sentCount += 1;
    const body = Buffer.alloc(bodyBytes, 'b');
    body.writeUInt32BE(number, 0);
    this.#publisher?.sendToQueue(queue, body, { persistent: true }, (error: unknown) => {
      if (error === null || error === undefined) this.confirmed.add(number);
      else this.refused.add(number);
    });
  }

  /** Publishes, some at once, until `isEnough`. */
  async fill(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      assert.ok(this.confirmed.size * bodyBytes < 2 * diskBytes, 'the disk is never full');
      if (this.sentCount - this.confirmed.size - this.refused.size < 8) this.publish();
      else await pause(2);
    }
  }

  /** Takes and acknowledges what there is. */
  async drain(): Promise<void> {
    const channel = await this.#others!.createChannel();
    await channel.prefetch(10);
    await channel.consume(queue, (message) => {
      if (message === null) return;
      this.delivered.add(message.content.readUInt32BE(0));
      channel.ack(message);
    });
    await until(
      () => [...this.confirmed].every((number) => this.delivered.has(number)),
      () =>
        `all that was confirmed; ${this.delivered.size} of ${this.confirmed.size}, ${this.refused.size} refused, ${this.notices.join()}`,
    );
    await channel.close();
  }

  /** Another connection may declare, bind and delete. */
  async useOthers(): Promise<void> {
    const channel = await this.#others!.createChannel();
    const { queue: name } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(name, 'amq.fanout', '');
    await channel.deleteQueue(name);
    await channel.close();
  }

  async #open(): Promise<void> {
    const url = `amqp://guest:guest@127.0.0.1:${this.server.amqpPort}`;
    const publisher = await connect(url, { noDelay: true });
    publisher.on('blocked', (reason: string) => this.notices.push(`blocked: ${reason}`));
    publisher.on('unblocked', () => this.notices.push('unblocked'));
    this.#others = await connect(url, { noDelay: true });
    for (const each of [publisher, this.#others]) each.on('error', () => undefined);
    this.#publisher = await publisher.createConfirmChannel();
    this.#publisher.on('error', () => undefined);
    await this.#publisher.assertQueue(queue);
  }
}

describe('a full disk under queues', () => {
  test('holds publishers back, and lets others acknowledge until there is room again', async (t) => {
    const full = await FullQueue.start(t, ['--free-bytes-min', '8MiB']);
    if (full === undefined) return;
    await full.fill(() => full.notices.length > 0);
    assert.match(full.notices[0] ?? '', /^blocked: low on disk/);
    const { size } = full.confirmed;
    full.publish();
    await full.useOthers();
    await pause(200);
    assert.ok(full.confirmed.size <= size + 8, 'nothing more is confirmed');
    assert.ok(!full.server.output.includes('ENOSPC'), 'it never came to the end of the disk');

    await full.drain();
    await until(() => full.notices.length > 1, 'the end of the block');
    assert.equal(full.notices[1], 'unblocked');
    // What was on its way in the very moment may have been refused; what was held back is not.
    const answered = (): number => full.confirmed.size + full.refused.size;
    await until(() => answered() === full.sentCount, 'the confirms of what was held');
    assert.ok(full.confirmed.has(full.sentCount - 1), 'what waited is not refused');
    await full.drain();
    assert.equal((await full.server.terminate()).code, 0);
  });

  test('to its last byte: publishes are refused, what was confirmed stays, and work goes on', async (t) => {
    const full = await FullQueue.start(t, ['--free-bytes-min', '0']);
    if (full === undefined) return;
    const ballast = full.disk.join('ballast');
    writeFileSync(ballast, Buffer.alloc(24 * MIB));
    await full.fill(() => full.refused.size > 0);
    await full.server.printed(/ENOSPC/);
    rmSync(ballast);
    const { size } = full.confirmed;
    await full.fill(() => full.confirmed.size > size + 5);
    await full.drain();
    assert.equal((await full.server.terminate()).code, 0);
  });
});
