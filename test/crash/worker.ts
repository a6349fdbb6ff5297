/** Somebody who works with the broker for as long as it lives. */
export interface Worker {
  /** Resolves when the broker is gone or `isStopping`; rejects when the broker does what it must not. */
  work(port: number, isStopping: () => boolean): Promise<void>;
}
