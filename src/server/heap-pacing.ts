import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import type { Clock, Timer } from '../base/index.ts';

/** Garbage and message buffers that may pile up before the collector goes over the whole heap. */
const slackBytes = 96 * 1024 * 1024;
const growthPercentMin = 50;
const growthPercentMax = 2000;
const checkMs = 10_000;

/**
 * Message bytes live outside the heap, but V8 counts what was allocated of them since the last full collection against
 * a limit that is a multiple of the heap. A broker's heap is small: at 200 MB/s that is twenty full collections a
 * second, and code that is thrown away for not having run in the last few of them. A limit of a fixed number of bytes
 * above the heap costs a bounded amount of memory and no time.
 */
export class HeapPacing {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #percent = 0;

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
    this.#timer = this.#clock.setTimer(checkMs, () => this.#adjust());
  }
}
