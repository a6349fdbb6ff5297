import { BrokerError } from '../../base/index.ts';
import type { ConnectionInfo } from './handler.ts';

/**
 * Waits for `promise`, but fails with `closed` as soon as the peer is gone or the door shuts down: what others must
 * do first (the other members of a group) may take minutes.
 */
export function untilInterrupted<Value>(
  connection: ConnectionInfo,
  promise: Promise<Value>,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const interrupt = (): void => reject(new BrokerError('closed'));
    connection.onInterrupt(interrupt);
    promise.then(resolve, reject).finally(() => connection.offInterrupt(interrupt));
  });
}
