import type { Timer } from '../../base/index.ts';
import type { MessageView } from './message-window.ts';
import type { AcquiredMessage, AcquireRequest, Lease, PartitionQueue } from './types.ts';

/** Somebody who asked for messages once and waits for them. */
export class Acquirer {
  readonly request: AcquireRequest;
  /** Of the leases that it gets. */
  readonly ownerId: number;
  /** Its number among those that take messages of a group one after the other; 0: it takes one of each. */
  readonly run: number;
  /** When it has waited long enough for a first message; it waits for what is being read in any case. */
  readonly patienceMs: number;
  readonly result: Promise<AcquiredMessage[]>;
  readonly #messages: AcquiredMessage[] = [];
  readonly #keeper: Timer | undefined;
  readonly #onAbort: () => void;
  #bytes = 0;
  #isOver = false;
  #resolve: (messages: AcquiredMessage[]) => void = () => undefined;

  /** `keeper` keeps the process alive meanwhile; `aborted` is called when the request's signal ends the wait. */
  constructor(
    request: AcquireRequest,
    ownerId: number,
    run: number,
    patienceMs: number,
    keeper: Timer | undefined,
    aborted: (acquirer: Acquirer) => void,
  ) {
    this.request = request;
    this.ownerId = ownerId;
    this.run = run;
    this.patienceMs = patienceMs;
    this.#keeper = keeper;
    this.#onAbort = () => aborted(this);
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    request.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get hasMessages(): boolean {
    return this.#messages.length > 0;
  }

  get isFull(): boolean {
    return this.#messages.length >= this.request.count;
  }

  fits(bodyBytes: number): boolean {
    return this.#messages.length === 0 || this.#bytes + bodyBytes <= this.request.bytesMax;
  }

  take(view: MessageView, lease: Lease, queue: PartitionQueue): void {
    // One object for each message, with nothing made on the way.
    this.#messages.push({
      offset: view.offset,
      timestampMs: view.timestampMs,
      deliveries: view.deliveries,
      failures: view.failures,
      bytes: view.bytes,
      keyAt: view.keyAt,
      keyBytes: view.keyBytes,
      valueAt: view.valueAt,
      valueBytes: view.valueBytes,
      headersAt: view.headersAt,
      headersBytes: view.headersBytes,
      headerCount: view.headerCount,
      lease,
      queue,
    });
    this.#bytes += Math.max(view.valueBytes, 0);
  }

  /** Answers with what there is. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#keeper?.cancel();
    this.request.signal?.removeEventListener('abort', this.#onAbort);
    this.#resolve(this.#messages);
  }
}
