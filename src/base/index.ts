export { AssertionError, assert, present } from './assert.ts';
export type { Clock, Timer } from './clock.ts';
export { SystemClock } from './clock.ts';
export type { BrokerErrorCode } from './errors.ts';
export { BrokerError, brokerErrors, ProtocolError } from './errors.ts';
export { limits } from './limits.ts';
export { printable } from './printable.ts';
export type { Random } from './random.ts';
export { SystemRandom } from './random.ts';
