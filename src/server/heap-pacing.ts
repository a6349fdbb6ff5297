import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock, Timer } from '../base/index.ts';

/** Garbage and message buffers that may pile up before the collector goes over the whole heap. */
const slackBytes = 96 * 1024 * 1024;
const growthPercentMin = 50;
const growthPercentMax = 2000;
const checkMs = 10_000;
/** Heap above what the last collection at rest left, above which another one is worth its time. */
const restingBytesMin = 32 * 1024 * 1024;
/** A process that took less of a processor than this since the last check is at rest. */
const restingShareMax = 0.05;

/**
 * Message bytes live outside the heap, but V8 counts what was allocated of them since the last full collection against
 * a limit that is a multiple of the heap. A broker's heap is small: at 200 MB/s that is twenty full collections a
 * second, and code that is thrown away for not having run in the last few of them. A limit of a fixed number of bytes
 * above the heap costs a bounded amount of memory and no time.
 *
 * What that leaves behind stays until something is allocated again. So a process that has come to rest collects once: then
 * it delays nobody.
 */
export class HeapPacing {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #percent = 0;
  #processorMicroseconds = 0;
  /** What the heap took after the last collection at rest: at first nothing, for a start leaves much behind. */
  #collectedBytes = 0;
  #collect: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#adjust();
  }

  close(): void {
    this.#timer?.cancel();
  }

  #adjust(): void {
    const used = Math.max(getHeapStatistics().used_heap_size, 1);
    const wanted = (100 * slackBytes) / used;
    const percent = Math.round(Math.min(Math.max(wanted, growthPercentMin), growthPercentMax));
    if (Math.abs(percent - this.#percent) > this.#percent / 4) {
      this.#percent = percent;
      setFlagsFromString(`--heap-growing-percent=${percent}`);
    }
    this.#timer = this.#clock.setTimer(checkMs, () => {
      this.#collectAtRest();
      this.#adjust();
    });
  }

  #collectAtRest(): void {
    const { user, system } = process.cpuUsage();
    const spent = user + system - this.#processorMicroseconds;
    this.#processorMicroseconds = user + system;
    if (spent > checkMs * 1000 * restingShareMax) return;
    if (getHeapStatistics().total_heap_size < this.#collectedBytes + restingBytesMin) return;
    this.#collect ??= findCollector();
    this.#collect();
    this.#collectedBytes = getHeapStatistics().total_heap_size;
  }
}

/** The collector as V8 shows it to scripts, which has to be asked for. */
function findCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  return typeof collect === 'function' ? () => void collect() : () => undefined;
}
