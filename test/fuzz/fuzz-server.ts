import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { RecordBatchBuilder } from '../../src/bytes/index.ts';
import { RawClient } from '../doors/amqp091/raw-client.ts';
import { emptyTable } from '../../src/doors/amqp091/wire/index.ts';
import { BrokerProcess, pause } from '../crash/broker-process.ts';
import { WireClient } from '../doors/kafka/wire-client.ts';
import { patienceMs } from '../support/patience.ts';

const MIB = 1024 * 1024;
/**
 * What waits to be sent may take 320 MiB, frames that are being received 256 MiB, and memory that was given back counts
 * until it is collected. One answer of 16 MiB for each greedy connection would be more than 2 GiB.
 */
const residentBytesMax = 900 * MIB;
const topic = 'honest';

/** A real server under attack, and an honest client of both doors that wants its answers all the while. */
export class FuzzServer {
  readonly server: BrokerProcess;
  readonly #directory: string;
  readonly #honest: WireClient;
  #queueClient: RawClient | undefined;
  #isOver = false;
  #work: Promise<void> = Promise.resolve();
  peakBytes = 0;
  honestRounds = 0;

  static async start(flags: readonly string[]): Promise<FuzzServer> {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'pabal-fuzz-'));
    const server = await BrokerProcess.start({
      dataPath: path.join(directory, 'data'),
      flags: ['--cache', '4MiB', '--sync', 'os', ...flags],
    });
    const honest = await WireClient.connect(server.kafkaPort);
    const fuzz = new FuzzServer(directory, server, honest);
    await fuzz.#createTopic();
    fuzz.#work = fuzz.#workHonestly();
    // Looked at by `check`.
    fuzz.#work.catch(() => undefined);
    return fuzz;
  }

  private constructor(directory: string, server: BrokerProcess, honest: WireClient) {
    this.#directory = directory;
    this.server = server;
    this.#honest = honest;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#honest.close();
    this.#queueClient?.destroy();
    await this.#work.catch(() => undefined);
    await this.server.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The server lives, the honest client was served since, and memory is bounded. */
  async check(): Promise<void> {
    const rounds = this.honestRounds;
    // Each round has steps that are each waited for so long.
    const deadlineMs = Date.now() + 3 * patienceMs;
    while (this.honestRounds < rounds + 3) {
      assert.ok(this.server.isRunning, `the server ended:\n${this.server.output.slice(-4000)}`);
      assert.ok(Date.now() < deadlineMs, 'the honest client is not served');
      await Promise.race([this.#work, pause(10)]);
    }
    assert.ok(
      this.peakBytes < residentBytesMax,
      `${(this.peakBytes / MIB).toFixed(0)} MiB of memory were in use`,
    );
    assert.ok(
      !/stopped by a bug|internal error/.test(this.server.output),
      this.server.output.slice(-4000),
    );
  }

  /** From here on the honest client also publishes to a queue, gets what it published, and settles it. */
  async addQueueClient(): Promise<void> {
    const client = await RawClient.open(this.server.amqpPort);
    await client.openChannel();
    client.send(1, 'queueDeclare', {
      ...{ ticket: 0, queue: topic, passive: false, durable: true, exclusive: false },
      ...{ autoDelete: false, nowait: false, arguments: emptyTable },
    });
    await client.next('queueDeclareOk');
    client.send(1, 'confirmSelect', { nowait: false });
    await client.next('confirmSelectOk');
    this.#queueClient = client;
  }

  /** A connection to a door; what fails on it is nobody's concern. */
  connect(port: number): Socket {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    return socket;
  }

  /** Opens a connection, sends `bytes`, and resolves when the server has closed it; ends its own side when `ends`. */
  async sendAndAwaitClose(port: number, bytes: Uint8Array, ends = true): Promise<Buffer> {
    const socket = this.connect(port);
    const answer: Buffer[] = [];
    socket.on('data', (data) => answer.push(data));
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
    });
    if (ends) socket.end(bytes);
    else socket.write(bytes);
    await this.patiently(closed, 'the server does not close a connection');
    return Buffer.concat(answer);
  }

  async patiently<T>(promise: Promise<T>, complaint: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(complaint)), patienceMs);
    });
    try {
      return await Promise.race([promise, tooLong]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until a series has a value (`isExact`), or at least that. */
  async reached(series: string, wanted: number, isExact = false): Promise<void> {
    const deadlineMs = Date.now() + patienceMs;
    for (;;) {
      const value = await this.metric(series);
      if (isExact ? value === wanted : value >= wanted) return;
      assert.ok(Date.now() < deadlineMs, `${series} is ${value} and not ${wanted}`);
      await pause(50);
    }
  }

  /** The value of a series of the metrics page. */
  async metric(series: string): Promise<number> {
    const text = await this.#fetchText('/metrics');
    const line = text.split('\n').find((one) => one.startsWith(`${series} `));
    assert.ok(line !== undefined, `there is no series ${series}`);
    return Number(line.slice(series.length + 1));
  }

  /** Appends batches of 512 KiB to a topic of its own. */
  async produceBulk(name: string, bytes: number): Promise<void> {
    const value = Buffer.alloc(512 * 1024, 'b');
    let sent = 0;
    while (sent < bytes) {
      const client = await WireClient.connect(this.server.kafkaPort);
      try {
        await client.ask('Metadata', 9, { topics: [{ name }], allowAutoTopicCreation: true });
        for (; sent < bytes; sent += value.length)
          assert.equal(await produce(client, name, value), 0);
      } catch (error) {
        // Where the machine stands still in the middle of a batch, this is a peer that stalls, and is cut off.
        if (!client.isClosed) throw error;
      } finally {
        client.close();
      }
    }
  }

  /** What the admin door answers; who stalls is told so, also when the whole machine does. */
  async #fetchText(page: string): Promise<string> {
    const deadlineMs = Date.now() + patienceMs;
    for (;;) {
      try {
        const response = await fetch(`http://127.0.0.1:${this.server.adminPort}${page}`);
        const text = await response.text();
        if (response.status === 200) return text;
        assert.ok(Date.now() < deadlineMs, `${page} is answered with ${response.status}`);
      } catch (error) {
        if (error instanceof assert.AssertionError || Date.now() > deadlineMs) throw error;
      }
      await pause(10);
    }
  }

  async #createTopic(): Promise<void> {
    const { topics } = await this.#honest.ask('CreateTopics', 5, {
      topics: [
        { name: topic, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] },
      ],
    });
    assert.equal(topics[0]?.errorCode, 0);
  }

  async #workHonestly(): Promise<void> {
    while (!this.#isOver) {
      const code = await this.patiently(
        produce(this.#honest, topic, Buffer.from('honest')),
        'the honest client cannot produce',
      );
      assert.equal(code, 0, 'the honest client cannot produce');
      await this.patiently(this.#fetchText('/health/live'), 'the admin door does not answer');
      const { bytes } = await this.patiently(
        useQueue(this.#queueClient),
        'the honest client of the queue is not served',
      );
      assert.ok(bytes === undefined || bytes === honestBody.length);
      this.peakBytes = Math.max(this.peakBytes, this.server.residentBytes());
      this.honestRounds++;
      await pause(10);
    }
  }
}

const honestBody = Buffer.from('honest');

/** Publishes, awaits the confirm, gets and settles. */
async function useQueue(client: RawClient | undefined): Promise<{ bytes?: number }> {
  if (client === undefined) return {};
  client.send(1, 'basicPublish', {
    ...{ ticket: 0, exchange: '', routingKey: topic, mandatory: true, immediate: false },
  });
  client.header(1, honestBody.length);
  client.frame(3, 1, honestBody);
  await client.next('basicAck', patienceMs);
  client.send(1, 'basicGet', { ticket: 0, queue: topic, noAck: false });
  const { deliveryTag } = await client.next('basicGetOk', patienceMs);
  await client.take();
  const body = await client.take();
  client.send(1, 'basicAck', { deliveryTag, multiple: false });
  return { bytes: body?.payload.length ?? 0 };
}

async function produce(client: WireClient, name: string, value: Buffer): Promise<number> {
  const builder = new RecordBatchBuilder();
  builder.add({ key: null, value, headers: [], timestampMs: Date.now() });
  const { responses } = await client.ask('Produce', 9, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name, partitionData: [{ index: 0, records: builder.build() }] }],
  });
  return responses[0]?.partitionResponses[0]?.errorCode ?? -1;
}
