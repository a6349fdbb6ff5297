import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Exposition } from './exposition.ts';

/** A finer clock would wake an idle process more often than all else in it together. */
const resolutionMs = 100;

/** What this process uses, and how long its event loop was held up. */
export class ProcessMetrics {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #version: string;
  readonly #startSeconds: number;

  constructor(version: string, nowMs: number) {
    this.#version = version;
    this.#startSeconds = Math.round(nowMs / 1000 - process.uptime());
    this.#delay.enable();
  }

  close(): void {
    this.#delay.disable();
  }

  write(page: Exposition): void {
    const cpu = process.cpuUsage();
    const memory = process.memoryUsage();
    page.gauge('pabal_info', 'Which build this is', [
      { labels: { version: this.#version, node: process.version }, value: 1 },
    ]);
    page.counter(
      'process_cpu_seconds_total',
      'User and system CPU time',
      (cpu.user + cpu.system) / 1e6,
    );
    page.gauge('process_start_time_seconds', 'Start, since the Unix epoch', this.#startSeconds);
    page.gauge('process_resident_memory_bytes', 'Resident memory', memory.rss);
    page.gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use', memory.heapUsed);
    page.gauge('nodejs_external_memory_bytes', 'Buffers and the like', memory.external);
    this.#writeDelay(page);
  }

  /** Since the last time it was asked: one slow second must not be hidden by a quiet week. */
  #writeDelay(page: Exposition): void {
    const delay = this.#delay;
    const quantiles = [50, 99].map((percent) => ({
      labels: { quantile: String(percent / 100) },
      value: toSeconds(delay.percentile(percent)),
    }));
    page.gauge(
      'pabal_event_loop_delay_seconds',
      'How late the event loop was, since the last scrape',
      [
        ...quantiles,
        { labels: { quantile: '1' }, value: delay.count > 0 ? toSeconds(delay.max) : 0 },
      ],
    );
    delay.reset();
  }
}

/** The timer that measures it takes `resolutionMs` itself; what is beyond is delay. NaN before the first measure. */
function toSeconds(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000) : 0;
}
