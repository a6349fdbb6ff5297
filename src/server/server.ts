import { readFileSync } from 'node:fs';
import { SystemClock, SystemRandom } from '../base/index.ts';
import type { Broker } from '../broker/index.ts';
import { DoorMetrics, type Log } from '../net/index.ts';
import { openDoors } from './config.ts';
import { StartFailure } from './failure.ts';
import { type Address, printAddress } from './kind.ts';
import { isLoopback } from './loopback.ts';
import { ProcessMetrics } from './process-metrics.ts';
import type { DoorName, Settings } from './settings.ts';

/** A broker with its doors. */
export interface Server {
  readonly dataPath: string;
  /** Where each door really listens. */
  readonly addresses: Readonly<Record<string, Address>>;
  /** Stops accepting, lets what is in flight be answered for at most `graceMs`, and closes the broker. Idempotent. */
  stop(graceMs: number): Promise<void>;
}

/** What a door is to the server. */
interface RunningDoor {
  readonly host: string;
  readonly port: number;
  stop(graceMs: number): Promise<void>;
}

/**
 * Opens the broker and then the doors; nothing is left open when it fails. Rejects with a StartFailure for whatever a
 * person can correct.
 */
export async function startServer(settings: Settings, log: Log): Promise<Server> {
  const doors = openDoors(settings);
  if (doors.length === 0) throw new StartFailure('every door is closed: nothing could come in');
  if (!settings.insecure) refuseExposure(settings, doors);
  const broker = await openBroker(settings, log);
  const server = new RunningServer(settings, broker, log);
  try {
    for (const door of doors) await server.startDoor(door);
  } catch (error) {
    await server.stop(0);
    throw error;
  }
  return server;
}

class RunningServer implements Server {
  readonly #settings: Settings;
  readonly #broker: Broker;
  readonly #log: Log;
  readonly #clock = new SystemClock();
  readonly #random = new SystemRandom();
  readonly #version = readVersion();
  readonly #process: ProcessMetrics;
  readonly #doors = new Map<DoorName, RunningDoor>();
  readonly #metrics = new Map<string, DoorMetrics>();
  #stopping: Promise<void> | undefined;

  constructor(settings: Settings, broker: Broker, log: Log) {
    this.#settings = settings;
    this.#broker = broker;
    this.#log = log;
    this.#process = new ProcessMetrics(this.#version, this.#clock.nowMs());
  }

  get dataPath(): string {
    return this.#broker.storage().path;
  }

  get addresses(): Record<string, Address> {
    const addresses: Record<string, Address> = {};
    for (const [name, { host, port }] of this.#doors) addresses[name] = { host, port };
    return addresses;
  }

  async startDoor(name: DoorName): Promise<void> {
    const listen = this.#settings.listen[name];
    const metrics = new DoorMetrics();
    try {
      this.#doors.set(
        name,
        name === 'kafka'
          ? await this.#startKafka(listen, metrics)
          : await this.#startAdmin(listen, metrics),
      );
    } catch (error) {
      throw new StartFailure(whyNotListening(name, listen, error), 1, { cause: error });
    }
    this.#metrics.set(name, metrics);
  }

  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stopOnce(graceMs);
    return this.#stopping;
  }

  async #stopOnce(graceMs: number): Promise<void> {
    await Promise.all([...this.#doors.values()].map((door) => door.stop(graceMs)));
    this.#process.close();
    await this.#broker.close();
  }
}
